"""Locks that a killed Pulumi left behind."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tools.locks import Computer, drop_dead_locks, this_computer

BOOTED = datetime(2026, 5, 1, 8, tzinfo=UTC)
HERE = Computer("here", BOOTED.timestamp(), frozenset({1, 8}))
LOCK = {"pid": 7, "username": "ann", "hostname": "here", "timestamp": "2026-05-01T12:00:00.123456789+02:00"}
WHOLE = "pid:[4026531836]"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The lock of the stack ``dev``, with what Pulumi keeps beside it."""
    lock = tmp_path / ".pulumi/locks/organization/fleetcaptain/dev/0.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps(LOCK))
    Path(f"{lock}.attrs").write_text("{}")
    return lock


def test_a_lock_goes_when_its_process_certainly_runs_no_more(tmp_path: Path, file: Path) -> None:
    """All processes of this computer can be seen, and since its start none took the lock that still runs."""
    freed = drop_dead_locks(tmp_path, HERE)
    assert (freed.stacks, freed.doubts) == (("dev",), ())
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("lock", "computer", "doubt"),
    [
        ({"pid": 8}, HERE, None),
        ({"hostname": "elsewhere"}, HERE, "another computer"),
        ({"timestamp": "2026-05-01T07:59:59Z"}, HERE, "older than the last boot"),
        ({}, Computer("here", HERE.booted, None), "not all processes"),
        ({"pid": "7x"}, HERE, None),
        ({"pid": float("inf")}, HERE, None),
        ({"pid": float("nan")}, HERE, None),
        ({"pid": [8]}, HERE, None),
        ({"timestamp": "0001-01-01T00:00:00+00:00"}, HERE, "older than the last boot"),
        ({"timestamp": "yesterday"}, HERE, None),
        ({"timestamp": None}, HERE, None),
    ],
)
def test_a_lock_stays_when_its_process_may_run(
    tmp_path: Path, file: Path, lock: dict[str, object], computer: Computer, doubt: str | None
) -> None:
    """Where that is not known, the reason is said, and what removes the lock. Of one whose process runs, and of one
    that cannot be read, Pulumi itself speaks."""
    file.write_text(json.dumps({**LOCK, **lock}))
    freed = drop_dead_locks(tmp_path, computer)
    assert freed.stacks == ()
    assert file.exists()
    assert len(freed.doubts) == (doubt is not None)
    for text in freed.doubts:
        assert doubt is not None
        assert doubt in text
        assert "`pulumi cancel --stack dev`" in text


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc of a whole computer, with its first process and a pulumi in a container, where it has the number 7."""
    folder = tmp_path / "proc"
    for pid, command, counted in (("1", b"/sbin/init\0", "1"), ("9007", b"/usr/bin/pulumi\0up\0", "9007\t7")):
        (folder / pid).mkdir(parents=True)
        (folder / pid / "cmdline").write_bytes(command)
        (folder / pid / "status").write_text(f"Name:\tx\nNSpid:\t{counted}\n")
    (folder / "self" / "ns").mkdir(parents=True)
    (folder / "self" / "ns" / "pid").symlink_to(WHOLE)
    (folder / "stat").write_text("cpu 1 2\nbtime 1777622400\n")
    return folder


def test_a_pulumi_in_a_container_is_seen_with_the_number_that_it_writes(proc: Path) -> None:
    """A container may have this computer's name: ``docker run --network host``."""
    assert this_computer(proc) == Computer(socket.gethostname(), 1777622400, frozenset({7}))


@pytest.mark.parametrize("hidden", ["another namespace", "the first process", "a process", "all"])
def test_where_processes_are_hidden_none_is_known_to_be_dead(proc: Path, hidden: str) -> None:
    """Within a container, and where /proc is mounted with ``hidepid``."""
    if hidden == "another namespace":
        (proc / "self" / "ns" / "pid").unlink()
        (proc / "self" / "ns" / "pid").symlink_to("pid:[4026532200]")
    elif hidden == "the first process":
        (proc / "1" / "status").unlink()
    elif hidden == "a process":
        (proc / "9007" / "cmdline").unlink()
        (proc / "9007" / "cmdline").mkdir()  # an error, whoever runs the test
    else:
        (proc / "stat").unlink()
    assert this_computer(proc).pulumi is None


def test_a_process_that_ends_meanwhile_is_passed_over(proc: Path) -> None:
    """It is no pulumi any more."""
    (proc / "9007" / "status").unlink()
    assert this_computer(proc).pulumi == frozenset()


def test_this_computer_is_read_from_its_own_processes() -> None:
    """It started before this test."""
    assert 0 < this_computer().booted < datetime.now(UTC).timestamp()
    assert (this_computer().pulumi is None) is (os.readlink("/proc/self/ns/pid") != WHOLE)
