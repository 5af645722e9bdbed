"""What discovery says stays true under faults: nothing that is gone is named, nothing that is there is forgotten."""

from __future__ import annotations

import time

from fleetcaptain.rollout.observe import Snapshot
from tests.e2e.stack import Stack
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
