"""The wheel: what is in it, and what works after it is installed into an environment that has nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import fleetcaptain
from tests.local.package.wheels import ROOT, build, copy_sources, pip, required, site_entries

# Extra -> the modules that it brings and the library may import.
BROUGHT = {
    "cli": {"typer"},
    "deploy": {"cryptography", "docker", "etcd", "pulumi", "pulumi_docker_build", "requests"},
}
EVERY_MODULE = """
import importlib, json, pkgutil, fleetcaptain
missing = {}
for module in pkgutil.walk_packages(fleetcaptain.__path__, "fleetcaptain.", onerror=lambda name: None):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        missing[module.name] = error.name.partition(".")[0]
print(json.dumps(missing))
"""
FLEETFILE = """
from fleetcaptain import Fleetfile, Http, Service

fleet = Fleetfile(app="shop", image="acme/shop", services=[Service("web", ports=["8080:80"], ready=Http("/health"))])
"""


class Environment:
    """A virtual environment in *folder* with the wheel, and of all else only what its *extras* require."""

    def __init__(self, folder: Path, wheel: Path, extras: Sequence[str]) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
        self.home, self.bin = folder, folder / "bin"
        (self.site,) = folder.glob("lib/python*/site-packages")
        for entry in site_entries(required(wheel, extras)):
            (self.site / entry.name).symlink_to(entry)
        # pip compares the versions with the ranges, and fails where something is missing.
        chosen = f"{wheel}[{','.join(extras)}]" if extras else str(wheel)
        pip("install", "--no-compile", chosen, python=str(self.bin / "python"))

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in its folder, which is also the home, with no other variables."""
        variables = {"HOME": str(self.home), "PATH": f"{self.bin}:/usr/bin:/bin"}
        return subprocess.run(
            argv, cwd=self.home, env=variables, capture_output=True, text=True, timeout=120, check=False
        )

    def output(self, *argv: str) -> str:
        """What a program of the environment prints; it must succeed."""
        done = self.run(*argv)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def environments(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, ...], Environment]:
    """An environment for each set of extras."""
    folder = tmp_path_factory.mktemp("environments")
    chosen: list[tuple[str, ...]] = [(), ("cli",), ("deploy",), ("cli", "deploy")]
    return {extras: Environment(folder / ("-".join(extras) or "bare"), wheel, extras) for extras in chosen}


def names(wheel: Path) -> set[str]:
    """The files in *wheel*."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_library_and_nothing_else(wheel: Path) -> None:
    """Each file of it, with the licence, and no package of another name."""
    files = {
        path for path in (ROOT / "fleetcaptain").rglob("*") if path.is_file() and path.parent.name != "__pycache__"
    }
    metadata = {name for name in names(wheel) if name.partition("/")[0].endswith(".dist-info")}
    assert names(wheel) - metadata == {path.relative_to(ROOT).as_posix() for path in files}
    assert f"fleetcaptain-{fleetcaptain.__version__}.dist-info/licenses/LICENSE" in metadata


def test_a_new_file_is_in_the_wheel_whatever_its_name(tmp_path: Path) -> None:
    """In packages and in folders that are none; a script stays executable. What Python compiled is left out."""
    sources = copy_sources(tmp_path / "sources")
    data = {
        "fleetcaptain/machine/script.sh",
        "fleetcaptain/machine/image/Dockerfile",
        "fleetcaptain/machine/image/.dockerignore",
        "fleetcaptain/machine/image/rootfs/etc/systemd/system.conf.d/stop.conf",
    }
    for name in (
        *data,
        "fleetcaptain/machine/image/__pycache__/old.pyc",
        "components/__init__.py",
        "tests/__init__.py",
    ):
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).touch(0o755 if name.endswith(".sh") else 0o644)
    made = build(sources, tmp_path / "made")
    assert {name for name in names(made) if "/machine/" in name and not name.endswith(".py")} == data
    assert not [name for name in names(made) if not name.startswith("fleetcaptain")]
    with zipfile.ZipFile(made) as archive:
        assert archive.getinfo("fleetcaptain/machine/script.sh").external_attr >> 16 & 0o111


@pytest.mark.parametrize("extras", [(), ("cli",), ("deploy",), ("cli", "deploy")], ids=str)
def test_each_module_imports_with_what_its_extra_brings(
    environments: Mapping[tuple[str, ...], Environment], extras: tuple[str, ...]
) -> None:
    """What is missing belongs to an extra that is not installed; with both, nothing is missing."""
    environment = environments[extras]
    missing = json.loads(environment.output("python", "-I", "-c", EVERY_MODULE))
    others = set().union(*(modules for extra, modules in BROUGHT.items() if extra not in extras))
    assert {module: name for module, name in missing.items() if name not in others} == {}
    if "cli" in extras:
        assert not [module for module, name in missing.items() if name == "typer"]


def test_an_app_needs_the_package_alone(environments: Mapping[tuple[str, ...], Environment]) -> None:
    """All public names, the types' marker, and the version."""
    code = "from fleetcaptain import *; import fleetcaptain; print(fleetcaptain.__file__, fleetcaptain.__version__)"
    file, version = environments[()].output("python", "-I", "-c", code).split()
    assert version == fleetcaptain.__version__
    assert Path(file).is_relative_to(environments[()].site)
    assert (Path(file).parent / "py.typed").exists()
    refused = environments[()].run("captain", "--version")
    assert refused.returncode == 1
    assert "typer" in refused.stderr


def test_a_fleetfile_loads(environments: Mapping[tuple[str, ...], Environment], tmp_path: Path) -> None:
    """Without an extra."""
    (tmp_path / "Fleetfile.py").write_text(FLEETFILE)
    (tmp_path / "Dockerfile").touch()
    code = (
        "import sys; from fleetcaptain.fleetfile import load; from pathlib import Path; print(load(Path(sys.argv[1])))"
    )
    assert "shop" in environments[()].output("python", "-I", "-c", code, str(tmp_path / "Fleetfile.py"))


@pytest.mark.parametrize("extras", [("cli",), ("deploy",)], ids=str)
def test_time_zones_need_nothing_of_the_machine(
    environments: Mapping[tuple[str, ...], Environment], extras: tuple[str, ...]
) -> None:
    """Their data comes with each extra that needs it."""
    code = (
        "import zoneinfo; zoneinfo.reset_tzpath(to=()); from fleetcaptain.schedule.window import time_zone;"
        "print(time_zone('America/Chicago'))"
    )
    assert environments[extras].output("python", "-I", "-c", code) == "America/Chicago\n"


def test_the_command_line_says_its_version(environments: Mapping[tuple[str, ...], Environment]) -> None:
    """And lists its commands, with no more than typer."""
    environment = environments["cli",]
    assert environment.output("captain", "--version") == f"captain {fleetcaptain.__version__}\n"
    assert "discover" in environment.output("captain", "--help")


def test_bash_completes_commands_and_options(environments: Mapping[tuple[str, ...], Environment]) -> None:
    """After ``captain --install-completion``, in a new shell."""
    environment = environments["cli",]
    environment.output("bash", "--norc", "-c", "captain --install-completion; exit")  # it asks which shell calls it
    script = '. ~/.bashrc; COMP_WORDS=(captain %s) COMP_CWORD=%d; _captain_completion captain; echo "${COMPREPLY[@]}"'
    for words, expected in (
        ("re", {"register", "restart", "restore", "rebalance", "releases", "render"}),
        ("discover --wa", {"--watch"}),
    ):
        printed = environment.output("bash", "--norc", "-c", script % (words, len(words.split())))
        assert set(printed.split()) == expected
