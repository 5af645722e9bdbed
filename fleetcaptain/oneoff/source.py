"""Chooses what a one-off is started from: the service's unit text, and the machine. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from fleetcaptain.discovery.documents import Release
from fleetcaptain.errors import NotAvailable
from fleetcaptain.fleet.entities import Machine, UnitEntity
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.placement import candidates
from fleetcaptain.units.agent_calls import agent_name
from fleetcaptain.units.mark import is_auxiliary
from fleetcaptain.units.names import instance_names, name_parts
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import hash_of

__all__ = ["Source", "container_of", "instance_on", "release_hash", "released_text", "service_in", "source_of"]

_RUNNING = ("active", "reloading")


@dataclass(frozen=True)
class Source:
    """The *unit* whose place a one-off takes, its *file*, and the *machine*."""

    unit: str
    file: UnitFile
    machine: Machine


def service_in(name: str, app: str, stack: str, snapshot: Snapshot, tasks: Collection[str] = ()) -> str:
    """The service *name*; for "" the only one. *stack*: whose units count, "" for all. *tasks*: the app's tasks.

    Raises NotAvailable, with the names of the services; for a task, with what to do instead.
    """
    agent = agent_name(app)
    marks = {
        unit.mark
        for unit_name, unit in snapshot.units.items()
        if unit_name != agent and not unit.file.of_task and not is_auxiliary(unit.mark)
    }
    known = sorted({mark.service for mark in marks if mark and mark.app == app and stack in ("", mark.stack)})
    if name in known:
        return name
    if not name and len(known) == 1:
        return known[0]
    listed = ", ".join(known) or "none"
    if name in tasks:
        raise NotAvailable(
            f"Cannot run a command in {name}: it is a task of the app {app}, which has no container. Name a service "
            f"that has the same image, and the task's command after `--`. Services: {listed}."
        )
    why = f"has no service {name!r}" if name else "has several services" if known else "has no services"
    raise NotAvailable(f"Cannot choose the service: the app {app} {why}. Name one of its services: {listed}.")


def source_of(
    app: str,
    stack: str,
    service: str,
    snapshot: Snapshot,
    heard: Collection[str],
    *,
    current: str = "",
    released: UnitFile | None = None,
    machine: Machine | None = None,
) -> Source:
    """Where a one-off of *service* runs, and with which text: *released*, else that with the hash *current* if a unit
    has it, else a running one's.

    Without *machine* it is one that runs the service, else one of those in *heard* (ids of machines with a heartbeat)
    that the unit admits. Raises NotAvailable when there is none.
    """
    units = _units(app, stack, service, snapshot)
    running = [unit for unit in units if _machine_of(unit, snapshot)]
    placed = [unit for unit in running if machine is None or unit.machine_id == machine.id]
    best = sorted(placed, key=lambda unit: (unit.unit_hash != current, unit.name not in snapshot.registrations))
    texts = sorted(units, key=lambda unit: (unit.unit_hash != current, unit not in running))
    file = released or (best or texts)[0].file
    if machine is None and not best:
        name = texts[0].name if texts else instance_names(service, 1)[0]
        fitting = candidates([file.needs(name)], sorted(snapshot.machines.values(), key=lambda found: found.ip))
        machine = next((found for found in fitting if found.id in heard), None)
        if machine is None:
            raise NotAvailable(
                f"No machine can run a one-off of {service}: the service runs on none, and no other that it may run on "
                "has a heartbeat. Check the machines with `captain doctor`, or choose one with --machine."
            )
    unit = best[0].name if best else texts[0].name if texts else instance_names(service, 1)[0]
    return Source(unit, file, machine or snapshot.machines[best[0].machine_id or ""])


def instance_on(app: str, stack: str, service: str, number: str, snapshot: Snapshot) -> tuple[str, Machine]:
    """The running unit of *service* to attach to, and its machine: the instance *number*, for "" the first one.

    Raises NotAvailable.
    """
    found = {unit.name: _machine_of(unit, snapshot) for unit in _units(app, stack, service, snapshot)}
    running = {name: machine for name, machine in sorted(found.items()) if machine}
    for name, machine in running.items():
        if number in ("", name_parts(name)[1]):
            return name, machine
    which = f"{service}@{number}" if number else service
    listed = ", ".join(running) or "none"
    raise NotAvailable(f"{which} has no running instance. Running instances of {service}: {listed}.")


def container_of(app: str, unit: str) -> str:
    """The name of the container of *unit*; see `units.docker.container_name`."""
    prefix, instance, _ = name_parts(unit)
    return f"fc.{app}.{prefix}.{instance}"


def released_text(tag: str, service: str, release: Release | None, text: str | None) -> UnitFile:
    """The file of *service* in the *release* with this *tag*, whose *text* etcd keeps. Raises NotAvailable."""
    if text is None or hash_of(text) != release_hash(tag, service, release):
        raise NotAvailable(
            f"The text of {service} in the release {tag} is not in etcd any more, or was changed there. Choose another "
            "release of `captain releases`."
        )
    return UnitFile.parse(text)


def release_hash(tag: str, service: str, release: Release | None) -> str:
    """The hash of *service*'s text in the *release* with this *tag*. Raises NotAvailable when there is no such release,
    or it has no such service."""
    if release is None:
        raise NotAvailable(f"There is no release {tag!r}. `captain releases` lists the releases.")
    if service not in release.services:
        raise NotAvailable(f"The release {tag} has no service {service!r}, only {', '.join(sorted(release.services))}.")
    return release.services[service].unit_hash


def _units(app: str, stack: str, service: str, snapshot: Snapshot) -> list[UnitEntity]:
    units = (unit for _, unit in sorted(snapshot.units.items()))
    return [
        unit
        for unit in units
        if (mark := unit.mark) and (mark.app, mark.service) == (app, service) and stack in ("", mark.stack)
    ]


def _machine_of(unit: UnitEntity, snapshot: Snapshot) -> Machine | None:
    """The machine on which *unit* runs, by systemd's state there; a registration counts while fleet has no state."""
    states = [state for state in snapshot.states if state.name == unit.name and state.machine_id == unit.machine_id]
    if not any(state.active in _RUNNING for state in states) and unit.name not in {
        entry.unit for entry in snapshot.live
    }:
        return None
    return snapshot.machines.get(unit.machine_id or "")
