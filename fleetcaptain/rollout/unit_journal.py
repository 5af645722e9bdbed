"""The journal of a unit, without what is normal: systemd's messages of each start and stop, and earlier runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fleetcaptain.printable import text_of

__all__ = ["JOURNAL_ENTRY", "last_run"]

JOURNAL_ENTRY = ("MESSAGE", "MESSAGE_ID", "JOB_RESULT", "INVOCATION_ID", "_SYSTEMD_INVOCATION_ID")
"""What `last_run` reads of each entry."""

_BYTES = range(256)
_FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
_NO_START = "be02cf6855d2428ba40df7e9d022f03d"
# systemd's catalogue: starting, started, stopping, stopped, ended, failed, a process exited, restart scheduled, and the
# resources that were consumed. An error has the reason and the exit code anyway.
_NORMAL = frozenset(
    {
        "7d4958e842da4a758f6c1cdc7b36dcc5",
        "39f53479d3a045ac8e11786248231fbf",
        "de5b426a63be47a7b6ac3eaac82e2f6f",
        "9d1aaa27d60140bd96365438aad20286",
        "7ad2d189f7e94e70a38c781354912448",
        "98e322203f7a4ed290d09fe03c09fe15",
        "5eb03494b6584870a536b337290809b3",
        "ae8f7b866b0347b9af31fe1c80b127c0",
        _FAILED,
    }
)


@dataclass(frozen=True)
class _Entry:
    message: str
    event: str = ""
    run: str = ""
    is_normal: bool = False


def last_run(journal: str) -> tuple[str, ...]:
    """The lines of a unit's last run, oldest first, and of the one before if that failed: systemd may have started the
    unit again. *journal* is journalctl's output, one JSON object a line; any other line stays as it is."""
    entries = [_entry(line) for line in journal.splitlines()]
    runs = list(dict.fromkeys(entry.run for entry in entries if entry.run))
    failed = {entry.run for entry in entries if entry.event == _FAILED}
    earlier = set(runs[:-1])
    if len(runs) > 1 and runs[-1] not in failed and runs[-2] in failed:
        earlier.discard(runs[-2])
    shown = [entry for entry in entries if entry.run not in earlier and not entry.is_normal]
    return tuple(line for entry in shown for line in entry.message.splitlines())


def _entry(line: str) -> _Entry:
    try:
        fields = json.loads(line)
    except ValueError:
        return _Entry(line)
    if not isinstance(fields, dict):
        return _Entry(line)
    event = str(fields.get("MESSAGE_ID", ""))
    is_normal = event in _NORMAL or (event == _NO_START and fields.get("JOB_RESULT") == "failed")
    run = str(fields.get("INVOCATION_ID") or fields.get("_SYSTEMD_INVOCATION_ID") or "")
    return _Entry(_message(fields.get("MESSAGE")), event, run, is_normal)


def _message(value: Any) -> str:
    """journalctl writes a text that is not UTF-8 as a list of bytes."""
    if isinstance(value, list):
        return text_of(bytes(byte for byte in value if byte in _BYTES))
    return value if isinstance(value, str) else ""
