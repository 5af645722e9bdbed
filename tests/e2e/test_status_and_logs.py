"""`captain status`, `logs` and `discover` on a real cluster: in a rollout, with a dead machine, with etcd away."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.stack import Stack
from tests.faults.machine_faults import machines, paused, settled, until, without_etcd

_FLEETFILE = """
from fleetcaptain import BlueGreen, Fleetfile, Rolling, Service

fleet = Fleetfile(
    app="behavioral",
    image="hackuman/behavioral",
    services=[
        Service(
            "talker",
            description="First",
            command="python3 -u -m behavioral.talking",
            instances=12,
            stop_sec=2,
            rollout=Rolling(min_healthy_sec=1, max_parallel=4),
        ),
        Service("store", command="python3 -u -m behavioral.talking", instances=True, stop_sec=2),
    ],
)
"""
# One numbered line every half second, with a name that each process has for itself.
_TALKER = """
import itertools
import os
import signal
import time
import uuid

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
run = uuid.uuid4().hex
for number in itertools.count():
    print(f"{os.environ['FLEETCAPTAIN_UNIT']} {run} {number}")
    time.sleep(0.5)
"""
_LINE = re.compile(r"(talker@\d+) *\| (?:\x1b\[0m)?(talker@\d+)\.service ([0-9a-f]{32}) (\d+)\r?$")
_INSTANCES = {f"talker@{number}" for number in range(1, 13)}


@pytest.fixture
def talkers(stack: Stack) -> Stack:
    """The stack with twelve instances that talk, and one of a second service."""
    fleetfile = stack.app / "Fleetfile.py"
    if fleetfile.read_text() != _FLEETFILE:
        fleetfile.write_text(_FLEETFILE)
        (stack.app / "behavioral" / "talking.py").write_text(_TALKER)
        stack.set("strays", "remove")
        stack.up()
    until(lambda: settled(stack.cluster()), "all is registered")
    return stack


def _status(stack: Stack) -> dict[str, Any]:
    """What `captain status --json` says."""
    return dict(json.loads(stack.captain("status", "--json").output.splitlines()[-1]))


def _services(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {service["name"]: service for service in report["services"]}


@contextmanager
def _on_terminal(stack: Stack, *argv: str) -> Iterator[list[str]]:
    """``captain`` with *argv* on a pseudo-terminal, until the block ends; the lines that it shows."""
    master, terminal = pty.openpty()
    argv = ("captain", *argv, "--stack", stack.name)
    environ = {**stack.environ, "TERM": "xterm"}
    shown: list[str] = []

    def read() -> None:
        left = b""
        try:
            while chunk := os.read(master, 65536):
                *lines, left = (left + chunk).split(b"\n")
                shown.extend(line.decode(errors="replace") for line in lines)
        except OSError:
            return  # the other end is closed

    process = subprocess.Popen(argv, cwd=stack.root, env=environ, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield shown
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, shown[-5:]
    finally:
        process.kill()
        process.wait()
        reader.join(10)
        os.close(master)


def test_status_and_discovery_agree_with_what_is_there(talkers: Stack) -> None:
    """As JSON and as text, by the stack alone."""
    report, snapshot = _status(talkers), talkers.cluster().snapshot()
    assert (report["ok"], report["problems"], report["unanswered"], report["strays"]) == (True, [], [], [])
    assert {machine["id"] for machine in report["machines"]} == snapshot.machines.keys()
    assert {machine["state"] for machine in report["machines"]} == {"up"}
    assert (report["etcd"]["quorum"], len(report["etcd"]["members"])) == (True, 3)
    found = {one["unit"]: one for service in report["services"] for one in service["instances"]}
    assert found.keys() == {entry.unit for entry in snapshot.live}
    assert all(one["healthy"] and one["version"] == report["release"]["tag"] for one in found.values())
    assert {name: service["wanted"] for name, service in _services(report).items()} == {"talker": 12, "store": 1}
    text = talkers.captain("status")
    assert text.code == 0, text.output
    print(text.output)
    discovered = talkers.captain("discover", "store", "--json")
    assert discovered.code == 0, discovered.output
    assert [one["unit"] for one in json.loads(discovered.output)] == [unit for unit in found if "store" in unit]


def test_a_rollout_is_shown_and_its_logs_are_followed(talkers: Stack) -> None:
    """Status says how far it is. Of each process every line is shown once, in its order, from the old one's to the new
    one's; afterwards all of them are there by time."""
    seen: dict[str, Any] = {}
    began = time.monotonic()
    talkers.outputs()
    asked, began = time.monotonic() - began, time.monotonic()
    with _on_terminal(talkers, "logs", "talker", "-f", "-n", "12") as shown:
        until(lambda: any(map(_LINE.search, shown)), "the first line")
        print(f"first line after {time.monotonic() - began:.2f} s; pulumi alone took {asked:.2f} s")
        with (
            talkers.edited("Fleetfile.py", {'description="First"': 'description="Second"'}),
            talkers.start("up", "--yes", "--skip-preview") as process,
        ):

            def rolls() -> bool:
                rollout = _services(report := _status(talkers)).get("talker", {}).get("rollout")
                if rollout is not None and 0 < rollout["done"] < rollout["of"]:
                    seen.update(report)
                return bool(seen)

            until(rolls, "some instances have the new text")
            print(talkers.captain("status").output)
            output, _ = process.communicate()
            assert process.returncode == 0, output
        until(lambda: len(_runs(shown)) == 24, "both processes of every instance talked")
    until(lambda: not any(map(_follows, machines(talkers).values())), "nothing is left on the machines")
    rollout = _services(seen)["talker"]["rollout"]
    assert (rollout["of"], rollout["to"]) == (12, seen["release"]["pending"])
    assert seen["ok"], seen["problems"]
    runs = _runs(shown)
    assert {instance for instance, _ in runs} == _INSTANCES
    for key, numbers in runs.items():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), key
    assert any("\x1b[" in line for line in shown)
    done = talkers.captain("logs", "talker", "--json", "--lines", "all")
    assert done.code == 0, done.output
    entries = [json.loads(line) for line in done.output.splitlines()]
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    kept = {entry["message"] for entry in entries}
    assert {f"{instance}.service {run} {number}" for (instance, run), of in runs.items() for number in of} <= kept


