"""Why a unit that is launched in fleet does not run: from systemd's facts and events to one clause. Pure.

systemd forgets how a unit ended, and the results of its conditions, once it is inactive and unreferenced (``systemctl
show`` then answers as if it had never run). Therefore this reads the journal, in which each of systemd's own messages
has an id (sd-messages.h).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fleetcaptain.units.binding import BINDING
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.untrusted import WORD, Unreadable, json_object

__all__ = ["JOURNAL_FIELDS", "PROPERTIES", "events_in", "why_it_stands_still"]

PROPERTIES = ("LoadState", "Job")
"""What `why_it_stands_still` reads from ``systemctl show``."""
JOURNAL_FIELDS = ("MESSAGE_ID", "JOB_RESULT")
"""What `events_in` reads from systemd's own messages in the journal."""

_EVENTS = {
    "7d4958e842da4a758f6c1cdc7b36dcc5": "starting",
    "39f53479d3a045ac8e11786248231fbf": "started",
    "de5b426a63be47a7b6ac3eaac82e2f6f": "stopped",
    "9d1aaa27d60140bd96365438aad20286": "stopped",
    "7ad2d189f7e94e70a38c781354912448": "ended",
    "0e4284a0caca4bfc81c0bb6786972673": "skipped",
}
# A start that failed without a process: its result is an event of its own.
_START_FAILED = "be02cf6855d2428ba40df7e9d022f03d"
_NEEDS = ("Requires", "Requisite", "BindsTo", "BindTo")
_RESULTS = {"dependency": "dependency", "assert": "assert"}


def events_in(journal: str) -> tuple[str, ...]:
    """The events of a unit, oldest first: ``starting``, ``started``, ``stopped``, ``ended``, ``skipped``,
    ``dependency``, ``assert``. *journal* is journalctl's output of systemd's messages, one JSON object a line; other
    lines are ignored."""
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


def why_it_stands_still(facts: Mapping[str, str], events: Iterable[str], file: UnitFile) -> str:
    """Why systemd does not run a unit with this *file*: a clause, and what to do. Empty if the reason is unknown.

    *facts*: the `PROPERTIES` that are known; *events*: see `events_in`.
    """
    return next(_reasons(facts, tuple(events), file), "")


def _reasons(facts: Mapping[str, str], events: tuple[str, ...], file: UnitFile) -> Iterator[str]:
    """All possible reasons, the most certain one first."""
    since_start = _since_last_start(events)
    needs, conditions = _lines(file, _NEEDS), _lines(file, ("Condition", "ExecCondition"))
    load = facts.get("LoadState", "loaded")
    if load != "loaded":
        yield f"systemd could not load its unit file ({load}); run `systemctl status` for it on that machine"
    if facts.get("Job", ""):
        yield "its start waits for another unit; `systemctl list-jobs` on that machine shows which"
    if "skipped" in since_start or (conditions and _is_skipped(events)):
        yield f"systemd skips its start, because a condition is not met{conditions}"
    if "assert" in since_start:
        yield f"systemd refuses its start, because an assertion is not met{_lines(file, ('Assert',))}"
    if "dependency" in since_start:
        yield f"a unit that it needs did not start{needs}"
    if "stopped" in since_start:
        bound = _lines(file, BINDING)
        yield "it was stopped on its machine" + (f", or with a unit that it is bound to{bound}" if bound else "")
    if "ended" in since_start:
        yield _ended(file)
    if facts and needs and not events:
        yield f"systemd never started it on that machine; a unit that it needs may be missing{needs}"


def _ended(file: UnitFile) -> str:
    restart = file.last("Restart") or "no"
    return (
        f"its command exited successfully, and Restart={restart} does not restart it. Remove Restart= if it must keep "
        'running; set service={"Type": "oneshot"} if it is a task that ends'
    )


def _since_last_start(events: tuple[str, ...]) -> tuple[str, ...]:
    """The events after the last start began. systemd does not log the beginning of an instantaneous start."""
    first = "starting" if "starting" in events else "started"
    last = len(events) - events[::-1].index(first) if first in events else 0
    after = [event for event in events[last:] if event != "started"]
    # A refused start did not begin, so earlier events do not matter.
    return tuple(after[-1:] if after and after[-1] in _RESULTS else after)


def _is_skipped(events: tuple[str, ...]) -> bool:
    """Whether a condition prevented the last start. systemd 252 logs such a start as done, and never as begun; the
    start of every unit with a registration takes time."""
    begun = "starting" in events
    since = events[len(events) - events[::-1].index("starting") :] if begun else events
    return since[-1:] == ("started",) and since.count("started") > begun


def _lines(file: UnitFile, beginnings: tuple[str, ...]) -> str:
    """The options of the unit whose names have one of *beginnings*, in brackets; "" if there are none."""
    found = [f"{option.name}={option.value}" for option in file.options if option.name.startswith(beginnings)]
    return f" ({', '.join(found)})" if found else ""
