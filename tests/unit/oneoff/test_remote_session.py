"""Sessions of one-offs, with real processes and shells: only ssh and docker are pretended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet import root_command
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.oneoff import guard as guard_module
from fleetcaptain.oneoff import machine_scripts
from fleetcaptain.oneoff.guard import Guard
from fleetcaptain.oneoff.machine_scripts import client_script, detach_argv, guard_argv
from fleetcaptain.oneoff.one_off import Environment, Streams
from fleetcaptain.oneoff.remote_session import Ended, Session, become, guarded_session, start_detached
from tests.unit.oneoff.pretended_ssh import PretendedMachine, pretend
from tests.waits import until

ENDPOINT = Endpoint(("core@10.0.0.1",))
NAME = "fc.shop.web.run-1f2e"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PretendedMachine:
    """The machine of all sessions."""
    return pretend(tmp_path, monkeypatch)


def session(*command: str, stdin: bool = False) -> Session:
    """The session of a one-off with a secret among its words."""
    words = ("docker", "run", f"--name={NAME}", "--env=PASSWORD=hunter2", "image", *command)
    script = client_script(words, None, "1f2e")
    guard = tuple(guard_argv("1f2e", script, NAME, 1))
    return Session("core@10.0.0.1", "1f2e", guard, script, Streams(stdin=stdin), 1)


def ended(*command: str) -> Ended:
    """How a session of *command* ends."""
    return guarded_session(ENDPOINT, session(*command))


def test_the_exit_code_comes_back_and_nothing_is_left(machine: PretendedMachine) -> None:
    """The container is removed, also when docker did not."""
    assert ended("true").exit_code == 0
    assert ended("sh", "-c", "exit 7") == Ended(7)
    assert machine.left == []
    assert machine.calls("rm") == [f"rm -fv {NAME}"] * 2
    assert machine.calls("stop") == []


def test_no_value_is_in_an_argument_of_this_computer(machine: PretendedMachine) -> None:
    """They go through the input of the first session."""
    ended("true")
    assert "PASSWORD=hunter2" in machine.calls("run")[0]
    assert "hunter2" not in machine.ssh_arguments
    first, second = machine.ssh_arguments.splitlines()[0], machine.ssh_arguments.splitlines()[-1]
    assert ("ControlMaster=yes" in first, "ControlMaster=yes" in second) == (True, False)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_the_container(machine: PretendedMachine, number: signal.Signals, code: int) -> None:
    """And gives captain's exit code. Its handlers are taken back."""
    before = signal.getsignal(number)

    def send() -> None:
        until(lambda: bool(machine.calls("run")) and NAME in machine.left)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    found = ended("sleep", "1000")
    thread.join()
    assert (found.exit_code, found.stopped) == (code, number)
    assert machine.calls("stop") == [f"stop -t 1 {NAME}"]
    assert (machine.left, signal.getsignal(number)) == ([], before)


def test_a_client_that_dies_leaves_nothing(machine: PretendedMachine) -> None:
    """The guard's input ends with it."""
    program = f"""
from fleetcaptain.fleet import root_command
from fleetcaptain.oneoff import machine_scripts
machine_scripts._FOLDER, root_command._ROOT = {machine_scripts._FOLDER!r}, {root_command._ROOT!r}
from tests.unit.oneoff.test_remote_session import ENDPOINT, guarded_session, session
guarded_session(ENDPOINT, session("sleep", "1000"))
"""
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        until(lambda: NAME in machine.left)
        process.kill()
    until(lambda: not machine.left)
    assert machine.calls("stop") == [f"stop -t 1 {NAME}"]


