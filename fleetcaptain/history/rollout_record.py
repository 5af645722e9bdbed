"""The record of one rollout, as etcd keeps it: a small JSON document. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fleetcaptain.untrusted import ANY, NAME, WORD, Fields, Unreadable, json_object

__all__ = ["LONGEST", "OPERATIONS", "WITHOUT_TEXT", "InstanceRecord", "RolloutRecord", "State", "limited"]

OPERATIONS = frozenset({"restart", "scale", "rebalance", "maintenance", "backup", "restore", "bind"})
"""The strategies of rollouts between two deployments, which belong to no release."""
WITHOUT_TEXT = OPERATIONS | {"remove", "rename", "retire"}
"""The strategies of rollouts that deploy no text."""
# The limit of a record's JSON, in characters.
LONGEST = 16 * 1024
_ERROR_CHARS = 500
_FEWER_POINTS = 60
_LONGEST_SEC = 30 * 24 * 3600
_MOST_INSTANCES = 10_000
_TAG = re.compile(r"[A-Za-z0-9._/+@-]{0,255}")
_STATE = re.compile("[a-z]{1,20}")
_PAIR = 2


class State:
    """The states of an instance during a rollout.

    `OLD` serves with another text, `DRAINING` still answers but is out of discovery, `STOPPING` still runs its old
    text, `STOPPED` runs nothing, `STARTING` runs its text and is not in discovery yet, `READY` serves with the new
    text, `DONE` stayed healthy for the bake time, `FAILED` is what systemd says, and `REMOVED` has no unit any more.
    """

    OLD, DRAINING, STOPPING, STOPPED = "old", "draining", "stopping", "stopped"
    STARTING, READY, DONE, FAILED, REMOVED = "starting", "ready", "done", "failed", "removed"


@dataclass(frozen=True)
class InstanceRecord:
    """One instance: the address of its last *machine*, and its *states*, each with the second at which it began."""

    machine: str = ""
    states: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class RolloutRecord:
    """One rollout of a *service*: *who* began it, *since* and *until* when (ISO 8601, UTC), and how many *seconds* it
    took. It changed the units *before* to *to* (SHA1s of their texts) by a *strategy*, for a *release* (its tag).
    *rollback*: as `captain rollback` asked.

    *state*: ``done``, ``failed``, ``rolled back`` or ``interrupted``; *error*: the first line of its error. *wanted*:
    the number of instances that the service has to have. *serving*: how many served, each number with the second since
    which it held. Of a rollout whose process was killed only the beginning is known: *until* is "".
    """

    service: str
    who: str
    since: str
    before: tuple[str, ...]
    to: str
    state: str
    until: str = ""
    seconds: float = 0
    strategy: str = ""
    release: str = ""
    error: str = ""
    wanted: int = 0
    instances: Mapping[str, InstanceRecord] = field(default_factory=dict)
    serving: tuple[tuple[float, int], ...] = ()
    rollback: bool = False

    def to_data(self) -> dict[str, Any]:
        """The record as JSON data; etcd keeps it, and ``captain history --json`` prints it."""
        instances = {
            name: {"machine": one.machine, "states": [list(state) for state in one.states]}
            for name, one in self.instances.items()
        }
        return {
            "service": self.service,
            "who": self.who,
            "since": self.since,
            "until": self.until,
            "seconds": self.seconds,
            "from": list(self.before),
            "to": self.to,
            "release": self.release,
            "rollback": self.rollback,
            "strategy": self.strategy,
            "state": self.state,
            "error": self.error,
            "wanted": self.wanted,
            "instances": instances,
            "serving": [list(point) for point in self.serving],
        }

    def to_json(self) -> str:
        """The text kept in etcd."""
        return json.dumps(self.to_data(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> RolloutRecord:
        """Parse *text*. Raises Unreadable."""
        fields = json_object(text)
        instances = fields.fields("instances")
        return cls(
            service=fields.text("service", NAME),
            who=fields.text("who"),
            since=fields.text("since", WORD),
            before=fields.texts("from", WORD),
            to=fields.text("to", WORD),
            state=fields.text("state", WORD),
            until=fields.text("until", WORD, ""),
            seconds=_seconds(fields.get("seconds", 0)),
            strategy=fields.text("strategy", WORD, ""),
            release=fields.text("release", _TAG, ""),
            error=fields.text("error", ANY, ""),
            wanted=fields.number("wanted", 0, _MOST_INSTANCES),
            instances={_name(name): _instance(instances.fields(name)) for name in instances},
            serving=tuple((moment, _number(number)) for moment, number in _pairs(fields, "serving")),
            rollback=fields.flag("rollback"),
        )


def _instance(fields: Fields) -> InstanceRecord:
    states = tuple((moment, _state(state)) for moment, state in _pairs(fields, "states"))
    return InstanceRecord(fields.text("machine", WORD, ""), states)


def _pairs(fields: Fields, name: str) -> Iterator[tuple[float, Any]]:
    """The list *name* of (second, value), in the order of time."""
    found, last = fields.get(name, []), 0.0
    if not isinstance(found, list):
        raise Unreadable(f"{name} is not a list")
    for pair in found:
        if not isinstance(pair, list) or len(pair) != _PAIR or _seconds(pair[0]) < last:
            raise Unreadable(f"{name} is not a list of seconds, in order, and values")
        last = _seconds(pair[0])
        yield last, pair[1]


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LONGEST_SEC:
        raise Unreadable(f"a time is not a number from 0 to {_LONGEST_SEC}")
    return float(value)


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_INSTANCES:
        raise Unreadable(f"serving: a number is not an integer from 0 to {_MOST_INSTANCES}")
    return value


def _state(value: Any) -> str:
    if not isinstance(value, str) or not _STATE.fullmatch(value):
        raise Unreadable("a state is not a word")
    return value


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise Unreadable("an instance has a name that is not allowed")
    return name


def limited(record: RolloutRecord, longest: int = LONGEST) -> RolloutRecord:
    """*record*, small enough for etcd: first a long availability loses detail (never its lowest number), then each
    instance the states that it had more than once, then the record its last instances."""
    smaller = replace(
        record, error=(record.error.splitlines() or [""])[0][:_ERROR_CHARS], who=record.who[:_ERROR_CHARS]
    )
    if len(smaller.to_json()) > longest:
        smaller = replace(smaller, serving=_thinned(smaller.serving))
    if len(smaller.to_json()) > longest:
        smaller = replace(smaller, instances={name: _firsts(one) for name, one in smaller.instances.items()})
    names = list(smaller.instances)
    while names and len(smaller.to_json()) > longest:
        names = names[: len(names) * 3 // 4]
        smaller = replace(smaller, instances={name: smaller.instances[name] for name in names})
    return smaller


def _thinned(points: tuple[tuple[float, int], ...]) -> tuple[tuple[float, int], ...]:
    """About sixty of *points*: of each group of neighbours the lowest, and the last of all."""
    size = -(-len(points) // _FEWER_POINTS)
    groups = (points[first : first + size] for first in range(0, len(points), size))
    return tuple(dict.fromkeys((*(min(group, key=lambda point: point[1]) for group in groups), *points[-1:])))


def _firsts(instance: InstanceRecord) -> InstanceRecord:
    """*instance* with the first time of each state, and its last state."""
    firsts: dict[str, float] = {}
    for moment, state in instance.states[:-1]:
        firsts.setdefault(state, moment)
    kept = ((moment, state) for state, moment in firsts.items())
    return replace(instance, states=(*kept, *instance.states[-1:]))
