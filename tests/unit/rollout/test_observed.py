"""What a look at the cluster makes of registrations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.discovery.values import Registration
from fleetcaptain.fleet.values import DesiredState, FleetUnit, Machine, UnitState
from fleetcaptain.rollout.observed import Snapshot
from fleetcaptain.units.text import Option


def test_what_an_app_registers_besides_does_not_hide_its_units_own_service() -> None:
    """A unit may stand in etcd under several names; the rollout and the gate wait for its own."""
    own = Registration("web", "web-abc1234@1.service", "c", "m", "10.0.0.1")
    besides = [Registration(name, own.unit, "c", "m", "10.0.0.1") for name in ("admin", "we", "zebra")]
    for registrations in ([own, *besides], [*besides, own]):
        assert Snapshot.of([], [], [], registrations).registrations == {own.unit: own}


UNIT = FleetUnit("web@1.service", (), DesiredState.LAUNCHED, DesiredState.LAUNCHED, "m2")
ENTRY = Registration("web", UNIT.name, UNIT.content, "m2", "10.0.0.2")
MACHINES = [Machine("m1", "10.0.0.1"), Machine("m2", "10.0.0.2")]


def _state(machine: str, active: str) -> UnitState:
    return UnitState(UNIT.name, machine, UNIT.content, "loaded", active, "")


@pytest.mark.parametrize(
    ("states", "is_live"),
    [
        ([_state("m2", "active")], True),
        ([_state("m2", "reloading"), _state("m1", "inactive")], True),
        ([_state("m2", "failed")], False),
        ([_state("m1", "active")], False),
        ([], True),
    ],
)
def test_a_registration_counts_while_its_unit_is_active_there(states: list[UnitState], is_live: bool) -> None:
    """Without any state it counts: fleet loses the states of a unit that moved for a while."""
    assert bool(Snapshot.of([UNIT], states, MACHINES, [ENTRY]).live) is is_live


@pytest.mark.parametrize(
    "unit",
    [
        replace(UNIT, machine_id="m1"),
        replace(UNIT, machine_id=None),
        replace(UNIT, desired=DesiredState.LOADED),
        replace(UNIT, options=(Option("Service", "ExecStart", "/bin/new"),)),
        replace(UNIT, name="web@2.service"),
    ],
)
def test_a_registration_without_a_state_must_fit_its_unit(unit: FleetUnit) -> None:
    """It is of a process that is gone when fleet has the unit elsewhere, stopped, with another text, or not at all."""
    assert Snapshot.of([unit], [], MACHINES, [ENTRY]).live == ()


def test_a_registration_without_a_state_needs_its_machine() -> None:
    """A machine that fleet does not see any more runs nothing."""
    assert Snapshot.of([UNIT], [], MACHINES[:1], [ENTRY]).live == ()


def test_what_another_machine_registered_is_left_out() -> None:
    """fleet says where the unit is: a registration of elsewhere is old, or forged, and no reason to act."""
    elsewhere = replace(ENTRY, machine="m1", content="other")
    assert Snapshot.of([UNIT], [], MACHINES, [elsewhere]).registrations == {}
    unplaced = Snapshot.of([replace(UNIT, machine_id=None)], [], MACHINES, [elsewhere])
    assert unplaced.registrations == {UNIT.name: elsewhere}
