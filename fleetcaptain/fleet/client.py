"""The calls of fleet's API v1 that a deployment needs, safe against its traps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from fleetcaptain.errors import FleetApiError
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.fleet.values import DesiredState, FleetUnit, Machine, UnitState
from fleetcaptain.units.refuse import refuse
from fleetcaptain.units.text import parse

__all__ = ["FleetClient"]

_T = TypeVar("_T")


class FleetClient:
    """fleet on one cluster. Raises ClusterUnreachable and FleetApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def version(self) -> str:
        """The version in the ``Server`` header: ``fleetd/1.0.0`` gives ``1.0.0``."""
        response = self._transport.call("GET", "/machines")
        return response.headers.get("Server", "").partition("/")[2] if response is not None else ""

    def units(self) -> tuple[FleetUnit, ...]:
        """Every unit of the cluster, whoever put it there."""
        return self._list("/units", "units", FleetUnit.of, lambda unit: unit.name)

    def unit(self, name: str) -> FleetUnit | None:
        """The unit *name*, or None when there is none."""
        response = self._transport.call("GET", _path(name))
        return FleetUnit.of(response.json()) if response is not None else None

    def states(self) -> tuple[UnitState, ...]:
        """What systemd says, one entry per unit and machine. Absence means unknown, not down.

        Never asked for one name: fleet 1.0.0 drops the connection when that has no state.
        """
        return self._list("/state", "states", UnitState.of, lambda state: (state.name, state.machine_id))

    def machines(self) -> tuple[Machine, ...]:
        """The machines that fleet sees."""
        return self._list("/machines", "machines", Machine.of, lambda machine: machine.id)

    def put(self, name: str, text: str, desired: DesiredState) -> None:
        """Make unit *name* have *text* and *desired*; replaces a different text.

        Raises UnitRefused for what fleet would accept and then choke on; nothing is sent then.
        """
        refuse(name, text)
        options = [{"section": option.section, "name": option.name, "value": option.value} for option in parse(text)]
        # Without a desired state fleet would stop a unit whose text is replaced.
        body = {"name": name, "desiredState": str(desired), "options": options}
        self._transport.call("PUT", _path(name), body=body)

    def set_desired(self, name: str, desired: DesiredState) -> None:
        """Ask for *desired* of a unit that exists; the same again is a nudge. Raises FleetApiError if it does not."""
        self._transport.call("PUT", _path(name), body={"name": name, "desiredState": str(desired)})

    def delete(self, name: str) -> bool:
        """Make fleet forget unit *name*; whether there was one. The machine unloads it some seconds later."""
        return self._transport.call("DELETE", _path(name)) is not None

    def _list(
        self, path: str, key: str, make: Callable[[Mapping[str, Any]], _T], identity: Callable[[_T], object]
    ) -> tuple[_T, ...]:
        """All pages. The list may change between pages, which can show an entry twice."""
        found = {identity(entry): entry for entry in map(make, self._pages(path, key))}
        return tuple(found.values())

    def _pages(self, path: str, key: str) -> Iterator[Mapping[str, Any]]:
        token = ""
        while True:
            response = self._transport.call("GET", path, params={"nextPageToken": token} if token else None)
            if response is None:
                raise FleetApiError(f"there is no fleet API at {path}: is this the address of a fleet cluster?", 404)
            page = response.json()
            yield from page.get(key) or ()
            token = page.get("nextPageToken", "")
            if not token:
                return


def _path(name: str) -> str:
    return f"/units/{quote(name, safe='@:._-')}"
