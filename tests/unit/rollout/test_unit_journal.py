"""What an error shows of a unit's journal."""

from __future__ import annotations

import json

from fleetcaptain.rollout.unit_journal import last_run

STARTING, STARTED = "7d4958e842da4a758f6c1cdc7b36dcc5", "39f53479d3a045ac8e11786248231fbf"
EXITED, FAILED = "98e322203f7a4ed290d09fe03c09fe15", "d9b373ed55a64feb8242e02dbe79a49c"
ENDED, NO_START = "7ad2d189f7e94e70a38c781354912448", "be02cf6855d2428ba40df7e9d022f03d"


def said(run: str, message: object) -> str:
    """An entry of a process of the unit."""
    return json.dumps({"MESSAGE": message, "_SYSTEMD_INVOCATION_ID": run})


def systemd(run: str, event: str, message: str, **fields: str) -> str:
    """An entry of systemd's own."""
    return json.dumps({"MESSAGE": message, "MESSAGE_ID": event, "INVOCATION_ID": run, **fields})


OLD = [said("1", "old"), systemd("1", ENDED, "web@1.service: Deactivated successfully.")]
CRASH = [
    systemd("2", STARTING, "Starting web"),
    said("2", "Traceback:"),
    said("2", "no such module"),
    systemd("2", EXITED, "Main process exited"),
    said("2", "the service ended before it was ready"),
    systemd("2", FAILED, "Failed with result 'exit-code'."),
    systemd("2", NO_START, "Failed to start web", JOB_RESULT="failed"),
]
CRASHED = ("Traceback:", "no such module", "the service ended before it was ready")


def test_the_last_run_is_shown_without_what_systemd_says_of_each() -> None:
    """Nor the version before."""
    assert last_run("\n".join([*OLD, *CRASH])) == CRASHED


def test_the_run_before_is_shown_if_it_failed() -> None:
    """systemd may have started the unit again before the journal was read."""
    again = [systemd("3", STARTING, "Starting web"), said("3", "hello")]
    assert last_run("\n".join([*OLD, *CRASH, *again])) == (*CRASHED, "hello")
    assert last_run("\n".join([*CRASH, *OLD, *again])) == ("hello",)


def test_other_messages_of_systemd_are_shown() -> None:
    """It may be the only reason: a program that is not there, or a unit that another one needs."""
    lines = [
        systemd("1", "", "Failed to locate executable /no/such"),
        systemd("1", NO_START, "Dependency failed for web", JOB_RESULT="dependency"),
    ]
    assert last_run("\n".join(lines)) == ("Failed to locate executable /no/such", "Dependency failed for web")


def test_texts_of_any_form_are_shown() -> None:
    """Bytes that are not UTF-8, several lines in one entry, and what is no entry at all."""
    lines = [said("1", [99, 97, 102, 233]), said("1", "a\nb"), said("1", None), "-- No entries --", "7"]
    assert last_run("\n".join(lines)) == (r"caf\xe9", "a", "b", "-- No entries --", "7")
