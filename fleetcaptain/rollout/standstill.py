"""Why a unit stands still that fleet takes for launched: from what its machine says of it to one clause. Pure.

systemd forgets how a unit ended once it is inactive and nothing refers to it. So the journal is read too, in which
each of systemd's own messages has an id (sd-messages.h).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fleetcaptain.units.bound import BINDING
from fleetcaptain.units.task import last_value
from fleetcaptain.units.text import Option
from fleetcaptain.untrusted import WORD, Unreadable, json_object

__all__ = ["JOURNAL_FIELDS", "PROPERTIES", "events_in", "why_it_stands_still"]

PROPERTIES = (
    "LoadState",
    "Job",
    "ConditionResult",
    "ConditionTimestampMonotonic",
    "AssertResult",
    "AssertTimestampMonotonic",
)
"""What `why_it_stands_still` takes from ``systemctl show``."""
JOURNAL_FIELDS = ("MESSAGE_ID", "JOB_RESULT")
"""What `events_in` takes from systemd's own messages in the journal."""

_STARTING, _STARTED = "7d4958e842da4a758f6c1cdc7b36dcc5", "39f53479d3a045ac8e11786248231fbf"
_STOPPING, _STOPPED = "de5b426a63be47a7b6ac3eaac82e2f6f", "9d1aaa27d60140bd96365438aad20286"
_EVENTS = {
    _STARTING: "started",
    _STARTED: "started",
    _STOPPING: "stopped",
    _STOPPED: "stopped",
    "7ad2d189f7e94e70a38c781354912448": "ended",
    "0e4284a0caca4bfc81c0bb6786972673": "skipped",
}
# A start that failed without a process: its result is an event of its own.
_START_FAILED = "be02cf6855d2428ba40df7e9d022f03d"
_NEEDS = ("Requires", "Requisite", "BindsTo", "BindTo")
_RESULTS = {"dependency": "dependency", "assert": "assert"}


def events_in(journal: str) -> tuple[str, ...]:
    """What happened to a unit, oldest first: ``started``, ``stopped``, ``ended``, ``skipped``, ``dependency``,
    ``assert``. *journal* is what journalctl prints of systemd's messages, one JSON object a line; all else is
    ignored."""
    found = []
    for line in journal.splitlines():
        try:
            fields = json_object(line)
            id_, result = fields.text("MESSAGE_ID", WORD, ""), fields.text("JOB_RESULT", WORD, "")
        except Unreadable:
            continue
        event = _RESULTS.get(result) if id_ == _START_FAILED else _EVENTS.get(id_)
        if event:
            found.append(event)
    return tuple(found)


def why_it_stands_still(facts: Mapping[str, str], events: Iterable[str], options: Iterable[Option]) -> str:
    """Why systemd runs nothing of a unit with these *options*: a clause, and what to do. Empty when nothing tells.

    *facts*: the `PROPERTIES` that are known; *events*: see `events_in`.
    """
    return next(_reasons(facts, _since_last_start(events), tuple(options)), "")


def _reasons(facts: Mapping[str, str], since_start: tuple[str, ...], options: tuple[Option, ...]) -> Iterator[str]:
    """Every reason there is, the most certain one first."""
    load = facts.get("LoadState", "loaded")
    if load != "loaded":
        yield f"systemd could not load its unit file ({load}); run `systemctl status` for it on that machine"
    if facts.get("Job", "0") not in ("", "0"):
        yield "its start waits for another unit; `systemctl list-jobs` on that machine shows which"
    if "skipped" in since_start or _unmet(facts, "Condition"):
        yield f"systemd skips its start, as a condition of the unit does not hold{_listed(options, 'Condition')}"
    if "assert" in since_start or _unmet(facts, "Assert"):
        yield f"systemd refuses its start, as an assertion of the unit does not hold{_listed(options, 'Assert')}"
    if "dependency" in since_start:
        yield f"a unit that it needs did not start{_in_brackets(_of_unit(options, _NEEDS))}"
    if "stopped" in since_start:
        bound = _of_unit(options, BINDING)
        together = f", or systemd stopped it with a unit that it is bound to{_in_brackets(bound)}"
        yield "it was stopped on its machine" + (together if bound else "")
    if "ended" in since_start:
        yield _ended(options)


def _ended(options: tuple[Option, ...]) -> str:
    restart = last_value(options, "Restart") or "no"
    return (
        f"its command ended well, and Restart={restart} does not start it again. Remove Restart= if it must keep "
        'running; set service={"Type": "oneshot"} if it is a task that ends'
    )


def _since_last_start(events: Iterable[str]) -> tuple[str, ...]:
    """The events after the last start that took place. One that was skipped or refused is such an event itself."""
    found: list[str] = []
    for event in events:
        if event == "started":
            found.clear()
        else:
            found.append(event)
    # What ended a start that did not take place came last: whatever happened before is history.
    return tuple(found[-1:]) if found and found[-1] in ("skipped", "dependency", "assert") else tuple(found)


def _unmet(facts: Mapping[str, str], kind: str) -> bool:
    """systemd says "no" too where it has not looked yet."""
    return facts.get(f"{kind}Result") == "no" and facts.get(f"{kind}TimestampMonotonic", "0") != "0"


def _listed(options: tuple[Option, ...], kind: str) -> str:
    names = tuple(option.name for option in options if option.section == "Unit" and option.name.startswith(kind))
    return _in_brackets(_of_unit(options, names))


def _of_unit(options: tuple[Option, ...], names: Iterable[str]) -> list[str]:
    wanted = set(names)
    return [f"{option.name}={option.value}" for option in options if option.section == "Unit" and option.name in wanted]


def _in_brackets(lines: list[str]) -> str:
    return f" ({', '.join(lines)})" if lines else ""
