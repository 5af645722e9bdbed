"""Reports a leaving or lost machine to fleet at once, instead of after half a minute without heartbeats."""

from __future__ import annotations

from typing import Any

from fleetcaptain.localcluster.docker_client import exec_in
from fleetcaptain.localcluster.etcd_exec import exec_request

__all__ = ["drain", "forget_presence"]

_PRESENCE = "/v2/keys/_coreos.com/fleet/machines"


def drain(container: Any) -> None:
    """Drain a machine before its removal. fleet has no drain command, but a fleetd that is stopped stops its units in
    order and notifies the others, which start them at once.

    A machine that does not run has no units to move.
    """
    if container.status == "running":
        exec_in(container, "systemctl", "stop", "fleet.socket", "fleet.service")


def forget_presence(container: Any, machine_id: str) -> None:
    """Remove another machine's key from fleet, through the machine *container*. Its units move, and when it comes back
    with the same id it need not wait until the key expires."""
    exec_request(container, "DELETE", f"{_PRESENCE}/{machine_id}/object")
