"""Folders for keys and state that only their owner can enter."""

from __future__ import annotations

from pathlib import Path

from fleetcaptain.fleet.project_files import STACKS

__all__ = ["private_folder"]

_OWNER_ONLY = 0o700


def private_folder(folder: Path) -> Path:
    """Create *folder* and its missing parents with mode 0700, whatever the umask; from `STACKS` on, also set the mode
    of existing ones. Returns *folder*."""
    for path in (*reversed(folder.parents), folder):
        if STACKS in path.parts or not path.exists():
            path.mkdir(mode=_OWNER_ONLY, exist_ok=True)
            path.chmod(_OWNER_ONLY)
    return folder
