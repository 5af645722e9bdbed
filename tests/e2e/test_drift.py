"""What stands still is found and started, what is bound to a rolled unit comes back with it, and a task is done."""

from __future__ import annotations

import pytest

from fleetcaptain.rollout.observe import observe
from tests.e2e.stack import Stack
from tests.faults.history import recorded
from tests.faults.machine_faults import machine_of, run_on

_FLEETFILE = """
from fleetcaptain import Fleetfile, Rolling, Service

quick = Rolling(min_healthy_sec=2, healthy_deadline_sec=40)
fleet = Fleetfile(
    app="behavioral",
    image="hackuman/behavioral",
    services=[
        Service("web", start="/bin/sleep infinity", instances=3, rollout=quick),
        Service(
            "announcer",
            start="/bin/sleep infinity",
            instances=3,
            requires=["web"],
            unit={"BindsTo": "web@%i.service", "After": "web@%i.service"},
            x_fleet={"MachineOf": "web@%i.service"},
            rollout=quick,
        ),
        Service("migrate", command="true", service={"Type": "oneshot"}, ports=[80], rollout=quick),
        # more
    ],
)
"""
# The gate comes when `job` has ended.
_JOB = """
        Service("job", start="/bin/sleep 6", service={"Restart": "on-failure"}, rollout=quick),
        Service("later", start="/bin/sleep infinity", before_start="/bin/sleep 10", requires=["job"], rollout=quick),
"""
_AGENT = "behavioral-agent.service"


@pytest.fixture
def states(stack: Stack) -> Stack:
    """The stack with services that stand still, are bound to others, or end."""
    fleetfile = stack.app / "Fleetfile.py"
    if fleetfile.read_text() != _FLEETFILE:
        fleetfile.write_text(_FLEETFILE)
        stack.set("strays", "remove")
        stack.up()
    return stack


def _down(stack: Stack) -> list[str]:
    """The units of the app that do not run, or are not registered."""
    snapshot = stack.cluster().snapshot()
    return [name for name in snapshot.units if name != _AGENT and not observe(name, snapshot).serving]


def _since(stack: Stack, unit: str) -> str:
    """When a unit registered itself: every start does."""
    return stack.cluster().snapshot().registrations[unit].since


def test_what_was_stopped_on_its_machine_is_named_and_started_again(states: Stack) -> None:
    """fleet takes it for launched, and what systemd stopped with it as well. The machine agent starts again, too."""
    run_on(machine_of(states, "web@1.service"), "systemctl", "stop", "web@1.service", _AGENT)
    shown = states.preview().output
    assert "web@1.service inactive" in shown
    assert "announcer@1.service inactive" in shown
    assert f"{_AGENT} inactive" in shown
    states.up()
    assert _down(states) == []
    agents = [state.active for state in states.cluster().snapshot().states if state.name == _AGENT]
    assert agents == ["active"] * 3
    states.rests()


def test_what_is_bound_to_a_unit_comes_back_in_its_rollout_one_at_a_time(states: Stack) -> None:
    """The announcers of a service are never all away."""
    with (
        states.edited("Fleetfile.py", {'"web", start': '"web", restart_sec=7, start'}),
        recorded(states.cluster(), "announcer") as history,
    ):
        states.up()
    assert history.least >= 2
    assert _down(states) == []
    states.up()
    assert _down(states) == []


def test_a_restart_brings_back_what_is_bound(states: Stack) -> None:
    """By the same driver."""
    before = _since(states, "announcer@2.service")
    done = states.captain("restart", "web", "--min-healthy", "1")
    assert done.code == 0, done.output
    assert _down(states) == []
    assert _since(states, "announcer@2.service") > before
    states.rests()


def test_a_task_is_done_stays_so_and_runs_again_when_it_changes(states: Stack) -> None:
    """It is registered, without the ports that it had while it ran."""
    snapshot = states.cluster().snapshot()
    task = observe("migrate@1.service", snapshot)
    assert (task.active, task.sub, task.serving) == ("active", "exited", True)
    assert snapshot.registrations["migrate@1.service"].ports == {}
    before = _since(states, "migrate@1.service")
    with states.edited("Fleetfile.py", {'command="true"': 'command="sleep 1"'}):
        states.up()
        assert _since(states, "migrate@1.service") > before
        states.rests()
    states.up()


def test_a_task_that_fails_is_taken_back_and_says_so(states: Stack) -> None:
    """With its exit code and its own words."""
    before = states.cluster().snapshot().units["migrate@1.service"].unit_hash
    with states.edited("Fleetfile.py", {'command="true"': "command=\"sh -c 'echo no such column; exit 3'\""}):
        error = states.fails().error
    assert "migrate@1.service on " in error
    assert "exit code 3" in error
    assert "no such column" in error
    assert "were rolled back to their old text" in error
    assert states.cluster().snapshot().units["migrate@1.service"].unit_hash == before
    assert _down(states) == []
    states.up()
    states.rests()


def test_the_gate_says_why_a_service_stands_still(states: Stack) -> None:
    """It ended well, and nothing starts it again."""
    states.set("readyTimeoutSec", "5")
    with states.edited("Fleetfile.py", {"        # more\n": _JOB}):
        error = states.fails().error
        assert (
            "inactive/dead, not registered: its command exited successfully, and Restart=on-failure does not" in error
        )
        assert 'set service={"Type": "oneshot"} if it is a task that ends' in error
        assert "job@1.service inactive" in states.preview().output
        states.edit("Fleetfile.py", {'service={"Restart": "on-failure"}': 'service={"Type": "oneshot"}'})
        states.up()
        states.rests()
    states.up()
