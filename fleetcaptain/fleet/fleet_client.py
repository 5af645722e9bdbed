"""The client of fleet's API v1 for deployments; it avoids the API's traps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, TypeVar
from urllib.parse import quote

from fleetcaptain.errors import FleetApiError
from fleetcaptain.fleet.entities import DesiredState, Machine, UnitEntity, UnitState
from fleetcaptain.fleet.transport import Answer, Transport
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.validate import refuse
from fleetcaptain.untrusted import readable

__all__ = ["FleetClient"]

_T = TypeVar("_T")

# A page has 100 entries (fleet's api/serialization.go), so this is far above any cluster's size.
_MAX_PAGES = 1000


class FleetClient:
    """fleet on one cluster. Raises ClusterUnreachable and FleetApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def server(self) -> str:
        """The ``Server`` header, ``fleetd/1.0.0``; any other name is not fleet."""
        return self._get("/machines").server

    def version(self) -> str:
        """The version in that header: ``1.0.0``."""
        return self.server().partition("/")[2]

    def units(self) -> tuple[UnitEntity, ...]:
        """Every unit of the cluster, of every owner."""
        return self._list("/units", "units", UnitEntity.of, lambda unit: unit.name)

    def unit(self, name: str) -> UnitEntity | None:
        """The unit *name*, or None when there is none."""
        answer = self._transport.call("GET", _path(name))
        return UnitEntity.of(answer.data) if answer is not None else None

    def states(self) -> tuple[UnitState, ...]:
        """systemd's states, one per unit and machine. A missing entry means unknown, not down.

        Always the whole list: for a single name without a state fleet 1.0.0 drops the connection.
        """
        return self._list("/state", "states", UnitState.of, lambda state: (state.name, state.machine_id))

    def machines(self) -> tuple[Machine, ...]:
        """The machines that fleet sees."""
        return self._list("/machines", "machines", Machine.of, lambda machine: machine.id)

    def put(self, name: str, file: UnitFile, desired: DesiredState) -> None:
        """Make unit *name* have *file* and *desired*; replaces a different one.

        Raises UnitRefused for a unit that fleet would accept and fail on; then nothing is sent.
        """
        refuse(name, file)
        self._put(name, desired, {"options": [asdict(option) for option in file.options]})

    def set_desired(self, name: str, desired: DesiredState) -> None:
        """Set the state *desired* of an existing unit; setting the same state again nudges fleet. Raises FleetApiError
        if the unit does not exist.

        The text is omitted on purpose: it would overwrite a unit that another client put meanwhile, or create it again.
        """
        self._put(name, desired, {})

    def delete(self, name: str) -> bool:
        """Delete unit *name*; returns whether it existed. The machine unloads it some seconds later.

        False also when the first try deleted it but its answer was lost.
        """
        return self._transport.call("DELETE", _path(name)) is not None

    def _put(self, name: str, desired: DesiredState, more: Mapping[str, Any]) -> None:
        # Without a desired state fleet stops a unit whose text is replaced; with an unknown state the unit can never be
        # read again.
        body = {"name": name, "desiredState": DesiredState(desired).value, **more}
        if self._transport.call("PUT", _path(name), body=body) is None:
            raise _no_fleet(f"PUT {_path(name)}")

    def _list(
        self, path: str, key: str, make: Callable[[Mapping[str, Any]], _T], identity: Callable[[_T], object]
    ) -> tuple[_T, ...]:
        """All pages. They are not a snapshot: while the list changes, an entry may come twice or be missing."""
        found: dict[object, _T] = {}
        for data in self._pages(path, key):
            # An invalid entry may be in etcd; fleet passes it on to every client.
            entry = readable(make, data)
            if entry is not None:
                found[identity(entry)] = entry
        return tuple(found.values())

    def _pages(self, path: str, key: str) -> Iterator[Mapping[str, Any]]:
        token, seen = "", set[str]()
        while token not in seen and len(seen) < _MAX_PAGES:
            seen.add(token)
            page = self._get(path, {"nextPageToken": token} if token else None).data
            entries = page.get(key) or []
            if not isinstance(entries, list):
                raise _no_fleet(f"GET {path}", "did not answer with a list")
            yield from entries
            token = str(page.get("nextPageToken") or "")
            if not token:
                return
        raise FleetApiError(
            f"fleet's list of {path} does not end: after {len(seen)} pages it names one more, {token[:40]!r}. Check "
            "the cluster's address and `journalctl -u fleet` on the machines, then run the same command again."
        )

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        answer = self._transport.call("GET", path, params=params)
        if answer is None:
            raise _no_fleet(f"GET {path}")
        return answer


def _path(name: str) -> str:
    return f"/units/{quote(name, safe='@:._-')}"


def _no_fleet(what: str, why: str = "does not know this path") -> FleetApiError:
    return FleetApiError(
        f"{what} failed: the server {why}, so it is not fleet. Check the cluster's address, then run the same command "
        "again.",
        404,
    )
