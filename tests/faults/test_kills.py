"""``kill -9`` at every step of a rollout: the app stays up, and the next ``up`` continues or goes back."""

from __future__ import annotations

import pytest

from tests.e2e.stack import Stack
from tests.faults.history import History, recorded
from tests.faults.machine_faults import until
from tests.faults.running import running
from tests.faults.temporary_change import Change

_FIRST = "app_server@1.service"
_STEPS = {
    "image": r"app_server .*pulling the image",
    "put": r"app_server .*0/4 healthy, app_server@\d.*waiting for fleet",
    "down": r"app_server .*0/4 healthy",
    "bake": r"app_server .*0/4 healthy",
    "second": r"app_server .*1/4 healthy",
    "last": r"app_server .*3/4 healthy",
    "gate": r"behavioral-ready (updating|creating)",
}


@pytest.mark.parametrize(
    ("step", "victim"),
    [*((step, "pulumi") for step in _STEPS), ("bake", "provider"), ("gate", "provider")],
)
def test_the_next_up_continues_after_a_kill(stack: Stack, step: str, victim: str) -> None:
    """Never more than one instance is down, no two rollouts overlap, and in the end all have the new text."""
    change = Change(stack)
    stack.edit("Fleetfile.py", change.edits)
    with recorded(stack.cluster(), "app_server") as history:
        with running(stack) as run:
            run.until(_STEPS[step])
            _reach(step, history)
            run.kill(victim)
            run.end()
        stack.free()
        stack.up()
    assert history.least >= 3
    assert len(history.turns) == len(set(history.turns))
    assert change.everywhere(stack)
    stack.rests()


def _reach(step: str, history: History) -> None:
    """Wait for a state of the first instance that a deployment has no line for."""

    def registered() -> str:
        entry = history.looks[-1].registrations.get(_FIRST)
        return entry.unit_hash if entry is not None else ""

    if step == "down":
        until(lambda: not registered(), "the first instance is down")
    elif step == "bake":
        until(lambda: registered() == history.looks[-1].units[_FIRST].unit_hash, "the first instance is new")


@pytest.mark.parametrize("step", ["second", "last"])
def test_with_the_old_fleetfile_it_goes_back_after_a_kill(stack: Stack, step: str) -> None:
    """What was half-rolled is taken back by whoever deploys the old version next."""
    cluster = stack.cluster()
    before = {name: unit.unit_hash for name, unit in cluster.snapshot().units.items()}
    with recorded(cluster, "app_server") as history:
        with stack.edited("Fleetfile.py", Change(stack).edits), running(stack) as run:
            run.until(_STEPS[step])
            run.kill("pulumi")
            run.end()
        stack.free()
        stack.up()
    assert history.least >= 3
    assert {name: unit.unit_hash for name, unit in cluster.snapshot().units.items()} == before


def test_a_first_interrupt_stops_after_the_present_step(stack: Stack) -> None:
    """It says how to go on, leaves nothing locked, and the next up goes on."""
    change = Change(stack)
    stack.edit("Fleetfile.py", change.edits)
    with running(stack) as run:
        run.until(_STEPS["second"])
        run.interrupt()
        result = run.end()
    assert result.code != 0
    assert "stopped on request" in result.output
    assert "continues from here" in result.output
    stack.up()
    assert change.everywhere(stack)
