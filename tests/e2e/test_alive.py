"""Instances that hang are out of discovery, and come back restarted; all of them at once are left alone."""

from __future__ import annotations

import re

import pytest

from fleetcaptain.discovery.documents import Registration
from tests.e2e.stack import Stack
from tests.faults.machine_faults import machine_of, machines, run_on, until

_FLEETFILE = """
from fleetcaptain import Alive, Fleetfile, Http, Rolling, Service

fleet = Fleetfile(
    app="behavioral",
    image="hackuman/behavioral",
    services=[
        Service(
            "web",
            command="python3 -m behavioral.hanging",
            instances=3,
            ports=["8080-8089:80"],
            ready=Http("/health"),
            alive=Alive(Http("/alive"), every_sec=5, failures=2, grace_sec=0),
            stop_sec=1,
            rollout=Rolling(min_healthy_sec=30),
        ),
    ],
)
"""
_SERVER = """
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if os.path.exists("/hang"):
            threading.Event().wait()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


ThreadingHTTPServer(("0.0.0.0", 80), Handler).serve_forever()
"""
_UNITS = tuple(f"web@{number}.service" for number in (1, 2, 3))


@pytest.fixture
def web(stack: Stack) -> Stack:
    """The stack with servers that hang while a file is in their container."""
    fleetfile = stack.app / "Fleetfile.py"
    if fleetfile.read_text() != _FLEETFILE:
        fleetfile.write_text(_FLEETFILE)
        (stack.app / "behavioral" / "hanging.py").write_text(_SERVER)
        stack.set("strays", "remove")
        stack.up()
    return stack


def _registered(stack: Stack) -> dict[str, Registration]:
    return dict(stack.cluster().snapshot().registrations)


def _in_containers(stack: Stack, units: tuple[str, ...], *argv: str) -> None:
    """Run a command in the containers of *units*, with as little time in between as possible: an instance that hangs
    some seconds before the others is restarted."""
    there = {unit: machine_of(stack, unit) for unit in units}
    for unit, machine in there.items():
        number = unit.removeprefix("web@").removesuffix(".service")
        run_on(machine, "docker", "exec", f"fc.behavioral.web.{number}", *argv)


def _log(stack: Stack) -> str:
    """What the machines' agents decided."""
    argv = ("journalctl", "-t", "fleetcaptain-agent", "-o", "cat", "--no-pager")
    return "".join(run_on(machine, *argv) for machine in machines(stack).values())


def _serve(stack: Stack, since: dict[str, str]) -> bool:
    """Whether all instances are in discovery, as they were registered then."""
    found = _registered(stack)
    return {unit: found[unit].since for unit in _UNITS if unit in found and not found[unit].draining} == since


def test_an_instance_that_hangs_is_restarted(web: Stack) -> None:
    """Out of discovery first; the others go on."""
    before = {unit: entry.since for unit, entry in _registered(web).items() if unit in _UNITS}
    _in_containers(web, _UNITS[:1], "touch", "/hang")
    out = until(lambda: bool(_registered(web)[_UNITS[0]].failing), "it is out of discovery")
    assert _registered(web)[_UNITS[0]].draining

    def is_back() -> bool:
        entry = _registered(web).get(_UNITS[0])
        return entry is not None and not entry.draining and entry.since != before[_UNITS[0]]

    back = until(is_back, "it is restarted")
    print(f"out of discovery after {out:.1f} s, back after {out + back:.1f} s")
    after = {unit: entry.since for unit, entry in _registered(web).items() if unit in _UNITS}
    assert {unit: after[unit] for unit in _UNITS[1:]} == {unit: before[unit] for unit in _UNITS[1:]}
    assert f"restarting {_UNITS[0]}: its alive check fails: no answer to GET /alive" in _log(web)
    assert not [node.key for node in web.cluster().store.below("/fleetcaptain/behavioral/restarts/web")]
    web.rests()


def test_none_is_restarted_when_all_hang(web: Stack) -> None:
    """What they need may be down. They are back when it is."""
    before = {unit: entry.since for unit, entry in _registered(web).items() if unit in _UNITS}
    _in_containers(web, _UNITS, "touch", "/hang")
    until(lambda: all(_registered(web)[unit].failing for unit in _UNITS), "all are out of discovery")
    # The first to decide may find two: it says so once.
    why = r"is not restarted: [23] of 3 instances of web fail, so something that they need may be down"
    until(lambda: all(re.search(f"{unit} {why}", _log(web)) for unit in _UNITS), "all decided")
    _in_containers(web, _UNITS, "rm", "/hang")
    until(lambda: _serve(web, before), "all are back, none was restarted")
    web.rests()


def test_a_version_whose_alive_check_fails_is_rolled_back(web: Stack) -> None:
    """It is ready, and hangs within its bake time."""
    before = {unit: entry.since for unit, entry in _registered(web).items() if unit in _UNITS}
    hangs = {
        'os.path.exists("/hang")': 'self.path == "/alive"',
    }
    with web.edited("behavioral/hanging.py", hangs):
        error = web.fails().error
    assert "its alive check fails: no answer to GET /alive on container port 80" in error
    assert "rolled back to their old text" in error
    after = {unit: entry.since for unit, entry in _registered(web).items() if unit in _UNITS}
    assert sum(after[unit] != before[unit] for unit in _UNITS) == 1
    assert "restarting" not in "".join(line for line in _log(web).splitlines() if _UNITS[1] in line)
    web.up()  # the image and the release of the failed version are in Pulumi's state
    web.rests()
