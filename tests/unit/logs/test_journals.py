"""What is asked of the journals, where, and what is done when a machine does not answer."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.errors import NotAvailable
from fleetcaptain.fleet.entities import Machine, UnitEntity
from fleetcaptain.logs.journal_process import JournalProcess
from fleetcaptain.logs.journal_query import JournalQuery, since_of
from fleetcaptain.logs.log_entry import LogEntry
from fleetcaptain.logs.log_follower import LogFollower
from fleetcaptain.logs.log_sources import LogSources, Selection, sources_of
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import text_of
from tests.programs import is_running
from tests.waits import until

ID = "0123456789abcdef0123456789abcdef"
MACHINES = (Machine(ID, "10.0.0.1"), Machine("b" * 32, "10.0.0.2"), Machine("c" * 32, ""))
UNITS = tuple(
    UnitEntity(name, UnitFile.parse(text_of(service, app=app)), "launched", "launched", None)
    for name, service, app in (
        ("web@1.service", "web", "shop"),
        ("web@10.service", "web", "shop"),
        ("redis-0379f6b@1.service", "redis", "shop"),
        (f"probe@{ID}.service", "probe", "shop"),
        (f"probe@{'b' * 32}.service", "probe", "shop"),
        ("shop-agent.service", "shop-agent", "shop"),
        ("web@2.service", "web", "bank"),
    )
)


@pytest.mark.parametrize(
    ("text", "units", "addresses"),
    [
        ("web", ["web@1.service", "web@10.service"], ["10.0.0.1", "10.0.0.2"]),
        ("web@1", ["web@1.service"], ["10.0.0.1", "10.0.0.2"]),
        ("redis@1", ["redis-0379f6b@1.service"], ["10.0.0.1", "10.0.0.2"]),
        ("probe@10.0.0.2", [f"probe@{'b' * 32}.service"], ["10.0.0.2"]),
        (f"probe@{ID}", [f"probe@{ID}.service"], ["10.0.0.1", "10.0.0.2"]),
        ("shop-agent", ["shop-agent.service"], ["10.0.0.1", "10.0.0.2"]),
        ("shop-agent@10.0.0.2", ["shop-agent.service"], ["10.0.0.2"]),
    ],
)
def test_a_selection_names_units_and_machines(text: str, units: list[str], addresses: list[str]) -> None:
    """Any machine may have run a unit."""
    found = sources_of(Selection.parse(text), "shop", UNITS, MACHINES)
    assert (list(found.units), list(found.addresses)) == (units, addresses)


def test_a_machine_that_fleet_does_not_list_is_asked_too() -> None:
    """If the connection names it by the same kind of address: it is lost, and its journal may be read."""
    web = Selection.parse("web")
    found = sources_of(web, "shop", UNITS, MACHINES, hosts=["10.0.0.1", "10.0.0.9", "bastion"])
    assert found.addresses == ("10.0.0.1", "10.0.0.2", "10.0.0.9")
    assert sources_of(web, "shop", UNITS, MACHINES, hosts=["203.0.113.5"]).addresses == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wbe", "The app has no service wbe. Its services: probe, redis, shop-agent, web."),
        ("web@3", "web has no instance 3. Its instances: 1, 10."),
    ],
)
def test_an_unknown_service_names_those_that_exist(text: str, message: str) -> None:
    """And an unknown instance, too."""
    with pytest.raises(NotAvailable, match=re.escape(message)):
        sources_of(Selection.parse(text), "shop", UNITS, MACHINES)


@pytest.mark.parametrize("text", ["", "@1", "web@", "a b", "web;x", "--x", "web@*"])
def test_a_name_that_no_service_has_is_refused(text: str) -> None:
    """It would be part of a pattern on the machine."""
    with pytest.raises(ValueError, match="must be SERVICE"):
        Selection.parse(text)


_RECORDS = """#!/bin/sh
printf '%s\\n' "$*" >>"$0.calls"
case "$*" in *--unit*) cat "$0.earlier" ;; *) cat "$0.live" ;; esac
"""


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journalctl that says what is in its files ``.earlier`` and ``.live``, and notes its ``.calls``."""
    program = tmp_path / "journalctl"
    program.write_text(_RECORDS)
    program.chmod(0o755)
    (tmp_path / "journalctl.earlier").write_text(said(2))
    (tmp_path / "journalctl.live").write_text(said(2, start=2))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return program