def _follows(machine: Any) -> bool:
    """Whether a journal is followed on *machine*."""
    code, _ = machine.exec_run(["pgrep", "-f", "journalctl.*--follow"])
    return bool(code == 0)


def _runs(shown: list[str]) -> dict[tuple[str, str], list[int]]:
    """(instance, process) -> the numbers of its lines, as they were shown."""
    found: dict[tuple[str, str], list[int]] = {}
    for line in shown:
        match = _LINE.search(line)
        if match:
            assert match[1] == match[2]
            found.setdefault((match[1], match[3]), []).append(int(match[4]))
    return found


def test_a_dead_machine_is_named_and_the_others_are_shown(talkers: Stack) -> None:
    """Whichever machine the connection leads to first, also on a screen that was connected before."""
    address = next(one["address"] for one in _status(talkers)["machines"] if one["address"].endswith(".11"))
    names_it = re.compile(rf"{re.escape(address)} .*(silent|missing)")
    with _on_terminal(talkers, "status", "--watch") as screen, paused(machines(talkers)["m1"]):
        until(lambda: any(map(names_it.search, screen)), "the screen names the machine")

        def named() -> bool:
            states = {one["address"]: one["state"] for one in _status(talkers).get("machines", [])}
            return states.get(address) in ("silent", "missing") and list(states.values()).count("up") == 2

        until(named, "the machine is named")
        shown = talkers.captain("status")
        assert shown.code == 1
        print(shown.output)
        lines = talkers.captain("logs", "talker").output.splitlines()
        print("\n".join(lines[-20:]))
        assert any(line.startswith(f"{address} does not answer: ") for line in lines)
        assert len([line for line in lines if _LINE.search(line)]) > 50
    until(lambda: settled(talkers.cluster()), "the machine is back")


def test_status_answers_without_a_quorum(talkers: Stack) -> None:
    """With what one member knows; two machines have no etcd."""
    until(lambda: _status(talkers)["ok"], "what the test before has moved is healthy")
    with without_etcd(talkers, ("m1", "m2")):
        report = _status(talkers)
        assert report["etcd"]["quorum"] is False
        assert any("etcd has no quorum" in problem for problem in report["problems"])
        assert {name: service["healthy"] for name, service in _services(report).items()} == {"talker": 12, "store": 1}
        shown = talkers.captain("status")
        assert shown.code == 1
        print(shown.output)
    until(lambda: settled(talkers.cluster()), "the cluster is back")
