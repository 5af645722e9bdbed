"""What fleet learns of a machine that goes, or has gone: at once, not when it has been silent for half a minute."""

from __future__ import annotations

from typing import Any

from fleetcaptain.localcluster.docker_client import exec_in
from fleetcaptain.localcluster.etcd_exec import exec_request

__all__ = ["drain", "forget_presence"]

_PRESENCE = "/v2/keys/_coreos.com/fleet/machines"


def drain(container: Any) -> None:
    """Stop fleet on a machine that is about to go. fleet has no word for it, but a fleetd that is stopped ends its
    units in order and tells the others, which take them at once.

    A machine that does not run has nothing left to take.
    """
    if container.status == "running":
        exec_in(container, "systemctl", "stop", "fleet.socket", "fleet.service")


def forget_presence(container: Any, machine_id: str) -> None:
    """Have the machine *container* tell fleet that another one is dead. Its units move, and when it comes back under
    the same id it has not to wait until fleet has forgotten it by itself."""
    exec_request(container, "DELETE", f"{_PRESENCE}/{machine_id}/object")
