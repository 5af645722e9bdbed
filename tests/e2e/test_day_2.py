"""Machines and scale, and saved plans: what an operator does between two deployments."""

from __future__ import annotations

import json
import re

from fleetcaptain.rollout.cordon import on_machine
from tests.e2e.stack import Stack
from tests.faults.history import recorded
from tests.faults.machine_faults import alive, etcd_answer, killed, machine_of, machines, run_on, settled, until
from tests.faults.wrong_clock import wrong_clock


def test_a_saved_plan_binds_the_code(stack: Stack) -> None:
    """A changed source file and a changed Fleetfile are named in one sentence, and nothing is touched. As planned it is
    applied."""
    plan = str(stack.home / "plan.json")
    stack.must("preview", "--save-plan", plan)
    before = stack.unit_hashes()
    changes = {
        "behavioral/worker.py": (
            '"""A worker',
            "the files of the image behavioral changed (written since: behavioral/worker.py)",
        ),
        "Fleetfile.py": ("instances=4", "the number of instances of app_server changed"),
    }
    for path, (old, said) in changes.items():
        with stack.edited(path, {old: old.replace("4", "5").replace("A worker", "Another")}):
            error = stack.fails("up", "--yes", "--skip-preview", "--plan", plan).output
        assert f"since it was made, {said}" in error
        assert "violates plan" not in error
    assert stack.unit_hashes() == before
    applied = stack.must("up", "--yes", "--skip-preview", "--plan", plan)
    assert set(applied.counts) == {"unchanged"}


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


def test_the_doctor_finds_a_wrong_clock(stack: Stack) -> None:
    """And nothing on machines that are as they have to be."""
    fine = stack.captain("doctor")
    print(fine.output)
    assert fine.code == 0
    assert "No problem found on 3 machines (etcd 3.5" in fine.output
    with wrong_clock(machines(stack)["m2"], 20):
        found = json.loads(stack.captain("doctor", "--json").output)
    # Others may follow from it: fleet may have taken the machine for lost.
    (finding,) = [one for one in found if "clock" in one["what"]]
    assert re.fullmatch(r"its clock is (19|20|21) s ahead of this computer's", finding["what"])
    assert finding["where"].endswith(".12")
    until(lambda: settled(stack.cluster()), "fleet sees the machine with its clock")


def test_a_machine_in_maintenance_stays_empty_when_a_service_is_scaled(stack: Stack) -> None:
    """Its instances move one at a time, and new ones go elsewhere. The next deployment shows the number, takes it back,
    and leaves the machine empty, until the maintenance ends."""
    until(lambda: settled(stack.cluster()), "all machines are there")
    assert stack.captain("rebalance").code == 0
    snapshot = stack.cluster().snapshot()
    texts = {unit.text for name, unit in snapshot.units.items() if name.startswith("app_server@")}
    single = {unit.machine_id for name, unit in snapshot.units.items() if name.startswith(("redis-", "important_"))}
    id_, machine = next(one for one in snapshot.machines.items() if one[0] not in single)
    before = on_machine(snapshot, id_)
    assert before
    with recorded(stack.cluster(), "app_server") as history:
        done = stack.captain("maintenance", "on", machine.ip)
    print(done.output)
    assert done.code == 0, done.output
    assert all(name in done.output.splitlines()[-2] for name in before)
    assert history.least >= 3
    for number in (5, 3):
        done = stack.captain("scale", "app_server", str(number))
        print(done.output)
        assert (done.code, f"-> {number} instances" in done.output) == (0, True), done.output
        units = stack.cluster().snapshot().units
        found = {name: unit.text for name, unit in units.items() if name.startswith("app_server@")}
        assert found == {f"app_server@{one}.service": text for one in range(1, number + 1) for text in texts}
        assert on_machine(stack.cluster().snapshot(), id_) == ()
    preview = stack.preview().output
    assert re.search(r"instances *: 3 => 4", preview)
    assert f"{machine.ip} is in maintenance" in preview
    stack.up()
    assert (on_machine(stack.cluster().snapshot(), id_), sum(_spread(stack, "app_server"))) == ((), 4)
    done = stack.captain("maintenance", "off", machine.ip)
    assert (done.code, f"fleet uses {machine.ip} again" in done.output) == (0, True), done.output
    planned = json.loads(stack.captain("rebalance", "--dry-run", "--json").output.splitlines()[-1])
    assert {move["to"] for move in planned} == {machine.ip}
    stack.rests()


def test_a_service_under_maintenance_is_out_of_discovery_while_it_runs(stack: Stack) -> None:
    """For every reader, also after a restart of a unit, and for a new instance, which becomes healthy as ever. Then all
    are back, and nothing else has changed."""
    until(lambda: settled(stack.cluster()), "all machines are there")
    unit, folder = "app_server@1.service", "keys/fleetcaptain/behavioral/services/app_server"

    def runs() -> set[tuple[str, str]]:
        states = stack.cluster().snapshot().states
        return {(state.name, state.sub) for state in states if state.name.startswith("app_server@")}

    def values() -> dict[str, dict[str, object]]:
        nodes = etcd_answer(machines(stack)["m1"], folder)["node"]["nodes"]
        return {node["key"].rpartition("/")[2]: json.loads(node["value"]) for node in nodes}

    before, containers = values(), runs()
    done = stack.captain("maintenance", "on", "app_server")
    print(done.output)
    assert done.code == 0, done.output
    assert values() == {name: {**value, "draining": True, "maintenance": True} for name, value in before.items()}
    for command in ("discover", "ensure-available"):
        found = stack.captain(command, "app_server")
        assert (found.code, "under maintenance" in found.output) == (3, True), found.output
    assert runs() == containers
    run_on(machine_of(stack, unit), "systemctl", "restart", unit)
    again = values()[unit]
    assert again["since"] != before[unit]["since"]
    assert (again["draining"], again["maintenance"]) == (True, True)
    done = stack.captain("scale", "app_server", "5")
    assert done.code == 0, done.output
    assert [value.get("maintenance") for value in values().values()] == [True] * 5
    status = stack.captain("status")
    print(status.output, stack.captain("doctor").output)
    assert re.search(r"app_server +drift +5/4", status.output)
    assert "app_server is under maintenance, by " in status.output
    assert stack.captain("scale", "app_server", "4").code == 0
    assert stack.captain("status").code == 0
    done = stack.captain("maintenance", "off", "app_server")
    print(done.output)
    assert done.code == 0, done.output
    assert not [value for value in values().values() if "draining" in value or "maintenance" in value]
    for command in ("discover", "ensure-available"):
        assert len(stack.captain(command, "app_server").output.splitlines()) == 4
    stack.rests()
