"""What really happened for the windows: the changes of a plan against the events that the agents recorded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

from fleetcaptain.schedule.forecast import Change
from fleetcaptain.schedule.window_event import DEPLOYMENT, WindowEvent

__all__ = ["RESPONSE_SEC", "Outcome", "Result", "levels_of", "outcomes"]

RESPONSE_SEC = 120
"""How long after the moment of a change an agent acts at the latest: the next evaluation, and a minute until another
agent takes over."""


class Result(StrEnum):
    """How a change ended."""

    READY = "ready"
    """All instances were ready by ``ready_by``."""
    LATE = "late"
    """They were ready after it."""
    NOT_READY = "not ready"
    """They are not, and ``ready_by`` is over."""
    OPENING = "opening"
    """They start, or an agent is about to start them, and ``ready_by`` is ahead."""
    OPEN = "open"
    """They ran before, or a deployment inside of the window started them."""
    MISSED = "missed"
    """No agent opened the window by its ``ready_by``, or closed it within `RESPONSE_SEC`."""
    CLOSING = "closing"
    """An agent is about to stop them."""
    CLOSED = "closed"
    """An agent began to stop them."""


_BAD = frozenset({Result.LATE, Result.NOT_READY, Result.MISSED})


@dataclass(frozen=True)
class Outcome:
    """What happened to the planned *change*, by which *event*, None if there was none. *result*: how it ended.
    *margin_sec*: of an opening that is ready, the seconds from then to ``ready_by``, negative if it was late; of a
    closing the seconds from its planned moment to what happened; else None."""

    change: Change
    event: WindowEvent | None
    result: Result
    margin_sec: int | None = None

    @property
    def is_bad(self) -> bool:
        """Whether instances were missing, or ran on."""
        return self.result in _BAD

    @property
    def at(self) -> int:
        """When it happened, or should have happened."""
        return self.event.at if self.event else self.change.at


def outcomes(
    planned: Sequence[Change],
    events: Sequence[WindowEvent],
    start: int,
    now: int,
    *,
    service: str,
    base: int,
    timezone: str,
) -> tuple[Outcome, ...]:
    """What happened to a *service* with *base* instances from *start* to *now*, in the order of time: each of the
    changes that were *planned* then, and each event that belongs to none of them, because the plan is newer; its times
    are in *timezone*. An event that changes the number for no window is left out."""
    # The next change ends the time in which an event can belong to one.
    ends = [*(change.at for change in planned[1:]), now + 1][: len(planned)]
    left = sorted(events, key=attrgetter("at"))
    found = []
    for change, end in zip(planned, ends, strict=True):
        event = next((one for one in left if _belongs(one, change, end)), None)
        if event is not None:
            left.remove(event)
        level = _level(events, change.at, base)
        if event is not None or change.opens or level > change.after:
            found.append(_outcome(change, event, now, level))
    for event in left:
        is_closing = event.after < event.before and event.by != DEPLOYMENT
        if (event.due or is_closing) and start <= event.at <= now:
            change = Change(event.at, service, event.before, event.after, (), event.due, timezone)
            found.append(_outcome(change, event, now, event.before))
    return tuple(sorted(found, key=attrgetter("at")))


def _belongs(event: WindowEvent, change: Change, end: int) -> bool:
    if change.opens:
        is_due = event.due == change.ready_by and event.after > event.before
        # A deployment inside of the window has the number that the window needs, too.
        return is_due or (change.at <= event.at < end and event.after >= change.after)
    return change.at <= event.at < end and event.after < event.before


def _level(events: Sequence[WindowEvent], at: int, base: int) -> int:
    """How many instances ran before *at*, as far as the events say."""
    earlier = [event for event in events if event.at < at]
    return max(earlier, key=attrgetter("at")).after if earlier else base


def _outcome(change: Change, event: WindowEvent | None, now: int, level: int) -> Outcome:
    """*level*: how many instances ran before."""
    if change.opens:
        return _opened(change, event, now) if event else _not_opened(change, now, level)
    if event is not None:
        return Outcome(change, event, Result.CLOSED, event.at - change.at)
    return Outcome(change, None, Result.CLOSING if now <= change.at + RESPONSE_SEC else Result.MISSED)


def _opened(change: Change, event: WindowEvent, now: int) -> Outcome:
    if event.by == DEPLOYMENT and event.at > change.ready_by:
        return Outcome(change, event, Result.OPEN)
    if event.ready is None:
        return Outcome(change, event, Result.NOT_READY if now > change.ready_by else Result.OPENING)
    margin = change.ready_by - event.ready
    return Outcome(change, event, Result.READY if margin >= 0 else Result.LATE, margin)


def _not_opened(change: Change, now: int, level: int) -> Outcome:
    if level >= change.after:
        return Outcome(change, None, Result.OPEN)
    return Outcome(change, None, Result.MISSED if now > change.ready_by else Result.OPENING)


def levels_of(events: Sequence[WindowEvent], start: int, now: int, level: int) -> tuple[tuple[int, int], ...]:
    """How many instances were in discovery from *start* to *now*: (second, number) for each change, the first at
    *start*. An opening counts from when all its instances were ready, a closing from its beginning. *level*: how many
    ran if no event says so."""
    later = sorted((event for event in events if start < event.at <= now), key=attrgetter("at"))
    points = [(start, _level(events, start + 1, later[0].before if later else level))]
    for event in later:
        at = event.at if event.after < event.before else event.ready
        if at is not None and at <= now:
            points.append((at, event.after))
    return tuple(sorted(points, key=lambda point: point[0]))
