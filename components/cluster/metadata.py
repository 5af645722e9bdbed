"""fleet's metadata of machines that run."""

from __future__ import annotations

import json
import time
from typing import Any

from components.cluster.engine import exec_in, find
from components.cluster.layout import Layout
from fleetcaptain.errors import DeadlineExceeded

__all__ = ["apply_metadata", "machines_in_fleet"]

_URL = "http://fleet/fleet/v1/machines"
_CURL = ("curl", "--silent", "--show-error", "--fail", "--max-time", "5", "--unix-socket", "/run/fleet.sock")
_PAUSE_SEC = 0.5


def machines_in_fleet(container: Any) -> tuple[dict[str, dict[str, str]] | None, str]:
    """The id of each machine that fleet in *container* sees -> its metadata. None, and why, when fleet does not say."""
    output, reason = _asked(container)
    if reason:
        return None, reason
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
        time.sleep(_PAUSE_SEC)


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
    return _asked(container, "-X", "PATCH", "-d", json.dumps(changes))[1]


def _asked(container: Any, *options: str) -> tuple[str, str]:
    """What fleet answers, and why it did not; "" when it did."""
    code, output = exec_in(container, *_CURL, *options, _URL)
    return output, "" if code == 0 else output.strip() or f"curl ended with {code}"
