"""Orphaned units (strays): units on the cluster that the Fleetfile does not declare. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fleetcaptain.errors import StrayUnits
from fleetcaptain.fleet.entities import UnitEntity
from fleetcaptain.units.mark import Mark, Ownership, is_auxiliary
from fleetcaptain.units.names import service_of

__all__ = [
    "POLICIES",
    "REMOVE_ONCE",
    "STRAYS_ARE_ERRORS",
    "StrayPolicy",
    "Strays",
    "find_departed",
    "find_strays",
    "refuse_named",
    "strays_error",
]

POLICIES = ("error", "warn", "ignore", "remove")
# Pulumi keeps what `-c` sets.
REMOVE_ONCE = "run `pulumi up -c fleetcaptain:strays=remove`, and afterwards `pulumi config rm fleetcaptain:strays`."
"""How to have strays removed by one deployment, as the end of a sentence."""


@dataclass(frozen=True)
class StrayPolicy:
    """What to do about strays: *action* is one of `POLICIES`; *names* are units without a mark to remove as well."""

    action: str = "error"
    names: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> StrayPolicy:
        """The policy in ``error``, ``warn``, ``ignore``, ``remove`` or ``remove:NAME,...``. Raises ValueError."""
        action, colon, listed = text.partition(":")
        names = frozenset(name.strip() for name in listed.split(",") if name.strip())
        if action not in POLICIES or (colon and (action != "remove" or not names)):
            allowed = ", ".join(POLICIES)
            raise ValueError(f"fleetcaptain:strays must be {allowed} or remove:NAME,..., not {text!r}")
        return cls(action, names)


STRAYS_ARE_ERRORS = StrayPolicy()


@dataclass(frozen=True)
class Strays:
    """Units that the Fleetfile does not declare, by name. *own* have our mark. *suspect* have no mark, but are
    plausibly ours. *unmarked* are all others without a mark, which presumably belong to others."""

    own: tuple[str, ...] = ()
    suspect: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()


def find_departed(
    units: Mapping[str, UnitEntity], ownership: Ownership, services: Collection[str], recorded: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Service -> its units, of the services that left the app: the stack deployed them, as releases (*recorded*, their
    services) say, and they are not among *services*, which are declared. A deployment removes them last."""
    found: dict[str, list[str]] = {}
    for name, unit in sorted(units.items()):
        mark = unit.mark
        if mark is None or unit.file.of_task or mark.service in services or mark.service not in recorded:
            continue
        if mark == Mark(ownership.app, ownership.stack, mark.service):
            found.setdefault(mark.service, []).append(name)
    return {service: tuple(names) for service, names in found.items()}


def find_strays(
    units: Mapping[str, UnitEntity], ownership: Ownership, services: Collection[str], *, own_cluster: bool
) -> Strays:
    """The strays among *units*; *services* are declared. Units of other apps and stacks, of tasks, units adopted by
    name, and those of a machine in maintenance are not strays.

    A unit without a mark is plausibly ours if the stack made the cluster (*own_cluster*), which has no units of others,
    or if it is named after one of *services*.
    """
    own: list[str] = []
    suspect: list[str] = []
    unmarked: list[str] = []
    for name, unit in sorted(units.items()):
        mark = unit.mark
        if mark is not None:
            # The gate of a deployment removes the units of runs that are over, and of undeclared periodic tasks.
            expected = mark.service in services or unit.file.of_task or is_auxiliary(mark)
            if ownership.owns(name, mark) and not expected:
                own.append(name)
        elif not ownership.owns(name, mark):
            (suspect if own_cluster or service_of(name) in services else unmarked).append(name)
    return Strays(tuple(own), tuple(suspect), tuple(unmarked))


def refuse_named(names: Collection[str], strays: Strays, units: Mapping[str, UnitEntity]) -> None:
    """Raise StrayUnits if one of *names*, which are to be removed, is on the cluster but not a stray."""
    removable = {*strays.own, *strays.suspect, *strays.unmarked}
    problems = []
    for name in sorted(set(names) & units.keys() - removable):
        mark = units[name].mark
        whose = f"service {mark.service} of the app {mark.app!r}, stack {mark.stack}" if mark else "adopted by name"
        problems.append(f"{name}: {whose}")
    if problems:
        advice = "Nothing was changed. Remove these names from `fleetcaptain:strays`."
        raise StrayUnits(
            "Cannot remove units that fleetcaptain:strays names: they are not strays.", [*problems, advice]
        )


def strays_error(strays: Strays, outcome: str) -> StrayUnits:
    """The error with each stray that is, or may be, ours, and what to do. *outcome*: what happens to them now."""
    advice = [f"Declare their services, or remove them: {REMOVE_ONCE}"]
    if strays.suspect:
        names = ",".join(strays.suspect)
        advice.append(f"Units without a mark are removed only by name: `-c fleetcaptain:strays=remove:{names}`.")
    listed = [*strays.own, *(f"{name} (without a mark)" for name in strays.suspect)]
    heading = "The cluster runs units that the Fleetfile does not declare:"
    return StrayUnits(heading, [*listed, f"{' '.join(advice)} {outcome}"])
