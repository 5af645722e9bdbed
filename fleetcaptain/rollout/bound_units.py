"""Bound units: systemd stops them together with an instance, and fleet does not start them again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.units.binding import bound_to
from fleetcaptain.units.mark import Ownership

__all__ = ["BoundUnit", "missing", "next_state", "running_bound_units"]

# States are reported some seconds late, and a start may fail until its dependencies run.
_PATIENCE_SEC = 15.0


@dataclass(frozen=True)
class BoundUnit:
    """A unit that ran with the text *unit_hash* (SHA1) when the instance that it is bound to was stopped. *parent*:
    the instance, or the bound unit between the two."""

    name: str
    unit_hash: str
    parent: str


def running_bound_units(name: str, service: str, ownership: Ownership, snapshot: Snapshot) -> tuple[BoundUnit, ...]:
    """The stack's units of other services than *service* that run, and that systemd stops with the unit *name*."""
    ours = {
        other: unit
        for other, unit in snapshot.units.items()
        if unit.mark is not None and ownership.owns(other, unit.mark) and unit.mark.service != service
    }
    if name not in snapshot.units:
        return ()
    machine = snapshot.units[name].machine_id
    found = bound_to(name, ((other, unit.file.options) for other, unit in ours.items() if unit.machine_id == machine))
    return tuple(
        BoundUnit(other, ours[other].unit_hash, parent) for other, parent in found if observe(other, snapshot).serving
    )


def missing(bound: Iterable[BoundUnit], ownership: Ownership, snapshot: Snapshot) -> tuple[Instance, ...]:
    """The units of *bound* that do not run again, parents first. A unit whose text has changed since belongs to another
    rollout; a unit whose parent does not run follows when the parent runs."""
    found: list[Instance] = []
    down: set[str] = set()
    for unit in bound:
        there = snapshot.units.get(unit.name)
        if there is None or there.unit_hash != unit.unit_hash or not ownership.owns(unit.name, there.mark):
            continue
        instance = observe(unit.name, snapshot)
        if instance.serving:
            continue
        if unit.parent not in down:
            found.append(instance)
        down.add(unit.name)
    return tuple(found)


def next_state(instance: Instance, requested_at: float, now: float) -> DesiredState | None:
    """The state to request from fleet so that a missing *instance* runs again; None: wait. *requested_at* is the second
    of the last request. fleet starts a unit only after it has seen it stopped."""
    if instance.desired != DesiredState.LAUNCHED:
        return DesiredState.LAUNCHED if instance.stopped else None
    if (instance.halted or instance.active == "failed") and now - requested_at >= _PATIENCE_SEC:
        return DesiredState.LOADED
    return None
