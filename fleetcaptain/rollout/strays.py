"""Units that run on the cluster though no Fleetfile declares them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fleetcaptain.errors import StrayUnits
from fleetcaptain.fleet.values import FleetUnit

__all__ = ["POLICIES", "strays", "strays_error"]

POLICIES = ("error", "warn", "ignore", "remove")


def strays(units: Iterable[FleetUnit], app: str, stack: str, services: Collection[str]) -> tuple[str, ...]:
    """The names of the units that are neither another app's nor one of *services*.

    A unit without a mark belongs to nobody, so it is a stray too.
    """
    found = []
    for unit in units:
        mark = unit.mark
        ours = mark is not None and (mark.app, mark.stack) == (app, stack)
        if mark is None or (ours and mark.service not in services):
            found.append(unit.name)
    return tuple(sorted(found))


def strays_error(names: Collection[str]) -> StrayUnits:
    """The error that names each stray and says what can be done."""
    return StrayUnits(
        "Units run on the cluster that the Fleetfile does not declare:",
        [
            *sorted(names),
            "Declare them, remove them with `fleetctl destroy`, or say what to do with them: "
            "`pulumi config set fleetcaptain:strays remove` (or warn, ignore). Nothing was changed.",
        ],
    )
