"""What tests on clusters need of the computer, checked once, before anything is made."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

from components.cluster.converge import IMAGE_FOLDER
from components.cluster.engine import engine, image_of
from components.cluster.local import machine_image
from fleetcaptain.errors import FleetCaptainError

__all__ = ["require"]


def require(shared: Path) -> str:
    """What is missing, and what to do about it; empty when all is there. Builds the machines' image once for all
    workers, which have the folder *shared* in common."""
    if shutil.which("pulumi") is None:
        return 'pulumi is not on PATH. Run `make test`, or set PATH with `eval "$(python3 -m tools env)"`.'
    try:
        engine()
        with (shared / "image.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            image_of(IMAGE_FOLDER, machine_image())
    except FleetCaptainError as error:
        return str(error)
    return ""
