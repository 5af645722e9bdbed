"""What an app's image needs of FleetCaptain: the package itself, and nothing that has to be installed with it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BARE = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
LOADED = "; print(*sorted(sys.modules))"


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run *code* in a Python that has no installed packages at all."""
    argv = [sys.executable, "-I", "-S", "-c", BARE + code]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)


def loaded(code: str) -> set[str]:
    """The modules that *code* loads."""
    result = run(code + LOADED)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_discovery_runs_on_python_alone() -> None:
    """Nothing is imported that Python does not bring."""
    modules = loaded("import fleetcaptain as f; f.register, f.unregister, f.discover, f.ensure_available, f.Instance")
    ours = {name for name in modules if name.partition(".")[0] == "fleetcaptain"}
    assert {name.partition(".")[0] for name in modules - ours - {"__main__"}} <= sys.stdlib_module_names
    packages = {".".join(name.split(".")[:2]) for name in ours}
    names = ("errors", "image_reference", "mode", "net", "printable", "schedule", "untrusted")
    ground = {f"fleetcaptain.{name}" for name in names}
    assert packages == {"fleetcaptain", "fleetcaptain.discovery", *ground}


def test_importing_the_package_loads_nothing_of_it() -> None:
    """Each word is loaded when it is first named."""
    assert {name for name in loaded("import fleetcaptain") if "fleetcaptain" in name} == {"fleetcaptain"}


def test_the_words_of_a_fleetfile_load_no_discovery() -> None:
    """Nor does loading a Fleetfile need anything that is not Python's."""
    modules = loaded("from fleetcaptain import Fleetfile, Service, Http; from fleetcaptain.fleetfile import load")
    assert "fleetcaptain.fleetfile.loader" in modules
    assert not [name for name in modules if name.startswith("fleetcaptain.discovery")]


def test_every_exported_name_is_there() -> None:
    """The table of what is where misses none, and an unknown name is an AttributeError as for any module."""
    import fleetcaptain

    assert all(hasattr(fleetcaptain, name) for name in fleetcaptain.__all__)
    with pytest.raises(AttributeError, match="no attribute 'reddis'"):
        _ = fleetcaptain.reddis


def test_the_command_line_says_what_is_missing() -> None:
    """It is an extra: an app that only uses the functions does without it."""
    result = run("from fleetcaptain.cli import main; sys.exit(main(['discover', 'redis']))")
    assert result.returncode == 1
    assert "`pip install typer`" in result.stderr


def test_the_package_alone_brings_nothing_along() -> None:
    """What deploys, what AWS and the command line need and what only development needs are extras; dev has them all."""
    assert PROJECT["dependencies"] == []
    extras = PROJECT["optional-dependencies"]
    assert "fleetcaptain[cli,deploy,aws]" in extras["dev"]
    names = {extra: {Requirement(line).name for line in lines} for extra, lines in extras.items()}
    assert names["cli"] == {"typer", "tzdata"}
    assert {"pulumi", "docker", "pulumi-docker-build", "python-etcd", "requests"} <= names["deploy"]
    assert names["aws"] == {"boto3", "pulumi-aws", "pulumi-tls"}
