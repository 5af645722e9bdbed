"""Where the logs of a service are: the names of its units, and the machines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fleetcaptain.errors import NotAvailable
from fleetcaptain.fleet.entities import Machine, UnitEntity
from fleetcaptain.units.names import GENERATION_GLOB, name_parts, periodic_units, service_of, task_unit
from fleetcaptain.untrusted import NAME, is_address

__all__ = ["LogSources", "Selection", "guessed_sources", "sources_of"]

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Selection:
    """The *service* or task of which logs are shown, and one *instance* of it, "" for all: a number, or a machine's
    address or id."""

    service: str
    instance: str = ""

    @classmethod
    def parse(cls, text: str) -> Selection:
        """``SERVICE`` or ``SERVICE@N``. Raises ValueError."""
        service, at, instance = text.partition("@")
        if not _SERVICE.fullmatch(service) or (at and not NAME.fullmatch(instance)):
            raise ValueError(f"{text!r} must be SERVICE or SERVICE@INSTANCE, such as app_server@1")
        return cls(service, instance)


@dataclass(frozen=True)
class LogSources:
    """The *units* on the cluster, the *globs* that match units of before, and the *addresses* of the machines: all of
    them, since any may have run a unit. *guessed*: the units are not known, since fleet did not answer, or has none of
    a task that does not run."""

    units: tuple[str, ...]
    globs: tuple[str, ...]
    addresses: tuple[str, ...]
    guessed: bool = False

    def includes(self, units: Iterable[str]) -> bool:
        """Whether these units and globs match all *units*."""
        return all(any(fnmatchcase(unit, glob) for glob in (*self.units, *self.globs)) for unit in units)


def sources_of(
    selection: Selection,
    app: str,
    units: Iterable[UnitEntity],
    machines: Iterable[Machine],
    *,
    hosts: Iterable[str] = (),
    is_task: bool = False,
) -> LogSources:
    """The sources of *selection*. Raises NotAvailable when the app has no such service or instance. *is_task*: it is a
    task, although it may have no unit any more.

    *hosts* are the addresses that the connection names. A machine among them that fleet does not list may be lost, and
    may have run a unit; if fleet knows none of them, they are no machines' own addresses.
    """
    service, instance = selection.service, selection.instance
    ours = [unit for unit in units if unit.mark is not None and unit.mark.app == app]
    machines = [machine for machine in machines if machine.ip]
    found = [unit.name for unit in ours if unit.mark is not None and unit.mark.service == service]
    by_machine = [machine for machine in machines if instance in (machine.ip, machine.id)]
    if by_machine and not any(_number(name) == instance for name in found):
        # An instance of every machine.
        machines = by_machine
        found = [name for name in found if _number(name) in ("", by_machine[0].id)]
    elif instance:
        found = [name for name in found if _number(name) == instance]
    if not found and not (is_task and not instance):
        raise NotAvailable(_unknown(selection, ours))
    addresses = {machine.ip for machine in machines}
    named = {host for host in hosts if is_address(host)}
    if not by_machine and named & addresses:
        addresses |= named
    # journalctl refuses globs alone when they match nothing.
    names = tuple(sorted(found)) or periodic_units(service)[:1]
    return LogSources(names, _globs(selection), tuple(sorted(addresses)), guessed=not found)


def guessed_sources(selection: Selection, hosts: Iterable[str]) -> LogSources:
    """The sources of *selection* while fleet does not answer, on the machines with the addresses *hosts*: whatever
    their journals have of units with its names."""
    # journalctl refuses globs alone when they match nothing.
    units = (f"{selection.service}@{selection.instance or '1'}.service", f"{selection.service}.service")
    addresses = [host for host in hosts if is_address(host)]
    if is_address(selection.instance):
        addresses = [host for host in addresses if host == selection.instance]
    return LogSources(units, _globs(selection), tuple(sorted(set(addresses))), guessed=True)


def _globs(selection: Selection) -> tuple[str, ...]:
    service, instance = selection.service, selection.instance
    number = "*" if not instance or is_address(instance) else instance
    runs = () if instance else (periodic_units(service)[0], task_unit(service, "*"))
    return (f"{service}@{number}.service", f"{service}-{GENERATION_GLOB}@{number}.service", *runs)


def _number(name: str) -> str:
    return name_parts(name)[1]


def _unknown(selection: Selection, ours: Iterable[UnitEntity]) -> str:
    names = [unit.name for unit in ours]
    if any(service_of(name) == selection.service for name in names):
        there = sorted(_number(name) for name in names if service_of(name) == selection.service)
        return f"{selection.service} has no instance {selection.instance}. Its instances: {', '.join(there)}."
    services = sorted({unit.mark.service for unit in ours if unit.mark})
    return f"The app has no service {selection.service}. Its services: {', '.join(services) or 'none'}."
