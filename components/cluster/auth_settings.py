"""Which machines let etcd's authentication be turned on, and which keys stay open to containers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetcaptain.discovery.access import is_open_dir
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.machine.tls import user_files

__all__ = ["FLEET_SETTINGS", "OPEN_KEYS", "not_ready", "open_dirs"]

OPEN_KEYS = "openKeys"
FLEET_SETTINGS = "/etc/fleet/fleet.env"
"""Where a machine has what fleetd is started with."""


def open_dirs(listed: Sequence[str]) -> tuple[str, ...]:
    """The directories of etcd that `fleetcaptain:openKeys` lists: containers read and write there. Raises
    ClusterRefused."""
    problems = [
        f"fleetcaptain:{OPEN_KEYS}: {directory!r} is not of the form /directory, or is a directory of fleet's or of "
        "FleetCaptain's"
        for directory in listed
        if not is_open_dir(directory)
    ]
    if problems:
        raise ClusterRefused("The keys of etcd that are to be open cannot be. Nothing was changed.", problems)
    return tuple(listed)


def not_ready(settings: Mapping[str, str | None]) -> list[str]:
    """The machines whose fleetd does not say who it is, so that etcd's authentication would lock it out: those that an
    earlier version made. *settings*: machine -> the text of its `FLEET_SETTINGS`, None when it could not be read."""
    cert, _ = user_files("fleet")
    return sorted(name for name, text in settings.items() if cert not in (text or ""))
