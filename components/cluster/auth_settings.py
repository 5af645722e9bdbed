"""Settings of etcd's authentication: machines that are ready for it, and keys that stay open to containers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetcaptain.discovery.access import is_open_dir
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.machine.tls import user_files

__all__ = ["FLEET_SETTINGS", "OPEN_KEYS", "not_ready", "open_dirs"]

OPEN_KEYS = "openKeys"
FLEET_SETTINGS = "/etc/fleet/fleet.env"
"""The file with fleetd's environment on a machine."""


def open_dirs(listed: Sequence[str]) -> tuple[str, ...]:
    """The directories of etcd that `fleetcaptain:openKeys` lists: containers read and write there. Raises
    ClusterRefused."""
    problems = [
        f"fleetcaptain:{OPEN_KEYS}: {directory!r} must have the form /directory and not be a directory of fleet or "
        "FleetCaptain"
        for directory in listed
        if not is_open_dir(directory)
    ]
    if problems:
        raise ClusterRefused("Cannot open these directories of etcd. Nothing was changed.", problems)
    return tuple(listed)


def not_ready(settings: Mapping[str, str | None]) -> list[str]:
    """The machines whose fleetd has no certificate, so that etcd's authentication would lock it out: an earlier version
    made them. *settings*: machine -> the text of its `FLEET_SETTINGS`, None if it is unreadable."""
    cert, _ = user_files("fleet")
    return sorted(name for name, text in settings.items() if cert not in (text or ""))
