"""A local cluster is ready when etcd has a quorum, fleet sees every machine, and sshd lets us in."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from components.cluster.engine import exec_in, find
from components.cluster.layout import Layout
from components.cluster.metadata import machines_in_fleet
from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.printable import excerpt

__all__ = ["wait_ready"]

_PAUSE_SEC = 0.25
_SSH_PORT = 22
_JOURNAL_LINES = 8


def wait_ready(layout: Layout, timeout_sec: float, report: Callable[[str], None]) -> None:
    """Return when all of *layout* is ready. Raises DeadlineExceeded, with the journal of a machine that is not."""
    deadline = time.monotonic() + timeout_sec
    last_line = ""
    while True:
        missing = _missing(layout)
        if not missing:
            return
        line = f"{layout.size - len(missing)}/{layout.size} machines ready; waiting for {', '.join(sorted(missing))}"
        if line != last_line:
            report(line)
            last_line = line
        if time.monotonic() > deadline:
            raise DeadlineExceeded(f"not ready after {timeout_sec:.0f} s: {_told(layout, missing)}")
        time.sleep(_PAUSE_SEC)


def _missing(layout: Layout) -> set[str]:
    containers = {container.name: container for container in find(layout.identity, "machine")}
    return {
        name
        for name, address in layout.addresses.items()
        if layout.machine_id(name) not in _seen_by(containers.get(f"{layout.prefix}-{name}")) or not _listens(address)
    }


def _seen_by(container: Any) -> set[str]:
    """The ids of the machines that fleet on this machine sees. The others may still see one that is on its way up:
    they forget it only after the agent's TTL."""
    if container is None or container.status != "running":
        return set()
    return set(machines_in_fleet(container)[0] or ())


def _listens(address: str) -> bool:
    try:
        with socket.create_connection((address, _SSH_PORT), timeout=2):
            return True
    except OSError:
        return False


def _told(layout: Layout, missing: set[str]) -> str:
    lines = [", ".join(sorted(missing))]
    for container in find(layout.identity, "machine"):
        if container.name.rpartition("-")[2] in missing:
            units = ("--unit", "etcd", "--unit", "fleet", "--unit", "ssh")
            _, output = exec_in(
                container, "journalctl", "--no-pager", "--output", "cat", "--lines", str(_JOURNAL_LINES), *units
            )
            shown = excerpt(output.splitlines(), _JOURNAL_LINES)
            lines += [f"{container.name} ({container.status}):", *(f"  {line}" for line in shown)]
            break
    return "\n".join(lines)
