"""fleet's metadata of machines that run."""

from __future__ import annotations

import json

from components.cluster.engine import exec_in, find
from components.cluster.layout import Layout
from fleetcaptain.errors import FleetCaptainError

__all__ = ["apply_metadata"]


def apply_metadata(layout: Layout) -> None:
    """Bring fleet's metadata of each machine to what is wanted. A restart of fleetd would stop all its units, so fleet
    is told through its API, which it remembers; the file is for a machine's next first boot."""
    url = "http://fleet/fleet/v1/machines"
    via = ("curl", "--silent", "--show-error", "--fail", "--max-time", "10", "--unix-socket", "/run/fleet.sock")
    containers = find(layout.identity, "machine")
    _, output = exec_in(containers[0], *via, url)
    known = {machine["id"]: machine.get("metadata") or {} for machine in json.loads(output).get("machines", ())}
    changes = []
    for name in layout.names:
        machine_id, wanted = layout.machine_id(name), layout.metadata_of(name)
        present = {key: value for key, value in known.get(machine_id, {}).items() if value}
        for key in sorted({*wanted, *present}):
            if wanted.get(key) != present.get(key):
                path = f"/{machine_id}/metadata/{key}"
                verb = {"op": "replace", "value": {"value": wanted[key]}} if key in wanted else {"op": "remove"}
                changes.append({**verb, "path": path})
    if changes:
        code, said = exec_in(containers[0], *via, "-X", "PATCH", "-d", json.dumps(changes), url)
        if code != 0:
            raise FleetCaptainError(f"fleet did not take the machines' metadata: {said}")
