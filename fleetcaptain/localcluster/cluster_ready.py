"""Waits until a local cluster is ready: etcd has a quorum, fleet sees every machine, sshd accepts the key."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.localcluster.docker_client import exec_in, find
from fleetcaptain.localcluster.layout import Layout
from fleetcaptain.printable import excerpt

__all__ = ["apply_metadata", "machines_in_fleet", "wait_ready"]

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


_URL = "http://fleet/fleet/v1/machines"
_CURL = ("curl", "--silent", "--show-error", "--fail", "--max-time", "10", "--unix-socket", "/run/fleet.sock")
_PAUSE_SEC_metadata = 0.5


def machines_in_fleet(container: Any) -> tuple[dict[str, dict[str, str]] | None, str]:
    """The id of each machine that fleet in *container* sees -> its metadata. None, and why, when fleet does not say."""
    code, output = exec_in(container, *_CURL, _URL)
    if code != 0:
        return None, output.strip() or f"curl ended with {code}"
    try:
        return {machine["id"]: machine.get("metadata") or {} for machine in json.loads(output).get("machines", ())}, ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, f"fleet answered {output[:200]!r}"


def apply_metadata(layout: Layout, timeout_sec: float) -> None:
    """Bring fleet's metadata of each machine to that of *layout*. A restart of fleetd would stop all its units, so this
    uses fleet's API, and fleet remembers it; the file is for a machine's next first boot.

    A fleetd that answers may fail a moment later, as while etcd elects a leader. Raises DeadlineExceeded after
    *timeout_sec* seconds.
    """
    deadline = time.monotonic() + timeout_sec
    while reason := _applied(layout):
        if time.monotonic() > deadline:
            raise DeadlineExceeded(
                f"fleet did not take the machines' metadata within {timeout_sec:.0f} s: {reason}. Look at `journalctl "
                "-u fleet` on the machines, then run the same command again."
            )
        time.sleep(_PAUSE_SEC_metadata)


def _applied(layout: Layout) -> str:
    """Change what differs in one request; why that failed, empty when it did not."""
    container = find(layout.identity, "machine")[0]
    known, reason = machines_in_fleet(container)
    if known is None:
        return reason
    changes = []
    for name in layout.names:
        machine_id, wanted = layout.machine_id(name), layout.metadata_of(name)
        present = {key: value for key, value in known.get(machine_id, {}).items() if value}
        for key in sorted({*wanted, *present}):
            if wanted.get(key) != present.get(key):
                path = f"/{machine_id}/metadata/{key}"
                verb = {"op": "replace", "value": {"value": wanted[key]}} if key in wanted else {"op": "remove"}
                changes.append({**verb, "path": path})
    if not changes:
        return ""
    code, output = exec_in(container, *_CURL, "-X", "PATCH", "-d", json.dumps(changes), _URL)
    return (output.strip() or f"curl ended with {code}") if code != 0 else ""