def test_a_client_that_is_silent_leaves_nothing(machine: PretendedMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when its computer or the network is gone: no connection closes then."""
    monkeypatch.setattr(machine_scripts, "_SILENT_SEC", 1)
    assert ended("sleep", "1000") == Ended(143)
    assert machine.left == []


def test_beats_keep_it(machine: PretendedMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than the machine waits for one."""
    monkeypatch.setattr(machine_scripts, "_SILENT_SEC", 1)
    monkeypatch.setattr(guard_module, "BEAT_SEC", 0.1)
    assert ended("sleep", "1.5") == Ended(0)
    assert machine.calls("stop") == []


def test_an_output_that_is_closed_early_leaves_nothing(machine: PretendedMachine) -> None:
    """ssh fails then, and its exit code says nothing about the container."""
    assert ended("sh", "-c", "exit 255") == Ended(255)
    assert machine.calls("stop") == [f"stop -t 1 {NAME}"]
    assert machine.left == []


def test_a_lost_connection_is_known_by_the_guards(machine: PretendedMachine) -> None:
    """An exit code of 255 alone may be the command's."""
    guard = f'$(head -n 1 "{machine.box}/pids")'
    assert ended("sh", "-c", f"kill -KILL {guard}; exit 255") == Ended(255, lost=True)


def test_a_machine_that_does_not_answer_is_named(machine: PretendedMachine) -> None:
    """With ssh's reason; nothing was started."""
    (machine.box / "fail").touch()
    for start in (lambda: ended("true"), lambda: start_detached(ENDPOINT, "core@10.0.0.1", ["true"], "")):
        with pytest.raises(ClusterUnreachable, match=r"core@10.0.0.1: ssh: connect to host m1: No route to host"):
            start()
    assert machine.calls("run") == []


def test_a_script_that_arrives_in_part_is_not_run(machine: PretendedMachine) -> None:
    """The connection broke while it was sent."""
    whole = session("true")
    part = Session(whole.host, whole.id, whole.guard, whole.script[:-5], whole.streams, 1)
    guard = Guard(part.guard, part.script, machine.box / "socket")
    guard.end(10)
    assert (machine.left, machine.calls("run")) == ([], [])


def test_the_units_environment_is_systemds(machine: PretendedMachine, tmp_path: Path) -> None:
    """The shell gets it from a process of systemd's with the same files."""
    systemd_run = tmp_path / "bin" / "systemd-run"
    systemd_run.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$*" >"$BOX/systemd"\nPASSED="it\'s \\$1" exec sh -c "export -p"\n'
    )
    systemd_run.chmod(0o755)
    words = ("docker", "run", f"--name={NAME}", "image", "sh", "-c", 'echo "$0" >"$BOX/seen"', "\0PASSED\0")
    script = client_script(words, Environment(("EnvironmentFile=-/etc/environment", 'Environment="A=1 2"')), "1f2e")
    guard = tuple(guard_argv("1f2e", script, NAME, 1))
    found = guarded_session(ENDPOINT, Session("core@10.0.0.1", "1f2e", guard, script, Streams(), 1))
    assert (found.code, (machine.box / "seen").read_text()) == (0, "it's $1\n")
    assert '-p EnvironmentFile=-/etc/environment -p Environment="A=1 2"' in (machine.box / "systemd").read_text()


def test_a_detached_one_is_a_unit_with_a_limit(machine: PretendedMachine, tmp_path: Path) -> None:
    """systemd runs the script, and removes the container at its end."""
    systemd_run = tmp_path / "bin" / "systemd-run"
    systemd_run.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$BOX/systemd"\n')
    systemd_run.chmod(0o755)
    script = session("true").script
    start_detached(
        ENDPOINT, "core@10.0.0.1", detach_argv("1f2e", script, NAME, "shop-web-run-1f2e.service", 60), script
    )
    arguments = (machine.box / "systemd").read_text().splitlines()
    assert {"--unit=shop-web-run-1f2e.service", "--property=RuntimeMaxSec=60"} <= set(arguments)
    assert f"--property=ExecStopPost=-/bin/sh -c 'docker rm -fv {NAME} >/dev/null 2>&1'" in arguments
    assert Path(arguments[-1]).read_text() == script


def test_the_exit_code_after_a_signal_is_a_shells() -> None:
    """Of a signal that stopped this process, and of one that ended ssh."""
    assert [Ended(7).exit_code, Ended(143, signal.SIGINT).exit_code, Ended(-9).exit_code] == [7, 130, 137]


def test_a_missing_ssh_is_named() -> None:
    """The process goes on to say so."""
    with pytest.raises(ClusterUnreachable, match="OpenSSH"):
        become(["/nothing"])