def _read(program: Path, query: JournalQuery) -> tuple[list[str], list[str]]:
    """The messages, and the words of each call that tell it from others."""
    journal = JournalProcess("10.0.0.1", query, lambda argv: argv)
    messages = [entry.message for entry in journal.entries()]
    calls = Path(f"{program}.calls").read_text().splitlines()
    return messages, [" ".join(call.split()[5:]) for call in calls]


@pytest.mark.parametrize("follow", [False, True])
def test_no_journalctl_selects_a_unit_at_the_end_of_the_journal(journalctl: Path, *, follow: bool) -> None:
    """It loses entries when it selects from those that are being written. The two parts meet at one moment. Without a
    journal to follow both end."""
    messages, calls = _read(journalctl, JournalQuery(("web@1.service",), 100, "-10m", "error", follow=follow))
    assert messages == ["m0", "m1", "m2", "m3"]
    earlier, live = calls
    until = re.fullmatch(r"--lines=100 --since=-10m --grep=error --unit=web@1.service --until=@(\d+)\.999999", earlier)
    assert until is not None
    assert live == f"--lines=all --grep=error {'--follow ' if follow else ''}--since=@{int(until[1]) + 1}"


@pytest.mark.parametrize(
    ("query", "call"),
    [
        (
            JournalQuery(("web@1.service",), 100, "-10m").resumed("s=1;i=2"),
            "--lines=all --after-cursor=s=1;i=2 --follow",
        ),
        (JournalQuery(("web@1.service",), 0), "--lines=0 --follow"),
    ],
)
def test_following_needs_no_earlier_lines(query: JournalQuery, call: str, journalctl: Path) -> None:
    """After a lost connection, or when none are asked for."""
    assert _read(journalctl, replace(query, follow=True)) == (["m2", "m3"], [call])


