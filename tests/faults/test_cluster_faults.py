"""Faults of the cluster in the middle of a rollout: it pauses and goes on, and takes none of them for a bad release."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fleetcaptain.rollout.observe import observe
from tests.e2e.stack import Stack
from tests.faults.history import History, recorded
from tests.faults.machine_faults import (
    alive,
    leader,
    machine_of,
    machines,
    run_on,
    settled,
    unstoppable,
    until,
    without_etcd,
)
from tests.faults.running import Running, running
from tests.faults.temporary_change import Change


@contextmanager
def rolling(stack: Stack) -> Iterator[tuple[Running, History]]:
    """A rollout of which one instance is done; in the end all have the new text, and when the cluster has come to rest
    a next ``up`` has nothing to do."""
    change = Change(stack)
    stack.edit("Fleetfile.py", change.edits)
    with recorded(stack.cluster(), "app_server") as history:
        with running(stack) as run:
            run.until(r"app_server .*1/4 healthy")
            yield run, history
            result = run.end()
        assert result.code == 0, result.output
        assert change.everywhere(stack)
        cluster = stack.cluster()
        until(lambda: settled(cluster), "the cluster has come to rest")
        stack.rests()


def test_a_machine_that_dies_and_comes_back(stack: Stack) -> None:
    """fleet takes its units elsewhere; the rollout waits for them and goes on."""
    cluster = stack.cluster()
    with rolling(stack) as (run, history):
        victim = machines(stack)["m3"]
        victim.kill()
        until(lambda: alive(cluster) == 2, "fleet sees that the machine is lost")
        victim.start()
        until(lambda: alive(cluster) == 3, "the machine is back")
        assert run is not None
    assert len(history.turns) == len(set(history.turns))


def test_a_fleetd_that_is_killed(stack: Stack) -> None:
    """systemd starts it again before fleet takes its machine for lost: units run on, and where they are."""
    before = _places(stack)
    with rolling(stack) as (_, history):
        for machine in machines(stack).values():
            run_on(machine, "systemctl", "kill", "--signal=SIGKILL", "fleet.service")
    assert history.least >= 3
    assert _places(stack) == before


@pytest.mark.parametrize("find", [leader, lambda _stack: "m1"], ids=["the leader", "where we come in"])
def test_a_member_of_etcd_that_stops(stack: Stack, find: Callable[[Stack], str]) -> None:
    """Another leader is elected, and another machine is the way in."""
    with rolling(stack) as (_, history), without_etcd(stack, (find(stack),)):
        cluster = stack.cluster()
        until(lambda: bool(cluster.snapshot().units), "the others have a leader")
    assert history.least >= 3


def test_twenty_seconds_without_a_quorum(stack: Stack) -> None:
    """Nothing can be read or changed meanwhile; the time does not count. fleet may take machines for lost when there is
    one again, and move their units, so only its own rollouts are judged: they do not overlap."""
    with rolling(stack) as (_, history), without_etcd(stack, ("m2", "m3")):
        time.sleep(20)  # the fault itself
    assert len(history.turns) == len(set(history.turns))


def test_fleetctl_in_between(stack: Stack) -> None:
    """What somebody stops or destroys by hand while it rolls is rolled all the same."""
    with rolling(stack) as (_, _history):
        stack.fleetctl("stop", "--no-block", "app_server@1.service")
        stack.fleetctl("destroy", "app_server@4.service")


def test_a_second_rollout_at_the_same_time(stack: Stack) -> None:
    """It is refused, told who rolls, and touches nothing; the first one goes on."""
    with rolling(stack) as (_, history):
        second = stack.captain("restart", "app_server")
    assert second.code == 6
    assert "app_server is being rolled out by" in second.output
    assert history.least >= 3
    assert len(history.turns) == len(set(history.turns))


def test_a_start_that_overtakes_its_stop(stack: Stack) -> None:
    """fleet stops the old text and starts the new one without a wait between. Where systemd drops that stop, the old
    process runs on, and fleet takes it for the new one: the rollout sees that, and starts it again."""
    unit = "app_server@4.service"
    cluster = stack.cluster()
    before = cluster.snapshot().units[unit].unit_hash
    with rolling(stack) as (_, history), unstoppable(machine_of(stack, unit), unit):
        until(lambda: observe(unit, cluster.snapshot()).running not in (None, before), "fleet takes it for the new one")
        assert observe(unit, cluster.snapshot()).registered == before
    assert history.least >= 3


def _places(stack: Stack) -> dict[str, str | None]:
    """Unit -> the machine that it is on, of those that nobody rolls."""
    units = stack.cluster().snapshot().units
    return {name: unit.machine_id for name, unit in units.items() if not name.startswith("app_server@")}
