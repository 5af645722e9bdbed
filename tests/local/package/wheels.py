"""Makes the wheel, and gives an environment what the wheel's extras require, from what is installed here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from zipfile import Path as PathInZip

from packaging.requirements import Requirement

__all__ = ["ROOT", "build", "copy_sources", "pip", "required", "site_entries"]

ROOT = Path(__file__).resolve().parents[3]
_SOURCES = ("LICENSE", "README.md", "pyproject.toml")


def copy_sources(folder: Path) -> Path:
    """The files that the wheel is made from, in *folder*: a build leaves files of its own beside them."""
    shutil.copytree(ROOT / "fleetcaptain", folder / "fleetcaptain")
    for name in _SOURCES:
        shutil.copy(ROOT / name, folder)
    return folder


def build(sources: Path, folder: Path) -> Path:
    """The wheel of *sources*, made in *folder* as the docs say, but offline: with the setuptools that is installed."""
    pip("wheel", str(sources), "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    (wheel,) = folder.glob("*.whl")
    return wheel


def pip(command: str, *arguments: str, python: str = sys.executable) -> None:
    """Run *command* of pip for *python*, with no index and none of the user's settings."""
    argv = [sys.executable, "-m", "pip", "--isolated", "--python", python, command, "--no-index", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def required(wheel: Path, extras: Iterable[str]) -> list[Distribution]:
    """What *wheel* requires with *extras*, directly or not, as it is installed here."""
    (metadata,) = (entry for entry in PathInZip(wheel).iterdir() if entry.name.endswith(".dist-info"))
    waiting = _requirements(PathDistribution(metadata), extras)
    found: dict[str, Distribution] = {}
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in found:
            package = found[str(requirement)] = distribution(requirement.name)
            waiting += _requirements(package, ("", *requirement.extras))
    return list(found.values())


def site_entries(packages: Iterable[Distribution]) -> set[Path]:
    """The files and folders of *packages* in the ``site-packages`` that they are installed in."""
    entries = {
        Path(str(package.locate_file(""))) / file.parts[0]
        for package in packages
        for file in package.files or ()
        if file.parts[0] not in ("..", "__pycache__")
    }
    assert all(entry.exists() for entry in entries)
    return entries


def _requirements(package: Distribution, extras: Iterable[str]) -> list[Requirement]:
    """What *package* itself requires with *extras*; the empty one stands for none."""
    every = map(Requirement, package.requires or ())
    return [one for one in every if not one.marker or any(one.marker.evaluate({"extra": extra}) for extra in extras)]
