"""Ownership of units: refuses to change units of another app or stack and units without a mark. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleet.entities import UnitEntity
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.units.mark import Mark, Ownership
from fleetcaptain.units.names import is_unit_name, service_of

__all__ = ["adoptable", "conflicting", "foreign", "parse_adopt", "refusals", "refuse_foreign", "renamed"]


def parse_adopt(text: str) -> frozenset[str]:
    """The stacks (``project/stack``) and names of units in *text*, with commas between them. Raises ValueError."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    for entry in entries:
        if "/" not in entry and not is_unit_name(entry):
            raise ValueError(
                f"fleetcaptain:adopt: {entry!r} is neither a stack (project/stack) nor a unit (name.service)"
            )
    return frozenset(entries)


def foreign(ownership: Ownership, names: Iterable[str], units: Mapping[str, UnitEntity]) -> list[str]:
    """The *names* of units with another owner."""
    return sorted(name for name in names if name in units and not ownership.owns(name, units[name].mark))


def conflicting(ownership: Ownership, units: Mapping[str, UnitEntity]) -> list[str]:
    """The units of this app that another stack deployed. They block a deployment whatever their names are: an app has
    one machine agent, one current release and one directory of registrations."""
    found = []
    for name, unit in units.items():
        mark = unit.mark
        if mark is not None and mark.app == ownership.app and not ownership.owns(name, mark):
            found.append(name)
    return sorted(found)


def refusals(ownership: Ownership, names: Iterable[str], units: Mapping[str, UnitEntity]) -> list[str]:
    """Why the units *names* of other owners are not changed, and what to do: one message for each owner."""
    by_owner: dict[tuple[str, str] | None, list[str]] = {}
    for name in sorted(set(names)):
        mark = units[name].mark
        by_owner.setdefault((mark.app, mark.stack) if mark else None, []).append(name)
    return [_refusal(ownership, owner, found) for owner, found in by_owner.items()]


def refuse_foreign(ownership: Ownership, target: Target, snapshot: Snapshot) -> None:
    """Raise UnitRefused if a unit with one of *target*'s names is not ours."""
    names = foreign(ownership, target.names, snapshot.units)
    if names:
        heading = f"Cannot deploy {target.service}: units with its names are not this stack's. Nothing was changed."
        raise UnitRefused(heading, refusals(ownership, names, snapshot.units))


def adoptable(ownership: Ownership, units: Mapping[str, UnitEntity]) -> dict[str, list[str]]:
    """Service -> the units that are adopted from another stack or, without a mark, by name."""
    found: dict[str, list[str]] = {}
    for name, unit in sorted(units.items()):
        if not ownership.owns(name, unit.mark) or _is_own(ownership, unit.mark):
            continue
        service = unit.mark.service if unit.mark else service_of(name)
        found.setdefault(service, []).append(name)
    return found


def _is_own(ownership: Ownership, mark: Mark | None) -> bool:
    return mark is not None and mark.stack == ownership.stack


def _refusal(ownership: Ownership, owner: tuple[str, str] | None, names: Collection[str]) -> str:
    listed = ", ".join(names)
    if owner is None:
        return (
            f"{listed}: without FleetCaptain's mark, so FleetCaptain did not deploy it. To replace it, adopt it by "
            f"name: `pulumi config set fleetcaptain:adopt {','.join(names)}`. To keep it, rename the service."
        )
    app, stack = owner
    if app == ownership.app:
        return (
            f"{listed}: deployed by the stack {stack} of this app. Deploy with that stack, or adopt its units: "
            f"`pulumi config set fleetcaptain:adopt {stack}`."
        )
    advice = "Rename the service in one of the two Fleetfiles."
    if stack == ownership.stack:
        advice = f"If it is another app: {advice} If the app was renamed: {renamed(app, ownership.app)}"
    return f"{listed}: of the app {app!r}, stack {stack}. {advice}"


def renamed(old: str, new: str) -> str:
    """What to do about an app that is named *new* in its Fleetfile and *old* on the cluster."""
    return (
        f'An app cannot be renamed in place. Set app="{old}" again. To deploy it as {new!r} instead, remove {old!r} '
        "first: run `pulumi destroy`, then deploy again. `pulumi destroy` also removes a cluster that the stack made, "
        "with all data on it."
    )
