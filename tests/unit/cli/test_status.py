"""``captain status``: what it prints and how it exits."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from fleetcaptain.cli import main
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.status.picture import Picture
from tests.fakes.fake_cluster import FakeCluster
from tests.unit.status.twenty_services import picture_of, twenty

SSH = ["--app", "shop", "--ssh", "core@10.0.0.1"]


class _Reader:
    """Reads *cluster*; nothing answers when there is none."""

    def __init__(self, cluster: FakeCluster | None) -> None:
        self._cluster = cluster

    def read(self) -> Picture:
        if self._cluster is None:
            raise ClusterUnreachable("Could not connect to any machine")
        return picture_of(self._cluster)


def reads(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster | None) -> None:
    """Have the command read *cluster*."""
    monkeypatch.setattr("fleetcaptain.cli.status_command.reader_of", lambda *_: _Reader(cluster))


def test_it_exits_with_0_when_all_is_as_it_should_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an escape, since its output is no terminal."""
    reads(monkeypatch, twenty())
    assert main(["status", *SSH]) == 0
    out = capsys.readouterr().out
    assert "app_server  ok     12/12" in out
    assert "\x1b" not in out


def test_it_exits_with_1_when_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As text and as one line of JSON."""
    cluster = twenty()
    cluster.halt("redis@1.service")
    reads(monkeypatch, cluster)
    assert main(["status", *SSH]) == 1
    assert "! redis: redis@1.service on 10.0.0.1: inactive/dead\n" in capsys.readouterr().out
    assert main(["status", "--json", *SSH]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["problems"] == ["redis: redis@1.service on 10.0.0.1: inactive/dead"]


def test_it_exits_with_10_when_nothing_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the reason."""
    reads(monkeypatch, None)
    assert main(["status", *SSH]) == 10
    assert "Could not connect to any machine" in capsys.readouterr().err


_WATCH = """
import sys
from fleetcaptain.cli import main, status_command
from tests.unit.cli.test_status import _Reader
from tests.unit.status.twenty_services import twenty
status_command.reader_of = lambda *_: _Reader(twenty())
sys.exit(main(["status", "--watch", "--every", "0.5", "--app", "shop", "--ssh", "core@10.0.0.1"]))
"""


@pytest.mark.parametrize("without_colour", [False, True])
def test_a_watch_draws_in_place_and_restores_the_terminal(without_colour: bool) -> None:
    """On a real pseudo-terminal: no screen is cleared as a whole, and ^C ends it with 0."""
    master, terminal = pty.openpty()
    termios.tcsetwinsize(master, (50, 80))
    environ = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[3])}
    for name in ("NO_COLOR", "LINES", "COLUMNS"):
        environ.pop(name, None)
    if without_colour:
        environ["NO_COLOR"] = "1"
    process = subprocess.Popen(
        [sys.executable, "-c", _WATCH], stdin=terminal, stdout=terminal, stderr=terminal, env=environ, close_fds=True
    )
    os.close(terminal)
    seen, deadline = b"", time.monotonic() + 60
    while seen.count(b"\x1b[H") < 2 and time.monotonic() < deadline:
        if select.select([master], [], [], 1)[0]:
            seen += os.read(master, 65536)
    process.send_signal(signal.SIGINT)
    while select.select([master], [], [], 5)[0]:
        try:
            seen += os.read(master, 65536)
        except OSError:
            break
    assert process.wait(timeout=120) == 0
    os.close(master)
    assert seen.startswith(b"\x1b[?1049h\x1b[?25l\x1b[H")
    assert seen.endswith(b"\x1b[?25h\x1b[?1049l")
    assert b"\x1b[2J" not in seen
    assert (b"\x1b[32mok" in seen) is not without_colour
    assert b"app_server" in seen
