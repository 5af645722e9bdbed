"""The project's virtual environment."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from tools.layout import Layout, put
from tools.pins import BY_HAND
from tools.shell import answer, run

__all__ = ["install_venv", "venv_is_current"]

_MARKER = ".installed-from"


def install_venv(layout: Layout) -> None:
    """Make the environment, unless a working one is there, and install the project with its tools into it."""
    log, by_hand = layout.log(".venv"), BY_HAND[".venv"]
    log.unlink(missing_ok=True)
    python = layout.venv / "bin" / "python"
    if not answer([str(python), "-m", "pip", "--version"])[0]:
        run([_base_python(), "-m", "venv", "--clear", str(layout.venv)], log, by_hand=by_hand)
    argv = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-e", ".[dev]"]
    run(argv, log, cwd=layout.root, by_hand=by_hand)
    put(layout.venv / _MARKER, _wanted(layout).encode())


def venv_is_current(layout: Layout) -> bool:
    """Whether the environment was installed from the present pyproject.toml. Its marker is the last thing written."""
    marker = layout.venv / _MARKER
    python = os.access(layout.venv / "bin" / "python", os.X_OK)  # a dangling link when the base Python went away
    return python and marker.exists() and marker.read_text() == _wanted(layout)


def _wanted(layout: Layout) -> str:
    pyproject = (layout.root / "pyproject.toml").read_bytes()
    return hashlib.sha256(b"%s\n%s" % (str(layout.root).encode(), pyproject)).hexdigest()


def _base_python() -> str:
    """The Python outside of any virtual environment."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
