"""What the machine reports, and how far that is from what was asked."""

from __future__ import annotations

import pytest

from fleetcaptain.fleet.entities import DesiredState, UnitEntity
from fleetcaptain.units.unit_file import UnitFile
from tests.contract.sites import Site
from tests.fakes.unit_texts import unit_hash

TEXT = "[Service]\nExecStart=/bin/sleep infinity\n"
OTHER = "[Service]\nExecStart=/bin/sleep 86400\n"
FAILING = "[Service]\nExecStart=/bin/false\n"
ENDING = "[Service]\nExecStart=/bin/true\n"
TASK = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
GLOBAL = f"{TEXT}\n[X-Fleet]\nGlobal=true\n"


def unit_of(site: Site, name: str) -> UnitEntity:
    """The unit, which must be there."""
    unit = site.client.unit(name)
    assert unit is not None
    return unit


def test_a_launched_unit_runs_under_our_hash(site: Site) -> None:
    """Then fleet, systemd and we agree on everything."""
    site.client.put("run.service", UnitFile.parse(TEXT), DesiredState.LAUNCHED)
    site.wait_for_state("run.service", unit_hash(TEXT), "active", "running")
    site.wait_for(lambda: unit_of(site, "run.service").current == "launched", "current launched")
    assert unit_of(site, "run.service").machine_id == site.machine.id


def test_a_launched_unit_may_have_failed(site: Site) -> None:
    """fleet's own "launched" says that it was started once, nothing of its health."""
    site.client.put("fail.service", UnitFile.parse(FAILING), DesiredState.LAUNCHED)
    site.wait_for_state("fail.service", unit_hash(FAILING), "failed", "failed")
    site.wait_for(lambda: unit_of(site, "fail.service").current == "launched", "current launched")


def test_a_launched_unit_may_have_ended(site: Site) -> None:
    """fleet goes on to call it launched, until it is asked to stop it; then it can be launched again."""
    site.client.put("end.service", UnitFile.parse(ENDING), DesiredState.LAUNCHED)
    site.wait_for(lambda: unit_of(site, "end.service").current == "launched", "current launched")
    site.wait_for_state("end.service", unit_hash(ENDING), "inactive", "dead")
    site.client.put("end.service", UnitFile.parse(ENDING), DesiredState.LAUNCHED)
    assert unit_of(site, "end.service").current == "launched"
    site.client.set_desired("end.service", DesiredState.LOADED)
    site.wait_for(lambda: unit_of(site, "end.service").current == "loaded", "current loaded")
    site.client.set_desired("end.service", DesiredState.LAUNCHED)
    site.wait_for(lambda: unit_of(site, "end.service").current == "launched", "current launched")


def test_a_task_that_ended_well_stays_active(site: Site) -> None:
    """So fleet and the machine agent take it for what it is, done."""
    site.client.put("task.service", UnitFile.parse(TASK), DesiredState.LAUNCHED)
    site.wait_for_state("task.service", unit_hash(TASK), "active", "exited")


def test_a_loaded_unit_is_stopped(site: Site) -> None:
    """It stays on its machine, and can be launched again."""
    site.client.put("stop.service", UnitFile.parse(TEXT), DesiredState.LAUNCHED)
    site.wait_for_state("stop.service", unit_hash(TEXT), "active", "running")
    site.client.set_desired("stop.service", DesiredState.LOADED)
    site.wait_for_state("stop.service", unit_hash(TEXT), "inactive", "dead")
    assert unit_of(site, "stop.service").machine_id == site.machine.id
    site.client.set_desired("stop.service", DesiredState.LAUNCHED)
    site.wait_for_state("stop.service", unit_hash(TEXT), "active", "running")


def test_an_inactive_unit_leaves_its_machine(site: Site) -> None:
    """Its text stays; nothing is reported of it any more."""
    site.client.put("leave.service", UnitFile.parse(TEXT), DesiredState.LOADED)
    site.wait_for_state("leave.service", unit_hash(TEXT), "inactive", "dead")
    site.client.set_desired("leave.service", DesiredState.INACTIVE)
    site.wait_for(lambda: site.state("leave.service") is None, "no state of leave.service")
    unit = unit_of(site, "leave.service")
    assert (unit.text, unit.machine_id, unit.current) == (TEXT, None, "inactive")


def test_a_deleted_unit_leaves_its_machine(site: Site) -> None:
    """fleet forgets it at once; the machine lets go of it later."""
    site.client.put("delete.service", UnitFile.parse(TEXT), DesiredState.LAUNCHED)
    site.wait_for_state("delete.service", unit_hash(TEXT), "active", "running")
    site.client.delete("delete.service")
    assert site.client.unit("delete.service") is None
    site.wait_for(lambda: site.state("delete.service") is None, "no state of delete.service")


