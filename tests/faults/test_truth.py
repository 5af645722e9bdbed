"""What discovery says stays true under faults: nothing that is gone is named, nothing that is there is forgotten."""

from __future__ import annotations

import time

from fleetcaptain.rollout.observe import Snapshot
from tests.e2e.stack import Stack
from tests.faults.history import recorded
from tests.faults.machine_faults import alive, leader, machines, run_on, until, without_etcd


def _registered(stack: Stack) -> dict[str, str]:
    """Unit -> since when it is registered."""
    return {unit: entry.since for unit, entry in stack.cluster().snapshot().registrations.items()}


def test_a_killed_container_is_out_of_discovery_before_it_is_back(stack: Stack) -> None:
    """Its unit takes the registration away when it ends, and registers anew when it is ready."""
    cluster = stack.cluster()
    before = _registered(stack)
    where = cluster.snapshot().registrations["app_server@1.service"].host
    machine = next(one for one in machines(stack).values() if where in run_on(one, "cat", "/etc/environment"))
    run_on(machine, "docker", "kill", "fc.behavioral.app_server.1")
    gone = until(lambda: "app_server@1.service" not in cluster.snapshot().registrations, "it is out of discovery")
    back = until(lambda: "app_server@1.service" in cluster.snapshot().registrations, "it is back")
    print(f"out of discovery after {gone:.1f} s, back after another {back:.1f} s")
    assert _registered(stack)["app_server@1.service"] > before["app_server@1.service"]


def test_a_dead_machines_registrations_go_after_it_is_known_lost(stack: Stack) -> None:
    """Not before: until then fleet believes that its units run, and they may."""
    cluster = stack.cluster()
    registered = cluster.snapshot().registrations
    address = max(entry.host for entry in registered.values())
    before = {unit for unit, entry in registered.items() if entry.host == address}
    names = {there: name for name, there in stack.outputs()["machines"].items()}
    victim = machines(stack)[names[address]]
    with recorded(cluster, "app_server") as history:
        victim.kill()
        lost = until(lambda: alive(cluster) == 2, "fleet sees that the machine is lost")
        believed = [look for look in history.looks if len(look.machines) == 3]
        gone = lost + until(
            lambda: not any(entry.host == address for entry in cluster.snapshot().registrations.values()),
            "its registrations are gone",
        )
        victim.start()
        until(lambda: alive(cluster) == 3, "the machine is back")
    print(f"known lost after {lost:.1f} s, its registrations gone after {gone:.1f} s")
    assert believed
    for look in believed:
        assert {unit for unit, entry in look.registrations.items() if entry.host == address} == before
    stack.up()
    stack.rests()


def test_no_registration_is_lost_or_comes_back_without_a_quorum(stack: Stack) -> None:
    """Half a minute without one, and then another leader. fleet itself moves units after an outage as long as its
    ``agent_ttl``, so the places may differ; what is registered runs, where it says, and what runs is registered."""
    cluster, before = stack.cluster(), set(_registered(stack))
    with without_etcd(stack, ("m2", "m3")):
        time.sleep(30)  # the fault itself
    until(lambda: _true_of(cluster.snapshot()) == before, "all that ran is registered where it runs")
    with without_etcd(stack, (leader(stack),)):
        until(lambda: _true_of(cluster.snapshot()) == before, "there is another leader, and all is as it was")
    until(lambda: _true_of(cluster.snapshot()) == before and alive(cluster) == 3, "all members are back")
    stack.up()
    stack.rests()


def _true_of(snapshot: Snapshot) -> set[str]:
    """The units that are registered where they are active; nothing if any other is registered."""
    live = {entry.unit for entry in snapshot.live}
    return live if live == snapshot.registrations.keys() else set()
