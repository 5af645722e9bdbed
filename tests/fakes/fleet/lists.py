"""The lists and pages of fleet's API: api/pagination.go, and the ``list`` handlers of its source."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fakes.fleet.fake_fleet import Cluster
from tests.fakes.fleet.replies import Refusal, Reply, Request, filled
from tests.fakes.fleet.rules import is_global

__all__ = ["LIMIT", "LISTS", "page", "states", "unit"]

LIMIT = 100
_Query = Mapping[str, list[str]]


def unit(cluster: Cluster, name: str) -> dict[str, Any]:
    """One unit. Of a global one there is no current state, as nothing schedules it."""
    stored = cluster.units[name]
    options = [filled({"section": each.section, "name": each.name, "value": each.value}) for each in stored.options]
    current = "" if is_global(stored.options) else cluster.current(name)
    fields = {"name": name, "options": options, "desiredState": stored.desired, "currentState": current}
    return filled({**fields, "machineID": stored.machine_id})


def units(cluster: Cluster, _query: _Query) -> list[dict[str, Any]]:
    """All that can be seen. Here global units have a current state too: it comes from another reader."""
    return [{**unit(cluster, name), "currentState": cluster.current(name)} for name in cluster.seen()]


def states(cluster: Cluster, query: _Query) -> list[dict[str, Any]]:
    """systemd's states by name and machine; the filters are exact, and only their first value counts."""
    rows = [
        {
            "name": name,
            "hash": row.unit_hash,
            "machineID": machine_id,
            "systemdLoadState": "loaded",
            "systemdActiveState": row.active,
            "systemdSubState": row.sub,
        }
        for (name, machine_id), row in sorted(cluster.loaded.items())
    ]
    for key, parameter in (("name", "unitName"), ("machineID", "machineID")):
        asked = query.get(parameter, [""])[0]
        rows = [row for row in rows if asked in ("", row[key])]
    return rows


def machines(cluster: Cluster, _query: _Query) -> list[dict[str, Any]]:
    """The machines by id."""
    known = sorted(cluster.machines, key=lambda machine: machine.id)
    return [filled({"id": each.id, "primaryIP": each.ip, "metadata": dict(each.metadata)}) for each in known]


LISTS: Mapping[str, tuple[str, Callable[[Cluster, _Query], list[dict[str, Any]]]]] = {
    "units": ("units", units),
    "state": ("states", states),
    "machines": ("machines", machines),
}


def page(cluster: Cluster, request: Request, kind: str) -> Reply:
    """One page of the list *kind*. A full last page has a token as well, which leads to an empty one."""
    key, entries_of = LISTS[kind]
    number = _page_number(request.query.get("nextPageToken", ()))
    entries = entries_of(cluster, request.query)
    start, stop = (number - 1) * LIMIT, number * LIMIT
    more = start < len(entries) and stop <= len(entries)
    token = base64.urlsafe_b64encode(struct.pack("<HH", LIMIT, number + 1)).decode() if more else ""
    return Reply(200, filled({key: entries[start:stop], "nextPageToken": token}))


def _page_number(tokens: Sequence[str]) -> int:
    if not tokens:
        return 1
    if len(tokens) > 1:
        raise Refusal(400, "too many values for page token")
    try:
        limit, number = struct.unpack_from("<HH", base64.b64decode(tokens[0], b"-_", validate=True))
    except (ValueError, struct.error) as error:
        raise Refusal(400, str(error)) from error
    if limit != LIMIT:
        raise Refusal(400, f"token limit must be {LIMIT}")
    if number == 0:
        raise Refusal(400, "token page must be greater than zero")
    return int(number)
