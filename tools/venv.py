"""The project's virtual environment."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from tools.profile import Profile
from tools.project_layout import Layout, put
from tools.shell import answer, run

__all__ = ["install_venv", "mark", "venv_profile"]

_MARKER = ".installed-from"


def install_venv(layout: Layout, profile: Profile, by_hand: str) -> None:
    """Install the project with the packages of *profile* into the environment, which is recreated unless its pip works.
    Packages of other profiles stay."""
    log = layout.log(".venv")
    log.unlink(missing_ok=True)
    python = layout.venv / "bin" / "python"
    if not answer([str(python), "-m", "pip", "--version"])[0]:
        run([_base_python(), "-m", "venv", "--clear", str(layout.venv)], log, by_hand=by_hand)
    # Compiling every module takes longer than downloading them, and most are never used. Loading the program compiles
    # the used ones now, because later runs may not be allowed to write (PYTHONDONTWRITEBYTECODE).
    pip = (str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-compile")
    for arguments in profile.pip_installs:
        run([*pip, *arguments], log, cwd=layout.root, by_hand=by_hand)
    load = [str(python), "-c", f"import {profile.modules}"]
    run(load, log, cwd=layout.root, env={"PYTHONDONTWRITEBYTECODE": ""}, by_hand=by_hand)
    mark(layout, profile)


def mark(layout: Layout, profile: Profile) -> None:
    """Record that the environment is installed for *profile* from the present pyproject.toml and locks: the last
    step."""
    put(layout.venv / _MARKER, _marker(layout, profile).encode())


def venv_profile(layout: Layout) -> Profile | None:
    """The profile that the environment was installed for from the present pyproject.toml and locks; None if it was
    not."""
    marker = layout.venv / _MARKER
    python = os.access(layout.venv / "bin" / "python", os.X_OK)  # a dangling link if the base Python was removed
    if not python or not marker.exists():
        return None
    text = marker.read_text(errors="backslashreplace")
    return next((profile for profile in Profile if text == _marker(layout, profile)), None)


def _marker(layout: Layout, profile: Profile) -> str:
    files = [layout.root / name for name in ("pyproject.toml", *profile.locks)]
    digest = hashlib.sha256(b"\n".join([str(layout.root).encode(), *(file.read_bytes() for file in files)])).hexdigest()
    return f"{profile.name.lower()} {digest}\n"


def _base_python() -> str:
    """The Python outside of any virtual environment."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
