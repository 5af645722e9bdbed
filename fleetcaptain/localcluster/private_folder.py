"""Folders for keys and state: for their owner alone."""

from __future__ import annotations

from pathlib import Path

from fleetcaptain.fleet.project_files import STACKS

__all__ = ["private_folder"]

_OWNER_ONLY = 0o700


def private_folder(folder: Path) -> Path:
    """Make *folder* and the parents that it lacks, for their owner alone whatever the umask; from `STACKS` on also
    those that exist. Returns *folder*."""
    for path in (*reversed(folder.parents), folder):
        if STACKS in path.parts or not path.exists():
            path.mkdir(mode=_OWNER_ONLY, exist_ok=True)
            path.chmod(_OWNER_ONLY)
    return folder