@pytest.mark.parametrize("old", ["", " "])
def test_lines_of_other_units_are_left_out(old: str, journalctl: Path) -> None:
    """Names match as a whole, and globs as journalctl matches them. Old ones print blanks around a colon."""
    units = (
        "web@1.service",
        "web@10.service",
        "web-a@1.service",
        "other@1.service",
        "webX1.service",
        "a.web@1.service",
    )
    lines = "".join(said(unit=unit) for unit in units) + said(unit="other@1.service").replace(
        "m0", '\\"UNIT\\":\\"web@1.service'
    )
    lines += said(unit="init.scope").replace("m0", "systemd").replace("{", '{"UNIT": "web@1.service", "_PID": "1", ')
    Path(f"{journalctl}.live").write_text(lines.replace('": "', f'"{old}:{old}"'))
    journal = JournalProcess(
        "10.0.0.1", JournalQuery(("web@1.service", "web-[ab]@*.service"), 0, follow=True), lambda argv: argv
    )
    assert [(entry.unit, entry.message) for entry in journal.entries()] == [
        ("web@1.service", "m0"), ("web-a@1.service", "m0"), ("web@1.service", "systemd"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"), [("10m", "-10m"), ("today", "today"), ("2030-02-01T12:00:00Z", "@1896177600")]
)
def test_times_are_ages_or_dates(text: str, expected: str) -> None:
    """In the form that old versions of systemd read."""
    assert since_of(text) == expected


@pytest.mark.parametrize("text", ["10", "soon", "--help", "1h 5m", "10000-01-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Before a machine is asked."""
    with pytest.raises(ValueError, match="must be an age"):
        since_of(text)


def said(count: int = 1, *, start: int = 0, unit: str = "web@1.service") -> str:
    """So many lines of journalctl."""
    fields = [
        {"__REALTIME_TIMESTAMP": str(number), "__CURSOR": f"c{number}", "_SYSTEMD_UNIT": unit, "MESSAGE": f"m{number}"}
        for number in range(start, start + count)
    ]
    return "".join(f"{json.dumps(one)}\n" for one in fields)


def shell(script: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """Runs *script* instead of the command, which is in its arguments."""
    return lambda argv: ["sh", "-c", script, "journalctl", *argv]


def test_a_large_journal_arrives_whole(tmp_path: Path) -> None:
    """20 MB in messages of different sizes, read slower than it is written."""
    text = tmp_path / "journal"
    sizes = [1, 10, 200, 9000, 100_000]
    with text.open("w") as file:
        for number in range(1000):
            message = "x" * sizes[number % 5]
            fields = {"__REALTIME_TIMESTAMP": str(number), "_SYSTEMD_UNIT": "web@1.service", "MESSAGE": message}
            file.write(json.dumps(fields) + "\n")
    journal = JournalProcess("10.0.0.1", JournalQuery(()), lambda _argv: ["cat", str(text)])
    found = [len(entry.message) for entry in journal.entries()]
    assert (found, journal.problem) == (sizes * 200, "")


def test_a_machine_that_does_not_answer_is_a_problem() -> None:
    """ssh ends with 255; its last line says why."""
    journal = JournalProcess("10.0.0.1", JournalQuery(()), shell("echo 'ssh: no route to host' >&2; exit 255"))
    assert list(journal.entries()) == []
    assert journal.problem == "ssh: no route to host"


def test_a_journal_without_an_entry_is_no_problem() -> None:
    """journalctl --grep ends with 1 then."""
    journal = JournalProcess("10.0.0.1", JournalQuery(()), shell("exit 1"))
    assert (list(journal.entries()), journal.problem) == ([], "")


def test_a_machine_that_cannot_search_is_searched_from_here(tmp_path: Path) -> None:
    """All of its entries are read for that."""
    text = tmp_path / "journal"
    text.write_text(said(20))
    script = f"""
    case "$*" in
    *--grep*) echo 'Compiled without pattern matching support' >&2; exit 1 ;;
    *--lines=all*) cat {text} ;;
    esac
    """
    journal = JournalProcess("10.0.0.1", JournalQuery((), 5, grep="M1"), shell(script))
    assert list(journal.entries()) == []  # capitals are meant
    journal = JournalProcess("10.0.0.1", JournalQuery((), 5, grep="m1"), shell(script))
    assert [entry.message for entry in journal.entries()] == ["m1", *(f"m{number}" for number in range(10, 20))]


def test_an_ended_journal_leaves_no_process() -> None:
    """Also one that follows without an end."""
    journal = JournalProcess("10.0.0.1", JournalQuery(()), shell(f"echo '{said().strip()}'; exec sleep 600"))
    entries = journal.entries()
    assert next(entries).message == "m0"
    journal.end()
    assert list(entries) == []
    assert (journal._process.poll() is not None, journal.problem) == (True, "")


def test_a_followed_journal_ends_with_the_process_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if that is killed: its pipe closes. The command runs here as a machine's shell would run it."""
    program, pid = tmp_path / "journalctl", tmp_path / "pid"
    program.write_text(f"#!/bin/sh\necho $$ >{pid}\nprintf '%s' '{said()}'\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    journal = JournalProcess("10.0.0.1", JournalQuery(("web@1.service",), 0, follow=True), lambda argv: argv)
    entries = journal.entries()
    assert next(entries).message == "m0"
    assert journal._process.stdin is not None
    journal._process.stdin.close()
    assert list(entries) == []
    until(lambda: not is_running(int(pid.read_text())))


def test_a_followed_journal_that_ends_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its exit code."""
    program = tmp_path / "journalctl"
    program.write_text("#!/bin/sh\necho 'it cannot' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    journal = JournalProcess("10.0.0.1", JournalQuery(("web@1.service",), 0, follow=True), lambda argv: argv)
    assert (list(journal.entries()), journal.problem) == ([], "it cannot")


class _Machines:
    """Machines whose journals are scripts: address -> the script of each start, in order; the last one stays."""

    def __init__(self, scripts: dict[str, list[str]]) -> None:
        self.scripts = scripts
        self.queries: list[tuple[str, JournalQuery]] = []

    def run(self, address: str, query: JournalQuery) -> JournalProcess:
        self.queries.append((address, query))
        scripts = self.scripts[address]
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return JournalProcess(address, query, shell(script))


def _messages(follower: LogFollower, count: int) -> list[str]:
    """The first *count* messages, within a minute."""
    found: list[str] = []
    deadline = time.monotonic() + 60
    entries: Iterator[LogEntry | None] = follower.entries()
    for entry in entries:
        if entry is not None:
            found.append(entry.message)
        if len(found) == count or time.monotonic() > deadline:
            break
    entries.close()  # type: ignore[attr-defined]
    return found


def _stays(text: str) -> str:
    return f"printf '%s' '{text}'; exec sleep 600"


def test_following_merges_what_the_machines_have() -> None:
    """By time, although one machine answers later than the other."""
    there = _Machines({"a": [f"sleep 0.5; {_stays(said(2, start=0))}"], "b": [_stays(said(2, start=5))]})
    sources = LogSources(("web@1.service",), (), ("a", "b"))
    follower = LogFollower(JournalQuery((), follow=True), sources, there.run, lambda: sources, print, begun="@1")
    assert _messages(follower, 4) == ["m0", "m1", "m5", "m6"]


def test_following_begins_with_the_last_lines_of_all_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with so many of each; one without lines does not keep the others from being shown."""
    monkeypatch.setattr("fleetcaptain.logs.log_follower._OPEN_SEC", 2)
    later = f"sleep 2.5; {_stays(said(1, start=20))}"
    there = _Machines(
        {"a": [f"printf '%s' '{said(3)}'; {later}"], "b": [_stays(said(3, start=3))], "c": ["exec sleep 600"]}
    )
    sources = LogSources(("web@1.service",), (), ("a", "b", "c"))
    query = JournalQuery((), 3, follow=True)
    follower = LogFollower(query, sources, there.run, lambda: sources, print, begun="@1")
    assert _messages(follower, 4) == ["m3", "m4", "m5", "m20"]


def test_following_without_lines_drops_no_new_one() -> None:
    """Those that come while the machines are awaited are new."""
    there = _Machines({"a": [_stays(said(2))], "b": ["exec sleep 600"]})
    sources = LogSources(("web@1.service",), (), ("a", "b"))
    query = JournalQuery((), 0, follow=True)
    follower = LogFollower(query, sources, there.run, lambda: sources, print, begun="@1")
    assert _messages(follower, 2) == ["m0", "m1"]


def test_a_machine_that_answers_late_adds_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is lost, although the first lines are shown already."""
    monkeypatch.setattr("fleetcaptain.logs.log_follower._OPEN_SEC", 0.2)
    there = _Machines({"a": [_stays(said(2, start=5))], "b": [f"sleep 1; {_stays(said(2))}"]})
    sources = LogSources(("web@1.service",), (), ("a", "b"))
    query = JournalQuery((), 2, follow=True)
    follower = LogFollower(query, sources, there.run, lambda: sources, print, begun="@1")
    assert _messages(follower, 4) == ["m5", "m6", "m0", "m1"]


def test_a_lost_machine_is_named_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last entry on; the other goes on meanwhile."""
    monkeypatch.setattr("fleetcaptain.logs.log_follower._AGAIN_SEC", 0.2)
    lost = f"printf '%s' '{said(2)}'; echo 'Connection closed' >&2; exit 255"
    there = _Machines({"a": [lost, _stays(said(1, start=2))], "b": [_stays(said(1, start=1))]})
    sources = LogSources(("web@1.service",), (), ("a", "b"))
    reports: list[str] = []
    follower = LogFollower(
        JournalQuery((), follow=True), sources, there.run, lambda: sources, reports.append, begun="@1"
    )
    assert sorted(_messages(follower, 4)) == ["m0", "m1", "m1", "m2"]
    assert reports == ["a does not answer: Connection closed; trying again", "a answers again"]
    assert [query.after for address, query in there.queries if address == "a"] == ["", "c1"]


def test_new_machines_and_units_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the beginning of the command on, and each only once."""
    monkeypatch.setattr("fleetcaptain.logs.log_follower._LOOK_SEC", 0.1)
    there = _Machines(
        {"a": [_stays(said(1)), _stays(said(1, start=2, unit="web@2.service"))], "b": [_stays(said(1, start=3))]}
    )
    first = LogSources(("web@1.service",), (), ("a",))
    later = LogSources(("web@1.service", "web@2.service"), (), ("a", "b"))
    seen = threading.Event()
    follower = LogFollower(
        JournalQuery(("web@1.service",), 10, follow=True),
        first,
        there.run,
        lambda: later if seen.is_set() else first,
        print,
        begun="@7",
    )
    seen.set()
    assert sorted(_messages(follower, 3)) == ["m0", "m2", "m3"]
    more = [(address, query.units, query.since, query.lines) for address, query in there.queries[1:]]
    assert more == [
        ("a", ("web@2.service",), "@7", None),
        ("b", ("web@1.service", "web@2.service"), "@7", None),
    ]
