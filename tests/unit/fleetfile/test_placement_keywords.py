"""Rules of placement that name units: what fleet reads of them, and which of them no unit can satisfy."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.fleetfile.values import BlueGreen
from fleetcaptain.rollout.placement import apart
from fleetcaptain.units.unit_file import Need, UnitFile
from fleetcaptain.units.xfleet import rules_of
from tests.fakes.fake_cluster import text_of
from tests.unit.fleetfile.written import app, mistakes

BLUE_GREEN = 'Service("b", instances=True)'
THREE = 'Service("b", instances=3)'
EVERYWHERE = 'Service("b", global_unit=True)'


@pytest.mark.parametrize(
    ("options", "attribute", "meant"),
    [
        ((("Conflicts", "%p@*.service a@*"),), "conflicts", ("web@*.service", "a@*")),
        ((("X-Conflicts", "b@%i.service"),), "conflicts", ("b@2.service",)),
        ((("X-ConditionMachineOf", "b@%i.service"),), "machine_of", ("b@2.service",)),
        ((("MachineOf", '"a.service" "%n" "%N"'),), "machine_of", ("a.service", "web@2.service", "web@2")),
        ((("X-ConditionMachineMetadata", "a=%i"), ("MachineMetadata", "b=c")), "metadata", ("a=2", "b=c")),
        ((("X-ConditionMachineBootID", "x"), ("MachineID", "%i")), "machine_id", "2"),
        ((("X-ConditionMachineBootID", "x"), ("X-ConditionMachineID", "y")), "machine_id", "y"),
        ((("MachineID", "x"), ("MachineID", "y")), "machine_id", "x"),
        ((("Global", "false"), ("Global", "T")), "is_global", True),
        ((("Global", "yes"), ("Global", "no")), "is_global", False),
        ((("Replaces", "old@*"),), "replaces", ("old@*",)),
        ((("machineof", "a.service"),), "machine_of", ()),
    ],
)
def test_rules_are_read_as_fleet_reads_them(
    options: tuple[tuple[str, str], ...], attribute: str, meant: object
) -> None:
    """Old spellings, several values on one line, and the parts of the unit's name."""
    assert getattr(rules_of(options, "web@2.service"), attribute) == meant


def test_metadata_that_fleet_ignores_is_no_rule() -> None:
    """It has to be one key and one value."""
    pairs = [("MachineMetadata", pair) for pair in ("a=b", "a=c", "d", "e=f=g", "=h", "i=")]
    assert rules_of(pairs).alternatives == {"a": frozenset({"b", "c"})}


@pytest.mark.parametrize("keyword", ["machine_of=[{!r}]", "x_fleet={{'MachineOf': {!r}}}"])
@pytest.mark.parametrize(
    ("peer", "other", "says"),
    [
        (
            "b@1.service",
            BLUE_GREEN,
            "no unit has the name b@1.service: b is replaced blue/green, and its unit names contain a hash",
        ),
        ("b-0a1b2c3@1.service", BLUE_GREEN, "no unit has the name b-0a1b2c3@1.service: b is replaced blue/green"),
        ("b@%i.service", BLUE_GREEN, "no unit has the name b@1.service: b is replaced blue/green"),
        ("b@4.service", THREE, "b has instances=3; write b@1.service or b@3.service"),
        ("b.service", THREE, "no unit has the name b.service"),
        ("b@1.service", EVERYWHERE, "b runs on every machine, including this one; remove it"),
        ("web@%i.service", THREE, "web@1.service is the unit itself"),
        ("%n", THREE, "web@1.service is the unit itself"),
    ],
)
def test_a_unit_that_never_exists_has_no_machine(
    keyword: str, peer: str, other: str, says: str, tmp_path: Path
) -> None:
    """fleet would wait for it, without a word."""
    problems = mistakes(tmp_path, f'Service("web", {keyword.format(peer)}),{other}')
    assert [problem for problem in problems if f"{keyword[:7]}" in problem and says in problem], problems


@pytest.mark.parametrize(
    ("services"),
    [
        'Service("web", instances=3, machine_of=["b@%i.service"]),Service("b", instances=3)',
        'Service("web", x_fleet={"MachineOf": "b@%i.service"}, instances=2),Service("b", instances=3)',
        'Service("web", x_fleet={"X-ConditionMachineOf": "other@1.service"}),Service("b")',
        'Service("web", machine_of=["b"]),Service("b")',
        'Service("web", instances=True, machine_of=["b@1.service"]),Service("b")',
    ],
)
def test_a_unit_that_exists_may_be_followed(services: str, tmp_path: Path) -> None:
    """The sidekick of a service has as many instances, each beside its own."""
    app(tmp_path, services)


