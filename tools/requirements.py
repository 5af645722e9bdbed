"""The locks of the Python packages, one file a profile: each version with the hashes of its wheels.

pyproject.toml has the ranges of direct dependencies, the locks have the versions; `renew` writes them.
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tools.pins import LOCKER, SOURCE_ONLY
from tools.profile import Profile
from tools.project_layout import Layout, put
from tools.shell import run

__all__ = ["direct", "lock_files", "pinned", "renew"]

_HEAD = "# Made by `make lock` from pyproject.toml. Do not edit.\n"
# A wheel contains the times of its files. With one time for all, the same source always builds the same wheel.
_ONE_TIME = {"SOURCE_DATE_EPOCH": "1500000000"}


def lock_files(layout: Layout, profile: Profile) -> tuple[Path, ...]:
    """The locks that *profile* is installed from: those of the smaller ones, and its own. No package is in two."""
    return tuple(layout.root / name for name in profile.locks)


def pinned(lock: str) -> dict[str, str]:
    """The entries in the text of a *lock*: each requirement, such as ``pulumi==3.259.0``, and the entry's whole text.
    Versions for different Pythons are separate entries."""
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return {block.split()[0]: block for block in blocks if block and block[0] != "#"}


def direct(pyproject: str, extras: Sequence[str] = ()) -> tuple[str, ...]:
    """The requirements in *pyproject* for building the package and for its *extras*."""
    known = tomllib.loads(pyproject)
    found = list(known["build-system"]["requires"])
    for extra in extras:
        for requirement in known["project"]["optional-dependencies"][extra]:
            own = re.fullmatch(rf"{known['project']['name']}\[(.*)\]", requirement)
            found += direct(pyproject, own[1].split(",")) if own else [requirement]
    return tuple(dict.fromkeys(found))


def renew(layout: Layout, *, upgrade: bool) -> None:
    """Write all locks, and the wheels of `SOURCE_ONLY`. Versions stay where pyproject.toml allows it, unless
    *upgrade*. Raises ToolFailed; the locks are then unchanged."""
    pyproject = (layout.root / "pyproject.toml").read_text(errors="backslashreplace")
    scratch, log = layout.scratch / "lock", layout.log("lock")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    log.unlink(missing_ok=True)
    python = str(scratch / "venv" / "bin" / "python")
    run([sys.executable, "-m", "venv", str(scratch / "venv")], log)
    run([python, "-m", "pip", "install", LOCKER, *direct(pyproject)], log)
    wheels = _build_wheels(python, scratch, log)
    # All profiles are resolved together first: a package has one version in all of them.
    everything = scratch / "everything"
    old = (
        []
        if upgrade
        else [path.read_text(errors="backslashreplace") for path in lock_files(layout, Profile.TESTS) if path.exists()]
    )
    everything.write_text("".join(old))
    texts = {Profile.TESTS: _resolve(direct(pyproject, _extras(Profile.TESTS)), everything, scratch, log)}
    for profile in (Profile.MAIN, Profile.AWS):
        texts[profile] = _resolve(direct(pyproject, _extras(profile)), scratch / profile.name, scratch, log, everything)
    for wheel in layout.python.glob("*.whl"):
        wheel.unlink()
    for wheel in wheels:
        put(layout.python / wheel.name, wheel.read_bytes())
    smaller: dict[str, str] = {}
    for profile, file in zip(Profile, lock_files(layout, Profile.TESTS), strict=True):
        entries = pinned(texts[profile])
        put(file, (_HEAD + "".join(entries[name] for name in entries if name not in smaller)).encode())
        smaller |= entries


def _extras(profile: Profile) -> list[str]:
    return profile.extras.split(",")


def _build_wheels(python: str, scratch: Path, log: Path) -> list[Path]:
    """Wheels of the packages that are published as source only."""
    wheels = scratch / "wheels"
    wheels.mkdir()
    for requirement, digest in SOURCE_ONLY.items():
        source = scratch / "source"
        source.write_text(f"{requirement} --hash=sha256:{digest}\n")
        options = ("--no-deps", "--no-cache-dir", "--no-build-isolation", "--no-binary", ":all:", "--require-hashes")
        argv = [python, "-m", "pip", "wheel", *options, "-r", str(source), "-w", str(wheels)]
        run(argv, log, env=_ONE_TIME)
    return sorted(wheels.iterdir())


def _resolve(
    requirements: Sequence[str], output: Path, scratch: Path, log: Path, constraint: Path | None = None
) -> str:
    """Resolve *requirements* for each Python from 3.11 on. Versions in *output* are kept where possible."""
    source = scratch / "requirements.txt"
    source.write_text("\n".join(requirements))
    argv = [str(scratch / "venv" / "bin" / "uv"), "pip", "compile", str(source), "--output-file", str(output)]
    argv += ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header", "--quiet"]
    argv += ["--only-binary", ":all:", "--find-links", str(scratch / "wheels")]
    argv += ["--constraint", str(constraint)] if constraint else []
    run(argv, log, env={"UV_NATIVE_TLS": "true"})
    return output.read_text(errors="backslashreplace")
