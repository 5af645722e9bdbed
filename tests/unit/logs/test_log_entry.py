"""Entries of journals, as journalctl prints them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleetcaptain.logs.log_entry import as_json, entry_of, label_of

ID = "0123456789abcdef0123456789abcdef"


def line(message: Any = "hello", **more: Any) -> bytes:
    """A line of journalctl's JSON."""
    fields = {
        "__REALTIME_TIMESTAMP": "1895929445000123",
        "__CURSOR": "s=1;i=2",
        "_SYSTEMD_UNIT": "web@1.service",
        "_PID": "77",
        "PRIORITY": "4",
        "MESSAGE": message,
    }
    return json.dumps({**fields, **more}).encode()


def test_an_entry_has_time_unit_and_message() -> None:
    """As JSON with all of it."""
    entry = entry_of(line(), "10.0.0.1")
    assert entry is not None
    assert (entry.message, entry.cursor, entry.lines) == ("hello", "s=1;i=2", ("hello",))
    assert as_json(entry) == {
        "time": "2030-01-29T15:04:05.000123+00:00",
        "instance": "web@1",
        "unit": "web@1.service",
        "machine": "10.0.0.1",
        "priority": 4,
        "message": "hello",
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ([104, 105, 27, 255], "hi\x1b\\xff"),
        ([], ""),
        (["a", [98, 99]], "a\nbc"),
        (None, ""),
        ({"a": 1}, ""),
        ([1, "x", 3.5], "x"),
        ([300], ""),
    ],
)
def test_what_is_no_text_is_decoded(message: Any, expected: str) -> None:
    """journald writes bytes as numbers, and several values as a list."""
    entry = entry_of(line(message), "10.0.0.1")
    assert entry is not None
    assert entry.message == expected


@pytest.mark.parametrize(
    "text",
    [b"", b"Welcome to Flatcar", b"[1]", b"{", b"\xff{}", b"[" * 100_000, b"{}", line(__REALTIME_TIMESTAMP="x"),
     line(__REALTIME_TIMESTAMP=1), line(_SYSTEMD_UNIT=None)],
)  # fmt: skip
def test_what_is_no_entry_is_left_out(text: bytes) -> None:
    """The output of a login shell, or anything else."""
    assert entry_of(text, "10.0.0.1") is None


def test_what_systemd_says_of_a_unit_is_the_units() -> None:
    """Marked as such, since the program did not write it."""
    entry = entry_of(line("Started.", _SYSTEMD_UNIT="init.scope", UNIT="web@2.service", _PID="1"), "10.0.0.1")
    assert entry is not None
    assert (entry.unit, entry.lines) == ("web@2.service", ("systemd: Started.",))


def test_a_forged_unit_is_not_believed() -> None:
    """Only systemd itself speaks of other units."""
    entry = entry_of(line("fake", UNIT="db@1.service"), "10.0.0.1")
    assert entry is not None
    assert entry.unit == "web@1.service"


def test_lines_and_colours_of_a_program() -> None:
    """Each line stands alone; colours are left out, in JSON they stay."""
    entry = entry_of(line("\x1b[1;31mred\x1b[0m\r\nblue\n"), "10.0.0.1")
    assert entry is not None
    assert entry.lines == ("red", "blue")
    assert as_json(entry)["message"] == "\x1b[1;31mred\x1b[0m\r\nblue\n"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("app_server@1.service", "app_server@1"),
        ("redis-0379f6b@1.service", "redis-0379f6b@1"),
        (f"agent@{ID}.service", "agent/10.0.0.1"),
        ("shop-agent.service", "shop-agent/10.0.0.1"),
    ],
)
def test_an_instance_is_named_by_number_or_by_machine(unit: str, expected: str) -> None:
    """Units of every machine have no number."""
    assert label_of(unit, "10.0.0.1") == expected
