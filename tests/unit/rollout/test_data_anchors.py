"""A service stays on the machine with the data of its volumes, through all that fleet and operators do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleetcaptain.discovery.keys import app_dir
from fleetcaptain.errors import RolloutFailed
from fleetcaptain.fleet.entities import Machine, UnitEntity
from fleetcaptain.fleetfile.values import Port
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.data_anchors import (
    anchors_on,
    forget_anchor,
    keeping_anchor,
    left_data,
    lost_data,
    planned_anchor,
    replaced_volumes,
    taken_data,
)
from fleetcaptain.rollout.depart import remove_service
from fleetcaptain.rollout.remove import forget_app
from fleetcaptain.rollout.strategies.restart import services_on
from fleetcaptain.rollout.strays import find_strays
from fleetcaptain.rollout.targets import DesiredService, RolloutSettings
from fleetcaptain.rollout.update import update
from fleetcaptain.schedule.window_machines import WINDOWS_GROUP
from fleetcaptain.status.picture import AppKeys
from fleetcaptain.status.service_status import service_status
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, MACHINES, FakeCluster, text_of

DB, ANCHOR = "db@1.service", f"{APP}.data-db.service"
M1, M2, M3 = MACHINES
DATA = ("data:/data",)
QUICK = RolloutSettings(min_healthy_sec=0, healthy_deadline_sec=40)


def deploy(
    cluster: Cluster, service: str = "db", instances: int = 1, replaces: tuple[str, ...] = (), **keywords: Any
) -> list[str]:
    """Deploy *service* with a volume. Returns what is reported."""
    file = UnitFile.parse(text_of(service, **{"volumes": DATA, **keywords}))
    lines: list[str] = []
    desired = DesiredService(service, file, Mode.ROLLING, instances, settings=QUICK, replaces=replaces)
    update(cluster, desired, lines.append, lambda: False)
    return lines


def machine_of(cluster: FakeCluster, service: str = "db") -> str:
    """The machine that the anchor of *service* names."""
    return anchors_on(cluster.ownership, cluster.snapshot())[service].machine


def test_its_machine_is_chosen_once() -> None:
    """The first time the emptiest one with the fewest data; afterwards it stays, even if another one is emptier."""
    cluster = FakeCluster({"web@1.service": text_of("web")})
    cluster.units["web@1.service"] = cluster.units["web@1.service"].__class__(
        **{**vars(cluster.units["web@1.service"]), "machine_id": M1}
    )
    lines = deploy(cluster)
    assert f"db stays on {M2}, with its volumes data" in lines
    assert (cluster.units[DB].machine_id, machine_of(cluster)) == (M2, M2)
    assert cluster.history.index(f"put {ANCHOR}") < cluster.history.index(f"put {DB}")
    cluster.history.clear()
    deploy(cluster, env=(("A", "2"),))
    assert (cluster.units[DB].machine_id, f"put {ANCHOR}" in cluster.history) == (M2, False)
    deploy(cluster, "other", volumes=("rows:/data",))
    assert machine_of(cluster, "other") == M3


def test_a_service_comes_to_the_machine_that_has_its_volume() -> None:
    """By the name that another one has, or had before it left. While that one runs, it would lose the data to both."""
    cluster = FakeCluster({"web@1.service": text_of("web")})
    deploy(cluster)
    target = DesiredService("store", UnitFile.parse(text_of("store", volumes=DATA)), Mode.ROLLING, 1)
    snapshot = cluster.snapshot()
    named = target.target(snapshot)
    leaving = {"db": [DB]}
    said = taken_data(cluster.ownership, named, (), leaving, snapshot)
    assert said.startswith("store has the volume data of db, which is removed only at the end.")
    assert "write renamed_from='db' in it. Else give it another volume" in said
    assert taken_data(cluster.ownership, named, ("db",), leaving, snapshot) == "", "it replaces db"
    assert taken_data(cluster.ownership, named, (), {}, snapshot) == "", "db stays"
    remove_service(cluster, "db", lambda _line: None, lambda: False)
    deploy(cluster, "store")
    assert machine_of(cluster, "store") == machine_of(cluster)
    again = DesiredService("db", UnitFile.parse(text_of("db", volumes=DATA)), Mode.ROLLING, 1)
    snapshot = cluster.snapshot()
    back = taken_data(cluster.ownership, again.target(snapshot), (), {"store": ["store@1.service"]}, snapshot)
    assert back.startswith("db has the volume data of store"), "its anchor, which outlived it, is no unit"


def test_a_machine_with_its_volume_that_cannot_take_a_service_is_not_taken() -> None:
    """As when it left, or has another service at the same port: then the name alone is the same."""
    cluster = FakeCluster(machines=(M1, M2, M3))
    deploy(cluster, ports=(Port(80, 8080),))
    file = UnitFile.parse(text_of("other", volumes=DATA, ports=(Port(80, 8080),)))
    other = DesiredService("other", file, Mode.ROLLING, 1)
    snapshot = cluster.snapshot()
    anchor = planned_anchor(cluster.ownership, other.target(snapshot), (), snapshot)
    assert anchor is not None
    assert anchor.machine not in {"", machine_of(cluster)}


def test_a_volume_that_gets_another_name_is_left_behind() -> None:
    """It is said before, and once."""
    cluster = FakeCluster()
    deploy(cluster)

    def said(*volumes: str) -> str:
        file = UnitFile.parse(text_of("db", volumes=tuple(f"{name}:/{name}" for name in volumes)))
        snapshot = cluster.snapshot()
        return replaced_volumes(
            cluster.ownership, DesiredService("db", file, Mode.ROLLING, 1).target(snapshot), (), snapshot
        )

    assert (said("data"), said("data", "more"), said()) == ("", "", "")
    assert said("rows").startswith(
        f"db no longer writes to the volume data, whose data stays on {machine_of(cluster)}, and begins with rows empty"
    )
    deploy(cluster, volumes=("rows:/rows",))
    assert said("rows") == ""
    assert "begins with" not in said("data")


@pytest.mark.parametrize("runs_there", [False, True])
def test_a_machine_of_windows_keeps_no_data(*, runs_there: bool) -> None:
    """It is the emptiest one, and leaves with its disk; also where the service runs there so far."""
    cluster = FakeCluster()
    file = UnitFile.parse(text_of("db", volumes=DATA))
    web = UnitFile.parse(text_of("web"))
    cluster.units["web@1.service"] = UnitEntity("web@1.service", web, "launched", "launched", M1)
    if runs_there:
        cluster.units[DB] = UnitEntity(DB, file, "launched", "launched", M3)
    key, value = WINDOWS_GROUP
    machines = {M1: Machine(M1, M1), M3: Machine(M3, M3, {key: value})}
    snapshot = replace(cluster.snapshot(), machines=machines)
    target = DesiredService("db", file, Mode.ROLLING, 1).target(snapshot)
    anchor = planned_anchor(cluster.ownership, target, (), snapshot)
    assert anchor is not None
    assert anchor.machine == M1


def test_a_service_of_an_earlier_version_stays_where_it_runs() -> None:
    """Its text has no anchor yet."""
    cluster = FakeCluster()
    for number in range(2):
        cluster.launch(f"web@{number}.service", text_of("web"))
    before = text_of("db", volumes=DATA, start_sec=301).replace(f"MachineOf={ANCHOR}\n", "")
    assert before != text_of("db", volumes=DATA, start_sec=301)
    cluster.launch(DB, before)
    machine = cluster.units[DB].machine_id
    deploy(cluster)
    assert (machine_of(cluster), cluster.units[DB].machine_id) == (machine, machine)


def test_its_anchor_outlives_the_service_and_is_forgotten_with_the_app() -> None:
    """The volume stays on the machine, so a service of that name comes back to it. The anchor is no stray."""
    cluster = FakeCluster()
    deploy(cluster)
    machine = machine_of(cluster)
    cluster.launch("web@1.service", text_of("web"))
    remove_service(cluster, "db", lambda _line: None)
    assert find_strays(cluster.units, cluster.ownership, {"web"}, own_cluster=True).own == ()
    assert services_on(cluster.ownership, cluster.snapshot()) == ("web",)
    forget_app(cluster, lambda _line: None)
    assert ANCHOR in cluster.units
    cluster.launch("web@2.service", text_of("web"))
    deploy(cluster)
    assert cluster.units[DB].machine_id == machine
    for service in ("db", "web"):
        remove_service(cluster, service, lambda _line: None)
    forget_app(cluster, lambda _line: None)
    assert not cluster.units
    assert not cluster.store.below(app_dir(APP))


def test_the_anchor_of_a_former_name_stays_while_units_need_it() -> None:
    """Another service may require the units, so that a rename keeps them; fleet would stop them without it."""
    cluster = FakeCluster()
    deploy(cluster)
    forget_anchor(cluster, "db", lambda _line: None)
    assert ANCHOR in cluster.units
    remove_service(cluster, "db", lambda _line: None)
    forget_anchor(cluster, "db", lambda _line: None)
    assert ANCHOR not in cluster.units


def test_a_renamed_service_keeps_its_machine() -> None:
    """Of its anchors only the new one is left, whatever an earlier attempt wrote."""
    cluster = FakeCluster()
    deploy(cluster)
    machine = machine_of(cluster)
    deploy(cluster, "base", replaces=("db",))
    assert cluster.units["base@1.service"].machine_id == machine
    assert anchors_on(cluster.ownership, cluster.snapshot()).keys() == {"base"}


@pytest.mark.parametrize("env", [(), (("A", "2"),)])
def test_it_stays_down_while_its_machine_is_away(env: tuple[tuple[str, str], ...]) -> None:
    """Neither its old text nor a new one starts elsewhere; the error names the volumes and both ways out."""
    cluster = FakeCluster()
    deploy(cluster)
    machine = machine_of(cluster)
    cluster._kill(machine)
    history = list(cluster.history)
    with pytest.raises(RolloutFailed, match=rf"volumes data\) is on {machine}, .* Nothing was changed") as error:
        deploy(cluster, env=env)
    assert "captain bind db MACHINE" in str(error.value)
    assert cluster.history == history
    cluster.away.clear()
    snapshot = cluster.snapshot()
    target = DesiredService("db", UnitFile.parse(text_of("db", volumes=DATA)), Mode.ROLLING, 1).target(snapshot)
    assert lost_data(target, snapshot) == ""


def test_a_rule_for_another_machine_is_refused() -> None:
    """It would part the service and its data; also for a service that has no anchor yet."""
    cluster = FakeCluster(zones=True)
    deploy(cluster)
    other = next(one for one in MACHINES if one != machine_of(cluster))
    with pytest.raises(RolloutFailed, match=r"its data is on another machine.* remove the `machine=`.* Nothing was"):
        deploy(cluster, machine_metadata=(f"zone={other}",))
    assert UnitFile.parse(text_of("db", volumes=DATA)) == cluster.units[DB].file


@pytest.mark.parametrize("keywords", [{"machine_id": M3}, {"machine_of": "x.service"}, {"instances": 2}])
def test_a_change_that_parts_a_service_and_its_data_is_named(keywords: dict[str, Any]) -> None:
    """As long as it is not deployed. Then its anchor keeps nothing."""
    cluster = FakeCluster(machines=(M1, M2, M3))
    deploy(cluster)
    count = keywords.pop("instances", 1)
    file = UnitFile.parse(text_of("db", volumes=DATA, instances=count, **keywords))
    desired = DesiredService("db", file, Mode.ROLLING, count, settings=QUICK)

    def said() -> str:
        snapshot = cluster.snapshot()
        return left_data(cluster.ownership, desired.target(snapshot), snapshot)

    assert f"the data of db (volumes data) is on {machine_of(cluster)}" in said()
    for name in [DB, "db@2.service"]:
        cluster.units[name] = replace(cluster.units[DB], name=name, file=file)
    assert said() == ""
    assert keeping_anchor(cluster.ownership, "db", cluster.snapshot()) is None


def test_an_unchanged_service_leaves_no_data() -> None:
    """Nor does one that was removed."""
    cluster = FakeCluster()
    deploy(cluster)
    target = DesiredService("db", UnitFile.parse(text_of("db", volumes=DATA)), Mode.ROLLING, 1)
    assert left_data(cluster.ownership, target.target(cluster.snapshot()), cluster.snapshot()) == ""
    remove_service(cluster, "db", lambda _line: None)
    assert keeping_anchor(cluster.ownership, "db", cluster.snapshot()) is not None


def test_a_new_service_finds_a_machine_with_its_port_free() -> None:
    """Though fleet, which does not know ports, would take the emptiest one."""
    cluster = FakeCluster(machines=(M1, M2))
    cluster.launch("web@1.service", text_of("web", ports=(Port(5432, 5432),)))
    taken = cluster.units["web@1.service"].machine_id
    cluster.launch("free@1.service", text_of("web", ports=(Port(1, 1),)))
    deploy(cluster, ports=(Port(5432, 5432),))
    assert machine_of(cluster) != taken


def test_the_status_says_why_it_stays_down() -> None:
    """And the operator what to do."""
    cluster = FakeCluster()
    deploy(cluster)
    machine = machine_of(cluster)
    cluster.units[DB] = replace(cluster.units[DB], machine_id=None)
    cluster.away.add(machine)
    cluster.runs.clear()
    (instance,) = service_status("db", (DB,), cluster.snapshot(), AppKeys()).instances
    assert f"is on {machine}, which is not in the cluster" in instance.trouble
    cluster.away.clear()
    (instance,) = service_status("db", (DB,), cluster.snapshot(), AppKeys()).instances
    assert instance.trouble == "no machine has it"
