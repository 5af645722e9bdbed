"""Machines and scale, and saved plans: what an operator does between two deployments."""

from __future__ import annotations

import json
import re

from fleetcaptain.rollout.cordon import on_machine
from tests.e2e.stack import Stack
from tests.faults.history import recorded
from tests.faults.machine_faults import alive, killed, machines, settled, until
from tests.faults.wrong_clock import wrong_clock


def test_a_saved_plan_binds_the_code(stack: Stack) -> None:
    """A changed source file is named, and nothing is touched; as planned it is deployed."""
    plan = str(stack.home / "plan.json")
    server = {'GREETING = "': 'GREETING = "planned '}
    with stack.edited("behavioral/server.py", server):
        stack.must("preview", "--save-plan", plan)
        before = stack.cluster().snapshot().units
        with stack.edited("behavioral/worker.py", {'"""': '"""Another: '}):
            error = stack.fails("up", "--yes", "--skip-preview", "--plan", plan).output
        assert "since it was made, the files of the image behavioral changed" in error
        assert "(written since: behavioral/worker.py)" in error
        assert "violates plan" not in error
        with stack.edited("Fleetfile.py", {"instances=4": "instances=5"}):
            error = stack.fails("up", "--yes", "--skip-preview", "--plan", plan).output
        assert "since it was made, the number of instances of app_server changed" in error
        assert "violates plan" not in error
        assert stack.cluster().snapshot().units == before
        stack.must("up", "--yes", "--skip-preview", "--plan", plan)
        stack.rests()


def _spread(stack: Stack, service: str) -> list[int]:
    """How many instances of *service* the machines have, from the fewest to the most."""
    snapshot = stack.cluster().snapshot()
    placed = [unit.machine_id for name, unit in snapshot.units.items() if name.startswith(f"{service}@")]
    return sorted(placed.count(machine) for machine in snapshot.machines)


def test_a_machine_that_came_back_gets_its_share(stack: Stack) -> None:
    """The dry run says what happens, and then it does; one instance at a time is down. Afterwards there is nothing to
    do, neither here nor for a deployment."""
    with killed(machines(stack)["m3"]):
        until(lambda: alive(stack.cluster()) == 2, "fleet misses the machine")
        until(lambda: sum(_spread(stack, "app_server")) == 4, "fleet moved its instances")
        doctor = stack.captain("doctor")
        assert doctor.code == 1
        assert "it does not answer over SSH, and fleet does not see it" in doctor.output
    until(lambda: settled(stack.cluster()), "the machine is back")
    before = _spread(stack, "app_server")
    assert before[0] == 0
    dry = stack.captain("rebalance", "app_server", "--dry-run", "--json")
    assert (dry.code, _spread(stack, "app_server")) == (0, before)
    with recorded(stack.cluster(), "app_server") as history:
        done = stack.captain("rebalance", "app_server", "--json")
    print(dry.output, done.output)
    assert done.code == 0, done.output
    assert json.loads(done.output.splitlines()[-1]) == json.loads(dry.output.splitlines()[-1])
    assert _spread(stack, "app_server") == [1, 1, 2]
    assert history.least >= 3
    assert "Nothing to move" in stack.captain("rebalance", "app_server", "--dry-run").output
    stack.rests()


def test_a_scaled_service_keeps_its_number_until_a_deployment(stack: Stack) -> None:
    """More and fewer, with the deployed text. The preview shows it, and the deployment takes it back."""
    texts = {unit.text for name, unit in stack.cluster().snapshot().units.items() if name.startswith("app_server@")}
    for number in (5, 3):
        done = stack.captain("scale", "app_server", str(number))
        assert done.code == 0, done.output
        assert f"-> {number} instances" in done.output
        units = {
            name: unit for name, unit in stack.cluster().snapshot().units.items() if name.startswith("app_server@")
        }
        assert sorted(units) == [f"app_server@{one}.service" for one in range(1, number + 1)]
        assert {unit.text for unit in units.values()} == texts
    assert re.search(r"instances *: 3 => 4", stack.preview().output)
    stack.up()
    assert sum(_spread(stack, "app_server")) == 4
    refused = stack.captain("scale", "redis", "2")
    assert (refused.code, "replaced blue/green" in refused.output) == (2, True)
    stack.rests()


def test_the_doctor_finds_a_wrong_clock(stack: Stack) -> None:
    """And nothing on machines that are as they have to be."""
    fine = stack.captain("doctor")
    print(fine.output)
    assert fine.code == 0
    assert "No problem found on 3 machines (etcd 3.5" in fine.output
    with wrong_clock(machines(stack)["m2"], 20):
        found = json.loads(stack.captain("doctor", "--json").output)
    (finding,) = found
    assert re.fullmatch(r"its clock is (19|20|21) s ahead of this computer's", finding["what"])
    assert finding["where"].endswith(".12")


def test_a_machine_in_maintenance_is_empty(stack: Stack) -> None:
    """Its instances move one at a time, and neither a new instance nor a deployment uses it, until the maintenance
    ends."""
    units = stack.cluster().snapshot().units
    single = {unit.machine_id for name, unit in units.items() if name.startswith(("redis-", "important_queue@"))}
    id_, machine = next(one for one in stack.cluster().snapshot().machines.items() if one[0] not in single)
    before = on_machine(stack.cluster().snapshot(), id_)
    assert before
    with recorded(stack.cluster(), "app_server") as history:
        done = stack.captain("maintenance", "on", machine.ip)
    print(done.output)
    assert done.code == 0, done.output
    assert all(name in done.output for name in before)
    assert history.least >= 3
    assert on_machine(stack.cluster().snapshot(), id_) == ()
    assert f"{machine.ip} is in maintenance" in stack.preview().output
    assert stack.captain("scale", "app_server", "5").code == 0
    assert on_machine(stack.cluster().snapshot(), id_) == ()
    stack.up()
    assert on_machine(stack.cluster().snapshot(), id_) == ()
    stack.rests()
    done = stack.captain("maintenance", "off", machine.ip)
    assert (done.code, f"fleet uses {machine.ip} again" in done.output) == (0, True), done.output
    planned = json.loads(stack.captain("rebalance", "--dry-run", "--json").output.splitlines()[-1])
    assert {move["to"] for move in planned} == {machine.ip}
    stack.rests()
