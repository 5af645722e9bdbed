"""What an update will do to a service: how many instances serve at least, and how long it takes by earlier rollouts.
Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from fleetcaptain.history.duration import format_duration
from fleetcaptain.history.rollout_record import InstanceRecord, RolloutRecord, State
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.model import parallel
from fleetcaptain.rollout.targets import PROVEN_SEC, displaced, one_first

__all__ = ["ExpectedUpdate", "expected_sec", "expected_update", "format_expected", "lowest", "waves"]

_LAST = 3
_ROUNDED_FROM_SEC, _STEP_SEC = 30, 5
_BEGUN = (State.STOPPING, State.STOPPED, State.STARTING)


@dataclass(frozen=True)
class ExpectedUpdate:
    """An update of a *service* in its *mode*, from so many instances *before* to so many *after*, at most *at_once* at
    a time. *replaced*: each instance gets another text. *down_first*: the old units are removed before the new ones
    start. *repaired*: what is not as it should be. *former*: the service that it replaces by a rename. *one_first*: old
    instances go one by one before the new ones with other names start, not after them. *saved_sec*: by so much the
    bake of each instance is shorter than in the recorded rollouts."""

    service: str
    mode: Mode
    before: int
    after: int
    at_once: int
    replaced: bool
    down_first: bool = False
    repaired: str = ""
    former: str = ""
    one_first: bool = False
    saved_sec: float = 0


def expected_update(
    olds: Mapping[str, Any], news: Mapping[str, Any], *, rollback: bool = False
) -> ExpectedUpdate | None:
    """The update of a ``FleetUnit`` from the outputs *olds* to the inputs *news*, as part of a *rollback* or not; None
    if it changes no instance. An image that is not known yet counts as another one."""
    mode = Mode(news["mode"])
    former = olds["service"] if olds["service"] != news["service"] else ""
    replaced = bool(former) or any(olds.get(key) != news.get(key) for key in ("unit", "image", "secrets", "mode"))
    repaired = "" if olds.get("state") == news["state"] else str(olds.get("state", ""))
    per_machine = mode in (Mode.PER_MACHINE, Mode.FLEET_GLOBAL)
    before = len(olds.get("units", ())) if per_machine or olds.get("mode") != mode else int(olds.get("instances", 0))
    if mode is Mode.FLEET_GLOBAL:
        before = len(olds.get("machines", ()))
    after = before if per_machine else int(news["instances"])
    if not replaced and not repaired and before == after:
        return None
    at_once = parallel(news["rollout"].get("max_parallel", 1), max(1, after))
    down_first, in_turn = not former and displaced(olds, news), bool(one_first(olds, news))
    saved_sec = max(0.0, news["rollout"].get("min_healthy_sec", 0) - PROVEN_SEC) if rollback else 0
    return ExpectedUpdate(
        news["service"], mode, before, after, at_once, replaced, down_first, repaired, former, in_turn, saved_sec
    )


def lowest(update: ExpectedUpdate) -> int:
    """The fewest instances that serve during *update*, if none fails."""
    if update.down_first or update.mode is Mode.FLEET_GLOBAL:
        return 0
    stay = min(update.before, update.after)
    if not update.replaced:
        return stay
    if not update.one_first and (update.mode is Mode.BLUE_GREEN or update.former):
        return stay
    return max(0, min(update.before - update.at_once, update.after))


def waves(update: ExpectedUpdate, begun: int) -> int:
    """In how many waves *begun* instances start: the first one alone, then as many at a time as allowed."""
    beside = update.mode is Mode.BLUE_GREEN and not update.one_first
    return 1 if beside or update.mode is Mode.FLEET_GLOBAL or begun <= 1 else 1 + -(-(begun - 1) // update.at_once)


def expected_sec(update: ExpectedUpdate, records: Sequence[RolloutRecord]) -> tuple[float, int]:
    """How many seconds *update* takes by the last three of *records*, which are its service's, the oldest first; and by
    how many of them. Only updates that started instances and succeeded count, each scaled to the waves. A first version
    does not: it starts everywhere at once, on machines without its image. Nor does a rollback, whose bake is short."""
    begun = update.after if update.replaced else max(1, update.after - update.before)
    now = waves(update, begun)
    found = []
    for record in records:
        number = sum(map(_was_begun, record.instances.values()))
        counts = record.state == "done" and record.strategy == update.mode and record.before and not record.rollback
        if counts and number:
            took = record.seconds * now / waves(update, number)
            found.append(max(took - now * update.saved_sec, min(took, now * PROVEN_SEC)))
    last = found[-_LAST:]
    return (median(last) if last else 0.0), len(last)


def _was_begun(instance: InstanceRecord) -> bool:
    """Whether the rollout started *instance*: it was not ready from the beginning."""
    first = instance.states[:1]
    return any(state in _BEGUN for _, state in instance.states) or any(
        state == State.READY and (at > 0 or first != ((at, state),)) for at, state in instance.states
    )


def format_expected(update: ExpectedUpdate, records: Sequence[RolloutRecord]) -> str:
    """One sentence: what happens to the service, how many instances serve at least, and the expected duration."""
    seconds, number = expected_sec(update, records)
    if number:
        rounded = seconds if seconds < _ROUNDED_FROM_SEC else round(seconds / _STEP_SEC) * _STEP_SEC
        last = "last rollout" if number == 1 else f"last {number} rollouts"
        took = f"about {format_duration(rounded)} ({last})"
    else:
        took = "no record yet of how long it takes"
    name = f"{update.service} replaces {update.former}" if update.former else update.service
    return f"{name}: {_what(update)}; {took}"


def _what(update: ExpectedUpdate) -> str:
    units = "1 instance" if update.after == 1 else f"{update.after} instances"
    if update.mode is Mode.FLEET_GLOBAL:
        return f"replaced on {update.after} machines at once"
    if not update.replaced:
        return _resized(update)
    if update.down_first:
        return f"{units}, after all old ones are removed: none serves meanwhile"
    serve = f"never fewer than {lowest(update)} of {update.before} serve"
    if update.mode is Mode.BLUE_GREEN and not update.one_first:
        return f"{units}, started beside the old, {serve}"
    if not lowest(update):
        how = "started after an old one is removed" if update.one_first else "replaced in place"
        return f"{units}, {how}: none serves meanwhile"
    pace = "one at a time" if update.at_once == 1 else f"the first one alone, then {update.at_once} at a time"
    if update.one_first or update.former:
        pace += f", {'after' if update.one_first else 'before'} an old one is removed"
    return f"{units}, {pace}, {serve}"


def _resized(update: ExpectedUpdate) -> str:
    if update.after > update.before:
        return f"{update.after - update.before} more, the {update.before} present ones stay"
    if update.after < update.before:
        return f"{update.before - update.after} fewer, {update.after} stay"
    return f"started again where it does not run ({update.repaired})"
