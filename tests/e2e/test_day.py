"""The first days of an app: docs/first-app.md, line by line on a real cluster, while clients of the printed addresses
count what they lose."""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fleetcaptain.localcluster.docker_client import find
from fleetcaptain.localcluster.machines import remove_all
from tests.documented import Line, lines
from tests.e2e.leftovers import give_identity, identity_of, note, resources_of
from tests.e2e.stack import ROOT

# As the page has them.
_STACK, _ADDRESS = "test", "http://10.67.85.11:8080"
_DEPLOY, _REBOOT, _REMOVE = "Deploy it", "Start it after a reboot", "Remove everything"
# A second cluster: tests/local/tools runs these lines, up to the deployment.
_OTHER_CLUSTER = "Add a second environment", "STACK=prod"
# The database stops meanwhile.
_BACKUP = "Back it up"
_INSTALL = "make tools"  # the tests have done it
_CLIENTS, _PAUSE_SEC, _NOTE_SEC = 2, 0.02, 0.25
_LONGEST_SEC = 300
# The first deployment has most to say, about 180 lines.
_MOST_LINES = 220


@dataclass
class Clients:
    """Ask *addresses* in turns: how often they did, what was *lost*, and which *notes* the app has acknowledged."""

    addresses: Sequence[str]
    sent: int = 0
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Until the block ends."""
        threads = [threading.Thread(target=self._read) for _ in range(_CLIENTS)]
        threads.append(threading.Thread(target=self._write))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in threads:
                thread.join()

    def _read(self) -> None:
        while not self._done.wait(_PAUSE_SEC):
            self._ask("/")

    def _write(self) -> None:
        for number in itertools.count(1):
            if self._done.wait(_NOTE_SEC):
                return
            if self._ask("/notes", f"note {number}".encode()):
                self.notes.append(f"note {number}")

    def _ask(self, path: str, data: bytes | None = None) -> bool:
        self.sent += 1
        address = self.addresses[self.sent % len(self.addresses)]
        try:
            with urllib.request.urlopen(f"{address}{path}", data, timeout=5) as answer:  # noqa: S310  the app's
                answer.read()
        except Exception as error:  # whatever it is, the request was lost
            self.lost.append(f"{time.strftime('%X')} {address}{path}: {error!r}")
            return False
        return True


@dataclass(frozen=True)
class Step:
    """What the lines below a heading of the page cost."""

    heading: str
    seconds: float
    printed: int
    sent: int = 0
    lost: tuple[str, ...] = ()


class Day:
    """A clone of the checkout beside the folder of the app, with the page's stack in it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "clone"
        self.steps: list[Step] = []
        self.identity = identity_of(_STACK, self.root)
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in filter(None, listed.stdout.split("\0")):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        (self.root / ".venv").symlink_to((ROOT / ".venv").resolve())
        state = self.root / ".fleetcaptain" / "pulumi"
        state.mkdir(parents=True)
        self._environ = {**os.environ, "PULUMI_BACKEND_URL": f"file://{state}"}
        note(self.identity)
        give_identity(_STACK, self.root)

    @functools.cached_property
    def addresses(self) -> list[str]:
        """The addresses that the first deployment printed."""
        endpoints = json.loads(self._shell("pulumi stack output --json")[1])["endpoints"]
        return list(endpoints["web"])

    def walk(self, page: Sequence[Line], heading: str, clients: Clients | None = None) -> None:
        """Run the lines of *page* below *heading*. Each ends as the page says."""
        began, sent, lost, printed = time.monotonic(), 0, 0, 0
        if clients is not None:
            sent, lost = clients.sent, len(clients.lost)
        for line in page:
            if line.heading == heading and line.command != _INSTALL:
                command = line.command
                if _ADDRESS in command:
                    command = command.replace(_ADDRESS, self.addresses[0])
                code, output = self._shell(command)
                assert (code != 0) == line.fails, f"{command}\n{output}"
                assert not command.startswith("make up") or output.count("\n") < _MOST_LINES, output
                printed += output.count("\n")
        seconds = time.monotonic() - began
        if clients is None:
            self.steps.append(Step(heading, seconds, printed))
        else:
            self.steps.append(Step(heading, seconds, printed, clients.sent - sent, tuple(clients.lost[lost:])))

    def _shell(self, command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "-c", command.replace("make ", "make TOOLS=: ")],  # they are on PATH
            cwd=self.root,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_SEC,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture
def day(_engine: None, tmp_path: Path) -> Iterator[Day]:
    """Its cluster goes, however the day ends. Instances have to stay up for 2 s, to be tested faster."""
    day = Day(tmp_path)
    fleetfile = day.root / "examples" / "first_app" / "Fleetfile.py"
    text = fleetfile.read_text()
    assert "min_healthy_sec=5" in text
    fleetfile.write_text(text.replace("min_healthy_sec=5", "min_healthy_sec=2"))
    try:
        yield day
    finally:
        remove_all(day.identity)


def test_a_day_loses_no_request_and_no_row(day: Day) -> None:
    """But for requests while the database or all machines are down. At the end the database has what the app has
    acknowledged, and the cluster goes without a trace."""
    page = [
        line
        for line in lines(ROOT / "docs" / "first-app.md")
        if not any(word in line.heading or word in line.command for word in _OTHER_CLUSTER)
    ]
    headings = list(dict.fromkeys(line.heading for line in page))
    deploy, remove = headings.index(_DEPLOY), headings.index(_REMOVE)
    try:
        for heading in headings[: deploy + 1]:
            day.walk(page, heading)
        clients = Clients(day.addresses)
        with clients.running():
            for heading in headings[deploy + 1 : remove]:
                if heading == _REBOOT:
                    _fail(day)
                day.walk(page, heading, clients)
        assert _notes(day) >= set(clients.notes)
        day.walk(page, _REMOVE)
    finally:
        _show(day.steps)
    assert {step.heading: step.lost for step in day.steps if step.lost and step.heading not in (_BACKUP, _REBOOT)} == {}
    assert resources_of(day.identity) == []


def _fail(day: Day) -> None:
    """The computer was off, and the machine of the database is gone."""
    containers = find(day.identity)
    (with_data,) = (one for one in containers if b"fc.guestbook.db.1" in one.exec_run(["docker", "ps"]).output)
    for container in containers:
        container.kill()
    with_data.remove()


def _notes(day: Day) -> set[str]:
    """All notes in the database."""
    with urllib.request.urlopen(f"{day.addresses[0]}/notes", timeout=5) as answer:  # noqa: S310  the app's
        return set(json.load(answer)["notes"])


def _show(steps: Sequence[Step]) -> None:
    print(f"\n{'step':34} {'requests':>9} {'lost':>6} {'seconds':>8} {'lines':>6}")
    for step in steps:
        print(f"{step.heading:34} {step.sent:9} {len(step.lost):6} {step.seconds:8.1f} {step.printed:6}")
