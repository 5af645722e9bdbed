"""What a look at the cluster makes of registrations."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.fleet.entities import DesiredState, Machine, UnitEntity, UnitState
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.finish import tidy
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.observe import Snapshot, instances_of, observe
from fleetcaptain.rollout.preflight import no_place
from fleetcaptain.rollout.strays import find_strays
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option
from tests.fakes.fake_cluster import MACHINES as ADDRESSES
from tests.fakes.fake_cluster import FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash


def test_what_an_app_registers_besides_does_not_hide_its_units_own_service() -> None:
    """A unit may stand in etcd under several names; the rollout and the gate wait for its own."""
    own = Registration("web", "web-abc1234@1.service", "c", "m", "10.0.0.1")
    besides = [Registration(name, own.unit, "c", "m", "10.0.0.1") for name in ("admin", "we", "zebra")]
    for registrations in ([own, *besides], [*besides, own]):
        assert Snapshot.of([], [], [], registrations).registrations == {own.unit: own}


UNIT = UnitEntity("web@1.service", UnitFile(()), DesiredState.LAUNCHED, DesiredState.LAUNCHED, "m2")
ENTRY = Registration("web", UNIT.name, UNIT.unit_hash, "m2", "10.0.0.2")
MACHINES = [Machine("m1", "10.0.0.1"), Machine("m2", "10.0.0.2")]


def _state(machine: str, active: str) -> UnitState:
    return UnitState(UNIT.name, machine, UNIT.unit_hash, "loaded", active, "")


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


@pytest.mark.parametrize(("unit_hash", "seen"), [(UNIT.unit_hash, "no answer"), ("older", "")])
def test_an_instance_says_why_its_alive_check_fails(unit_hash: str, seen: str) -> None:
    """For the text that runs, not for the one before it."""
    entry = replace(ENTRY, unit_hash=unit_hash, draining=True, failing="no answer")
    instance = observe(UNIT.name, Snapshot.of([UNIT], [_state("m2", "active")], MACHINES, [entry]))
    assert (instance.failing, instance.registered) == (seen, None)


def test_maintenance_of_its_service_does_not_make_an_instance_unhealthy() -> None:
    """It is out of discovery, and ready: a rollout goes on."""
    for maintenance, registered in ((True, UNIT.unit_hash), (False, None)):
        entry = replace(ENTRY, unit_hash=UNIT.unit_hash, draining=True, maintenance=maintenance)
        snapshot = Snapshot.of([UNIT], [_state("m2", "active")], MACHINES, [entry])
        assert observe(UNIT.name, snapshot).registered == registered


@pytest.mark.parametrize(
    "unit",
    [
        replace(UNIT, machine_id="m1"),
        replace(UNIT, machine_id=None),
        replace(UNIT, desired=DesiredState.LOADED),
        replace(UNIT, file=UnitFile((Option("Service", "ExecStart", "/bin/new"),))),
        replace(UNIT, name="web@2.service"),
    ],
)
def test_a_registration_without_a_state_must_fit_its_unit(unit: UnitEntity) -> None:
    """It is of a process that is gone when fleet has the unit elsewhere, stopped, with another text, or not at all."""
    assert Snapshot.of([unit], [], MACHINES, [ENTRY]).live == ()


def test_a_registration_without_a_state_needs_its_machine() -> None:
    """A machine that fleet does not see any more runs nothing."""
    assert Snapshot.of([UNIT], [], MACHINES[:1], [ENTRY]).live == ()


def test_what_another_machine_registered_is_left_out() -> None:
    """fleet says where the unit is: a registration of elsewhere is old, or forged, and no reason to act."""
    elsewhere = replace(ENTRY, machine="m1", unit_hash="other")
    assert Snapshot.of([UNIT], [], MACHINES, [elsewhere]).registrations == {}
    unplaced = Snapshot.of([replace(UNIT, machine_id=None)], [], MACHINES, [elsewhere])
    assert unplaced.registrations == {UNIT.name: elsewhere}


FORGED = {"service": "web", "unit": "web@1.service", "content": "x", "machine": ADDRESSES[0], "host": "6.6.6.6"}
WEB_DIRECTORY = "/fleetcaptain/shop/services/web"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (f"{WEB_DIRECTORY}/zz", FORGED),
        (f"{WEB_DIRECTORY}/zz/web@1.service", FORGED),
        ("/fleetcaptain/shop/services/zz/web/web@1.service", FORGED),
        ("/fleetcaptain/shop/services/zz/web@1.service", {**FORGED, "service": "zz"}),
        (f"{WEB_DIRECTORY}/web@1.service~m9", {**FORGED, "machine": "m9"}),
        (f"{WEB_DIRECTORY}/web@1.service~m9", FORGED),
        (f"{WEB_DIRECTORY}/00000000000000000057", FORGED),
        (f"{WEB_DIRECTORY}/web@9.service", {**FORGED, "unit": "web@9.service"}),
    ],
)
def test_a_forged_registration_is_no_reason_to_act(key: str, value: dict[str, str]) -> None:
    """Beside the real one it changes nothing: what runs the wanted text is healthy, and stays."""
    cluster = FakeCluster()
    names = cluster.launch_service("web", 2)
    cluster.etcd.put(key, json.dumps(value))
    text = text_of("web")
    assert all(observe(name, cluster.snapshot()).healthy(unit_hash(text)) for name in names)
    outcome = Driver(cluster, lambda _line: None).run(Target("web", names, UnitFile.parse(text)), Policy())
    assert (outcome.failure, cluster.history) == (None, [])


ODD_OPTIONS = [
    Option("Service", "ExecStart", "/bin/a\nExecStop=/bin/b"),
    Option("a]b", "Name", "value"),
    Option("X-Fleet", "MachineID", '"'),
    Option("X-Fleet", "MachineMetadata", '"a=b=c" "'),
    Option("X-Fleet", "Conflicts", "[z-a]* [ [!"),
    Option("X-FleetCaptain", "App", "shop\nx"),
    Option("", "", ""),
    Option("Service", "ExecStart", "/bin/a \\"),
]


@pytest.mark.parametrize("option", ODD_OPTIONS, ids=repr)
def test_an_odd_unit_of_others_stops_nothing(option: Option) -> None:
    """Whoever reaches fleet can put one there: looks, placement, strays, a rollout and the end of one go on."""
    cluster = FakeCluster()
    names = cluster.launch_service("web", 2)
    odd = UnitEntity(
        "odd@1.service", UnitFile((option,)), DesiredState.LAUNCHED, DesiredState.LAUNCHED, cluster.machines[0]
    )
    cluster.units[odd.name] = odd
    snapshot = cluster.snapshot()
    assert instances_of(cluster.ownership, "web", snapshot) == names
    strays = find_strays(snapshot.units, cluster.ownership, ["web"], own_cluster=False)
    assert (*strays.own, *strays.suspect, *strays.unmarked) == (odd.name,)
    text = text_of("web", description="new")
    target = Target("web", names, UnitFile.parse(text))
    assert no_place(target, snapshot) == ""
    assert Driver(cluster, lambda _line: None).run(target, Policy(min_healthy_sec=0)).failure is None
    tidy(cluster)
    assert odd.name in cluster.units