def test_a_sidekick_with_more_instances_than_its_service_is_refused(tmp_path: Path) -> None:
    """The last one would find no machine."""
    (problem,) = mistakes(
        tmp_path, 'Service("web", instances=3, machine_of=["b@%i.service"]),Service("b", instances=2)'
    )
    assert (
        "machine_of: no unit has the name b@3.service: b has instances=2; write b@1.service or b@2.service" in problem
    )


def test_services_that_wait_for_each_others_machine_are_refused(tmp_path: Path) -> None:
    """Each would have to be placed first; in whichever keyword they say so."""
    services = 'Service("a", machine_of=["b"]),Service("b", x_fleet={"MachineOf": "a@%i.service"})'
    (problem,) = mistakes(tmp_path, services)
    assert "machine_of: these services wait for each other: a -> b -> a" in problem


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("global_unit=True, x_fleet={'MachineOf': 'x.service'}", "x_fleet: a unit on every machine cannot have it"),
        ("global_unit=True, x_fleet={'X-Conflicts': 'x@*'}", "x_fleet: a unit on every machine cannot have it"),
        ("global_unit=True, x_fleet={'X-ConditionMachineID': 'x'}", "x_fleet: a unit on every machine cannot have it"),
        ("machine_id='75d3f2e8', x_fleet={'Conflicts': 'x@*'}", "x_fleet: fleet refuses conflicts together with"),
        ("x_fleet={'MachineID': '75d3f2e8'}, conflicts=['x@*']", "conflicts: fleet refuses conflicts together with"),
        ("machine_id='75d3f2e8', x_fleet={'MachineID': 'y'}", "x_fleet: MachineID: machine_id= already sets it"),
        ("x_fleet={'Conflicts': 'b@*.service'}", 'write conflicts=["b"]'),
        ("x_fleet={'Conflicts': 'b.service'}", 'write conflicts=["b"]'),
    ],
)
def test_rules_that_cannot_stand_together_are_seen_in_x_fleet_too(arguments: str, says: str, tmp_path: Path) -> None:
    """Each at the keyword that has it."""
    problems = mistakes(tmp_path, f'Service("web", {arguments}),{BLUE_GREEN}')
    assert [problem for problem in problems if says in problem], problems


@pytest.mark.parametrize("keyword", ["after", "requires"])
@pytest.mark.parametrize(("unit", "other"), [("b@1.service", BLUE_GREEN), ("b.service", THREE), ("b@4.service", THREE)])
def test_systemd_too_is_asked_for_no_unit_that_never_exists(
    keyword: str, unit: str, other: str, tmp_path: Path
) -> None:
    """With requires= it would not start the other one."""
    (problem,) = mistakes(tmp_path, f'Service("web", {keyword}=["{unit}"]),{other}')
    assert f"{keyword}: no unit of this Fleetfile has the name {unit}; name the service instead" in problem
    (problem,) = mistakes(tmp_path, f'Service("web", instances=4, {keyword}=["b@%i.service"]),{THREE}')
    assert "no unit of this Fleetfile has the name b@4.service" in problem
    app(tmp_path, f'Service("web", instances=2, {keyword}=["b@%i.service", "docker.socket"]),{THREE}')


@pytest.mark.parametrize("rule", ["redis", "redis.service", "redis@*", "redis@*.service"])
@pytest.mark.parametrize("services", ['Service("redis", instances=True)', 'Service("redis", instances=2)'])
def test_a_conflict_with_a_service_is_none_with_another_of_a_longer_name(
    rule: str, services: str, tmp_path: Path
) -> None:
    """However it is written, and however the service is replaced."""
    source = f'Service("web", conflicts=[{rule!r}]),{services},Service("redis-cache")'
    web, redis, cache = app(tmp_path, source).services
    need = UnitFile.parse(text_of(conflicts=web.conflicts)).needs("web@1.service")
    unit = "redis-0a1b2c3@1.service" if isinstance(redis.rollout, BlueGreen) else "redis@1.service"
    assert apart(need, Need(unit))
    assert not apart(need, Need(f"{cache.name}@1.service"))
    assert not apart(need, Need("redis-cache-0a1b2c3@1.service"))
