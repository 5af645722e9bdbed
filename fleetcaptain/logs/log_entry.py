"""One entry of a machine's journal, from the line of JSON that journalctl prints. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleetcaptain.printable import text_of

__all__ = ["FIELDS", "LogEntry", "as_json", "entry_of", "label_of"]

FIELDS = ("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "UNIT", "_PID")
"""The fields of an entry that are read, apart from its address and its time."""

_SYSTEMD = "1"  # its process
_TIME = re.compile("[0-9]{1,16}")
_MACHINE_ID = re.compile("[0-9a-f]{32}")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_BYTES = range(256)


@dataclass(frozen=True)
class LogEntry:
    """A *message* of *unit* on the machine with *address*, at *time_us* (microseconds since 1970, by the machine's
    clock). *priority* is syslog's, 0 to 7, *cursor* the entry's place in that machine's journal. *by_systemd*: systemd
    says it of the unit."""

    time_us: int
    address: str
    unit: str
    message: str
    priority: int = 6
    cursor: str = ""
    by_systemd: bool = False

    @property
    def time(self) -> str:
        """ISO 8601, UTC, with microseconds."""
        return datetime.fromtimestamp(self.time_us / 1e6, UTC).isoformat(timespec="microseconds")

    @property
    def lines(self) -> tuple[str, ...]:
        """The message's lines, as text for a person: without the colours that a program chose."""
        text = _COLOUR.sub("", self.message).replace("\r\n", "\n").rstrip("\r")
        by = "systemd: " if self.by_systemd else ""
        return tuple(f"{by}{line}" for line in text.rstrip("\n").split("\n"))


def entry_of(line: bytes, address: str) -> LogEntry | None:
    """The entry in *line*, from the machine with *address*; None for what is none, such as the output of a login
    shell."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    time = data.get("__REALTIME_TIMESTAMP")
    by_systemd = _text(data, "_PID") == _SYSTEMD and "UNIT" in data
    unit = _text(data, "UNIT") if by_systemd else _text(data, "_SYSTEMD_UNIT") or _text(data, "UNIT")
    if not isinstance(time, str) or not _TIME.fullmatch(time) or not unit:
        return None
    priority = _text(data, "PRIORITY")
    return LogEntry(
        int(time),
        address,
        unit,
        _text(data, "MESSAGE"),
        int(priority) if priority in tuple("01234567") else 6,
        _text(data, "__CURSOR"),
        by_systemd,
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    """The field *name*. journald writes what is not printable UTF-8 as a list of bytes, and several values of one field
    as a list of them."""
    value = data.get(name)
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    if all(isinstance(byte, int) and byte in _BYTES for byte in value):
        return text_of(bytes(value))
    return "\n".join(_text({name: one}, name) for one in value if isinstance(one, (str, list)))


def label_of(unit: str, address: str) -> str:
    """What stands before the lines of *unit*: ``app_server@1``, and ``name/address`` for one of every machine."""
    stem = unit.rpartition(".")[0] or unit
    name, at, instance = stem.partition("@")
    return stem if at and not _MACHINE_ID.fullmatch(instance) else f"{name}/{address}"


def as_json(entry: LogEntry) -> dict[str, Any]:
    """The entry as JSON; docs/logs.md describes it."""
    return {
        "time": entry.time,
        "instance": label_of(entry.unit, entry.address),
        "unit": entry.unit,
        "machine": entry.address,
        "priority": entry.priority,
        "message": entry.message,
    }
