"""What tests on clusters need of the computer, checked once, before anything is made."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

from components.cluster.local import machine_image
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.localcluster.docker_client import engine, image_of
from fleetcaptain.localcluster.local_reconcile import IMAGE_FOLDER
from tests.e2e.leftovers import other_run

__all__ = ["require"]

_ROOT = Path(__file__).resolve().parents[2]


def require(shared: Path) -> str:
    """What is missing, and what to do; empty when all is there. Claims the checkout for this run, and builds the image
    of the machines, once for all workers, which have the folder *shared* in common."""
    if shutil.which("pulumi") is None:
        return 'pulumi is not on PATH. Run `make test`, or set PATH with `eval "$(python3 -m tools env)"`.'
    try:
        engine()
        with (shared / "one-at-a-time").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = other_run(_ROOT)
            if process:
                return f"Another run of tests on clusters (process {process}) uses this checkout. Wait for its end."
            image_of(IMAGE_FOLDER, machine_image())
    except FleetCaptainError as error:
        return str(error)
    return ""
