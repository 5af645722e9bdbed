"""The two units of a periodic task, and their observed state. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.observe import Snapshot, observe, owned_files
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.names import periodic_units
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["INSTALLED", "PeriodicPair", "pair_state", "pairs_on", "tasks_on"]

INSTALLED = "installed"
"""The state of a pair whose timer waits for its next moment."""


@dataclass(frozen=True)
class PeriodicPair:
    """The files of the periodic task *name*: the *service* with its image, and the *timer* that starts it."""

    name: str
    service: UnitFile
    timer: UnitFile

    @property
    def units(self) -> tuple[str, str]:
        """The names of both units, the service's first."""
        return periodic_units(self.name)


def tasks_on(ownership: Ownership, snapshot: Snapshot) -> tuple[str, ...]:
    """The periodic tasks of which *ownership* has a unit on the cluster."""
    return tuple(sorted({file.periodic for file in owned_files(ownership, snapshot).values() if file.periodic}))


def pairs_on(ownership: Ownership, snapshot: Snapshot) -> tuple[PeriodicPair, ...]:
    """The pairs that *ownership* has on the cluster, whole ones only."""
    own, found = owned_files(ownership, snapshot), []
    for task in tasks_on(ownership, snapshot):
        service, timer = periodic_units(task)
        if service in own and timer in own:
            found.append(PeriodicPair(task, own[service], own[timer]))
    return tuple(found)


def pair_state(pair: PeriodicPair, snapshot: Snapshot) -> str:
    """`INSTALLED`, or what differs from that. A machine that died, and a state that fleet does not show for a while
    after a move, is no difference."""
    found = []
    for name, file, desired in _wanted(pair):
        instance = observe(name, snapshot)
        if instance.unit_hash is None:
            found.append(f"{name} is missing")
        elif instance.unit_hash != file.unit_hash:
            found.append(f"{name} has another text")
        elif instance.desired != desired:
            found.append(f"{name} is {instance.desired}")
    timer = observe(pair.units[1], snapshot)
    if not found and timer.running == pair.timer.unit_hash and timer.active != "active":
        found.append(f"{timer.name} is {timer.active}")
    return ", ".join(found) or INSTALLED


def _wanted(pair: PeriodicPair) -> tuple[tuple[str, UnitFile, DesiredState], ...]:
    """fleet keeps a loaded unit on its machine without a start."""
    service, timer = pair.units
    return (service, pair.service, DesiredState.LOADED), (timer, pair.timer, DesiredState.LAUNCHED)
