"""What a deployment of a Fleetfile changes on a cluster, service by service. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from fleetcaptain.mode import Mode
from fleetcaptain.release.service_release import Part
from fleetcaptain.rollout.expected_duration import ExpectedUpdate, expected_update
from fleetcaptain.rollout.observe import LAUNCHED, Snapshot, instances_of, live
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["ServiceChange", "planned"]

_CONTEXT_LINES = 1


@dataclass(frozen=True)
class ServiceChange:
    """What happens to a *service*: the *update* of its units, None if nothing changes; *is_new*, with so many
    *instances*, which replace those of the service *replaces* if that is not ""; *windows_change*: it gets another plan
    of its windows, because they change or the plan ends too early; and the *lines* of its unit that change, as in a
    unified diff."""

    service: str
    instances: int
    update: ExpectedUpdate | None = None
    is_new: bool = False
    replaces: str = ""
    windows_change: bool = False
    lines: tuple[str, ...] = ()


def planned(parts: Iterable[Part], ownership: Ownership, snapshot: Snapshot, now: float) -> tuple[ServiceChange, ...]:
    """The change of each of *parts* at *now* (seconds of the Unix clock). Images and secrets count as the deployed
    ones: only a build knows other images, and only the configuration other secrets."""
    return tuple(_change(part, ownership, snapshot, now) for part in parts)


def _change(part: Part, ownership: Ownership, snapshot: Snapshot, now: float) -> ServiceChange:
    present = instances_of(ownership, part.service, snapshot)
    deployed = snapshot.units[present[0]].file if present else UnitFile(())
    image = deployed.without_image()[1]
    # A secret that is new has no digest yet.
    unit = part.unit.with_image(image).with_secrets(dict.fromkeys(part.unit.secret_names, "") | deployed.secrets)
    found = live(ownership, part.service, unit.unit_hash, snapshot)
    if found is None:
        former = part.renamed_from if instances_of(ownership, part.renamed_from, snapshot) else ""
        windows = bool(part.windows)
        return ServiceChange(part.service, part.instances, is_new=True, replaces=former, windows_change=windows)
    old, _ = found.file.bare()
    shared = {"service": part.service, "image": image, "rollout": part.rollout}
    counted = part.mode in (Mode.ROLLING, Mode.BLUE_GREEN)
    olds = {
        **shared,
        "unit": old.text,
        "mode": part.mode,
        "instances": found.instances,
        "state": found.state,
        "units": found.names,
        "machines": found.machines,
    }
    instances = part.instances if counted else found.instances
    news = {**shared, "unit": part.unit.text, "mode": part.mode, "instances": instances, "state": LAUNCHED}
    diff = difflib.unified_diff(old.text.splitlines(), part.unit.text.splitlines(), n=_CONTEXT_LINES, lineterm="")
    lines = tuple(line for line in diff if not line.startswith(("---", "+++")))
    plan = snapshot.window_plan(part.service)
    windows_change = bool(part.windows) if plan is None else not plan.follows(part.windows, int(now))
    update = expected_update(olds, news)
    return ServiceChange(part.service, instances, update, windows_change=windows_change, lines=lines)
