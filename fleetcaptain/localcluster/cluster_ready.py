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
from fleetcaptain.waiting import wait_until

__all__ = ["apply_metadata", "wait_ready"]

_PAUSE_SEC = 0.25
_SSH_PORT = 22
_MACHINES_URL = "http://fleet/fleet/v1/machines"
_CURL = ("curl", "--silent", "--show-error", "--fail", "--max-time", "5", "--unix-socket", "/run/fleet.sock")
_JOURNAL_LINES = 8


def wait_ready(layout: Layout, timeout_sec: float, report: Callable[[str], None]) -> None:
    """Return when all machines of *layout* are ready. Raises DeadlineExceeded with the journal of one that is not."""
    missing: set[str] = set()

    def pending() -> str:
        nonlocal missing
        missing = _missing(layout)
        ready = f"{layout.size - len(missing)}/{layout.size} machines ready"
        return f"{ready}; waiting for {', '.join(sorted(missing))}" if missing else ""

    def timed_out(_line: str) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"The cluster is not ready after {timeout_sec:.0f} s: {_journal_of(layout, missing)}\n"
            "Look for the cause in the journal, then run the same command again: it continues from here."
        )

    _wait(pending, timeout_sec, report, timed_out)


def _missing(layout: Layout) -> set[str]:
    containers = {container.name: container for container in find(layout.identity, "machine")}
    return {
        name
        for name, address in layout.addresses.items()
        if layout.machine_id(name) not in _seen_by(containers.get(f"{layout.prefix}-{name}")) or not _listens(address)
    }


def _seen_by(container: Any) -> set[str]:
    """The ids of the machines that this machine's fleet sees. Other machines may still list one that is starting: they
    forget it only after the agent's TTL."""
    if container is None or container.status != "running":
        return set()
    return set(_machines_in_fleet(container)[0] or ())


def _listens(address: str) -> bool:
    try:
        with socket.create_connection((address, _SSH_PORT), timeout=2):
            return True
    except OSError:
        return False


def _journal_of(layout: Layout, missing: set[str]) -> str:
    """The names of the *missing* machines, and the journal of one of them."""
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


def _machines_in_fleet(container: Any) -> tuple[dict[str, dict[str, str]] | None, str]:
    """Machine id -> metadata, for each machine that fleet in *container* sees. None and the reason when fleet fails."""
    output, reason = _asked(container)
    if reason:
        return None, reason
    try:
        return {machine["id"]: machine.get("metadata") or {} for machine in json.loads(output).get("machines", ())}, ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, f"fleet answered {output[:200]!r}"


def apply_metadata(layout: Layout, timeout_sec: float) -> None:
    """Reconcile fleet's metadata of each machine with *layout*. It uses fleet's API, which stores the metadata, because
    a restart of fleetd would stop all its units; the metadata file is read only at a machine's first boot.

    A fleetd that answers may fail a moment later, such as while etcd elects a leader. Raises DeadlineExceeded after
    *timeout_sec* seconds.
    """

    def timed_out(reason: str) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"Failed to set the machines' metadata in fleet within {timeout_sec:.0f} s: {reason}. Look at "
            "`journalctl -u fleet` on the machines, then run the same command again."
        )

    _wait(lambda: _applied(layout), timeout_sec, lambda _reason: None, timed_out)


def _wait(
    pending: Callable[[], str],
    timeout_sec: float,
    report: Callable[[str], None],
    timed_out: Callable[[str], Exception],
) -> None:
    wait_until(pending, timeout_sec, report, timed_out, pause_sec=_PAUSE_SEC, clock=time.monotonic, sleep=time.sleep)


def _applied(layout: Layout) -> str:
    """Change all differences in one request. Returns why that failed, "" on success."""
    container = find(layout.identity, "machine")[0]
    known, reason = _machines_in_fleet(container)
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
    return _asked(container, "-X", "PATCH", "-d", json.dumps(changes))[1]


def _asked(container: Any, *options: str) -> tuple[str, str]:
    """fleet's answer, and the reason when it failed ("" on success)."""
    code, output = exec_in(container, *_CURL, *options, _MACHINES_URL)
    return output, "" if code == 0 else output.strip() or f"curl failed with exit code {code}"