def test_a_replaced_unit_stays_on_its_machine_and_runs_the_new_text(site: Site) -> None:
    """Until then the state has the old hash, or there is none: only the hash tells which text runs."""
    site.client.put("replace.service", UnitFile.parse(TEXT), DesiredState.LAUNCHED)
    site.wait_for_state("replace.service", unit_hash(TEXT), "active", "running")
    site.client.put("replace.service", UnitFile.parse(OTHER), DesiredState.LAUNCHED)
    assert unit_of(site, "replace.service").unit_hash == unit_hash(OTHER)
    seen = {unit_hash(TEXT)}

    def runs_new() -> bool:
        state = site.state("replace.service")
        if state is not None:
            seen.add(state.unit_hash)
        return state is not None and (state.unit_hash, state.active) == (unit_hash(OTHER), "active")

    site.wait_for(runs_new, "the new text runs")
    assert seen == {unit_hash(TEXT), unit_hash(OTHER)}
    assert unit_of(site, "replace.service").machine_id == site.machine.id


@pytest.mark.parametrize("rule", ["MachineMetadata=rack=r9", "MachineID=" + "f" * 32, "MachineOf=nobody.service"])
def test_a_unit_that_no_machine_may_run_has_no_machine(site: Site, rule: str) -> None:
    """fleet says so in no other way."""
    site.client.put("nowhere.service", UnitFile.parse(f"{TEXT}\n[X-Fleet]\n{rule}\n"), DesiredState.LAUNCHED)
    site.client.put("here.service", UnitFile.parse(TEXT), DesiredState.LOADED)
    site.wait_for_state("here.service", unit_hash(TEXT), "inactive", "dead")
    unit = unit_of(site, "nowhere.service")
    assert (unit.desired, unit.current, unit.machine_id) == ("launched", "inactive", None)
    assert site.state("nowhere.service") is None


def test_a_unit_goes_where_its_rules_let_it(site: Site) -> None:
    """Several values of one key are alternatives; several keys must all hold."""
    rules = 'MachineMetadata="rack=r1" "rack=r9"\nMachineMetadata=disk=ssd\n'
    text = f"{TEXT}\n[X-Fleet]\n{rules}"
    site.client.put("placed.service", UnitFile.parse(text), DesiredState.LOADED)
    site.wait_for_state("placed.service", unit_hash(text), "inactive", "dead")


def test_a_conflicting_unit_has_no_machine(site: Site) -> None:
    """The rule counts both ways: here the unit that is there already has it."""
    text = f"{TEXT}\n[X-Fleet]\nConflicts=conflict-*\n"
    site.client.put("first.service", UnitFile.parse(text), DesiredState.LOADED)
    site.wait_for_state("first.service", unit_hash(text), "inactive", "dead")
    site.client.put("conflict-b.service", UnitFile.parse(TEXT), DesiredState.LOADED)
    site.client.put("here.service", UnitFile.parse(TEXT), DesiredState.LAUNCHED)
    site.wait_for_state("here.service", unit_hash(TEXT), "active", "running")
    assert unit_of(site, "conflict-b.service").machine_id is None


def test_a_global_unit_has_states_but_no_machine(site: Site) -> None:
    """Nothing schedules it, so its own fields say nothing of how far it got."""
    site.client.put("everywhere.service", UnitFile.parse(GLOBAL), DesiredState.LAUNCHED)
    site.wait_for_state("everywhere.service", unit_hash(GLOBAL), "active", "running")
    unit = unit_of(site, "everywhere.service")
    assert (unit.desired, unit.current, unit.machine_id) == ("launched", "inactive", None)
    assert site.client.units() == (unit,)


def test_a_global_unit_stops_and_starts_again_on_all_machines(site: Site) -> None:
    """By its desired state, though fleet says nothing of how far it got."""
    site.client.put("again.service", UnitFile.parse(GLOBAL), DesiredState.LAUNCHED)
    site.wait_for_state("again.service", unit_hash(GLOBAL), "active", "running")
    site.client.set_desired("again.service", DesiredState.LOADED)
    site.wait_for_state("again.service", unit_hash(GLOBAL), "inactive", "dead")
    site.client.set_desired("again.service", DesiredState.LAUNCHED)
    site.wait_for_state("again.service", unit_hash(GLOBAL), "active", "running")
