"""A service under another name: its instances replace the old ones without a gap, and go back after a failure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import current_key, history_dir, lock_key, maintenance_key, release_key
from fleetcaptain.errors import Locked, RolloutFailed, RolloutMixed
from fleetcaptain.fleetfile.values import Port
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.lock import this_process
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.strategies.renaming import former_units, next_step
from fleetcaptain.rollout.targets import DesiredService, RolloutSettings
from fleetcaptain.rollout.update import update
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.units.names import generation_names, instance_names, machine_names
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash

PORTS = (Port(80, 8080),)
PEAK = WindowSpec("peak", 5, ready_by=12 * 60, until=13 * 60, days=(), dates=(date(2026, 12, 24),), timezone="UTC")
NOON = datetime(2026, 12, 24, 12, tzinfo=UTC).timestamp()
QUICK = RolloutSettings(min_healthy_sec=0, healthy_deadline_sec=40)


def rename(
    cluster: FakeCluster,
    instances: int = 3,
    mode: Mode = Mode.ROLLING,
    settings: RolloutSettings = QUICK,
    **keywords: Any,
) -> list[str]:
    """Deploy jobs, which was worker before. Returns what is reported."""
    file = UnitFile.parse(text_of("jobs", **keywords))
    lines: list[str] = []
    desired = DesiredService("jobs", file, mode, instances, settings=settings, replaces=("worker",))
    update(cluster, desired, lines.append, lambda: False)
    return lines


def working(instances: int = 3, *, homeless: Sequence[str] = (), **keywords: Any) -> FakeCluster:
    """A cluster on which worker has been running for a long time."""
    cluster = FakeCluster(homeless=homeless)
    cluster.launch_service("worker", instances, **keywords)
    cluster.least_up = instances
    return cluster


@pytest.mark.parametrize("at_once", [1, 2])
def test_the_new_instances_start_before_the_old_ones_stop(at_once: int) -> None:
    """The first one alone, and each old one goes when a new one is healthy."""
    cluster = working()
    rename(cluster, settings=replace(QUICK, max_parallel=at_once))
    assert sorted(cluster.runs) == list(instance_names("jobs", 3))
    assert cluster.least_up == 3
    assert cluster.history[:3] == ["put jobs@1.service", "loaded worker@1.service", "delete worker@1.service"]
    assert not cluster.store.below(f"/fleetcaptain/{APP}/services/worker")


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_a_renamed_service_may_have_another_number_of_instances(before: int, after: int) -> None:
    """Never fewer serve than the smaller number."""
    cluster = working(before)
    rename(cluster, after)
    assert sorted(cluster.runs) == list(instance_names("jobs", after))
    assert cluster.least_up == 1


def test_where_both_use_the_same_port_one_goes_at_a_time() -> None:
    """As in a rolling update of one service."""
    cluster = working(ports=PORTS)
    rename(cluster, ports=PORTS)
    assert sorted(cluster.runs) == list(instance_names("jobs", 3))
    assert cluster.least_up == 2


def test_two_instances_never_write_to_the_same_volume() -> None:
    """The old one stops first; after a failure it has the volume again. Reading may go on."""
    cluster = working(1, volumes=("data:/data",))
    rename(cluster, 1, volumes=("data:/data",))
    assert cluster.history[:4] == [
        "put shop.data-jobs.service",
        "loaded worker@1.service",
        "delete worker@1.service",
        "put jobs@1.service",
    ]
    failing = working(1, homeless=["jobs@1.service"], volumes=("data:/data",))
    with pytest.raises(RolloutFailed, match="serve as before"):
        rename(failing, 1, volumes=("data:/data",))
    assert failing.history[-3:] == ["loaded jobs@1.service", "delete jobs@1.service", "put worker@1.service"]
    assert set(failing.runs) == {"worker@1.service", "shop.data-jobs.service"}
    reading = working(1, volumes=("data:/data:ro",))
    rename(reading, 1, volumes=("data:/data",))
    assert reading.least_up == 1


@pytest.mark.parametrize("former", ["worker", "jobs"])
@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize(("volume", "beside"), [("/srv/data:/data", False), ("/srv/data:/data:ro", True)])
def test_a_generation_that_writes_to_the_volume_of_the_old_one_starts_after_it(
    former: str, volume: str, *, beside: bool, failing: bool
) -> None:
    """Of the same service, and of its former name. After a failure the old one has the volume again."""
    old, new = (UnitFile.parse(text_of(name, volumes=(volume,))) for name in (former, "jobs"))
    old = old.with_image("redis:6")
    (before,), (after,) = (generation_names(*one, 1) for one in ((former, old.unit_hash), ("jobs", new.unit_hash)))
    cluster = FakeCluster({before: old.text}, homeless=[after] if failing else [])
    cluster.least_up = 1
    desired = DesiredService("jobs", new, Mode.BLUE_GREEN, 1, settings=QUICK, replaces=("worker",))
    with pytest.raises(RolloutFailed) if failing else nullcontext():
        update(cluster, desired, lambda _line: None, lambda: False)
    assert [*cluster.runs] == [before if failing else after]
    assert cluster.least_up == int(beside)
    assert cluster.history[0] == (f"put {after}" if beside else f"loaded {before}")


def test_a_service_that_is_no_longer_blue_green_takes_over_its_volume() -> None:
    """Its new units have other names too."""
    file = UnitFile.parse(text_of("jobs", volumes=("/srv/data:/data",)))
    (name,) = generation_names("jobs", file.unit_hash, 1)
    cluster = FakeCluster({name: file.text})
    update(cluster, DesiredService("jobs", file, Mode.ROLLING, 1, settings=QUICK), lambda _line: None, lambda: False)
    assert cluster.history[:3] == [f"loaded {name}", f"delete {name}", "put jobs@1.service"]
    assert [*cluster.runs] == ["jobs@1.service"]


@pytest.mark.parametrize(("before", "after"), [(1, 2), (3, 3), (3, 1)])
def test_as_many_writers_of_a_volume_go_as_start(before: int, after: int) -> None:
    """Never more than before or after, whatever their numbers are."""
    cluster = working(before, volumes=("data:/data",))
    rename(cluster, after, volumes=("data:/data",))
    new = cluster.history.index("put jobs@1.service")
    assert cluster.history[:new].count("delete worker@1.service") == 1
    for at, entry in enumerate(cluster.history):
        if entry.startswith("put jobs"):
            changes = cluster.history[: at + 1]
            writers = before + sum(change.startswith("put jobs") for change in changes)
            writers -= sum(change.startswith("delete worker") for change in changes)
            assert writers <= max(before, after)


def test_a_resumed_rename_removes_no_further_writer_for_what_runs() -> None:
    """The instance that an earlier run started has its place."""
    texts = {service: text_of(service, volumes=("data:/data",)) for service in ("worker", "jobs")}
    cluster = FakeCluster({"jobs@1.service": texts["jobs"], "worker@2.service": texts["worker"]})
    target = Target("jobs", instance_names("jobs", 2), UnitFile.parse(texts["jobs"]))
    first, second = (next_step(target, started, 1, ["worker@2.service"], cluster.snapshot()) for started in (0, 1))
    assert (first.first, second.first) == ((), ("worker@2.service",))


def test_what_waits_for_a_window_writes_nothing() -> None:
    """The instance that writes goes first all the same."""
    data = ("data:/data",)
    cluster = FakeCluster()
    cluster.wall_clock = lambda: NOON - 86400
    file = UnitFile.parse(text_of("worker", volumes=data))
    worker = DesiredService("worker", file, Mode.ROLLING, 1, settings=QUICK, windows=(PEAK,))
    update(cluster, worker, lambda _line: None, lambda: False)
    snapshot = cluster.snapshot()
    target = Target("jobs", instance_names("jobs", 5), UnitFile.parse(text_of("jobs", volumes=data)))
    step = next_step(target, 0, 1, list(former_units(cluster.ownership, target, ("worker",), snapshot)), snapshot)
    assert "worker@1.service" in step.first


@pytest.mark.parametrize("shared", ["/var/run/docker.sock", "/etc/localtime", "/dev/fuse", "/srv/app.sock", "/run/a"])
def test_what_all_containers_of_a_machine_may_write_is_no_shared_volume(shared: str) -> None:
    """The new instance starts first."""
    cluster = working(1, volumes=(f"{shared}:/x",))
    rename(cluster, 1, volumes=(f"{shared}:/x",))
    assert cluster.least_up == 1


def test_with_a_machine_to_spare_the_same_port_is_no_gap() -> None:
    """Two instances on three machines."""
    cluster = working(2, ports=PORTS)
    rename(cluster, 2, ports=PORTS)
    assert sorted(cluster.runs) == list(instance_names("jobs", 2))
    assert cluster.least_up == 2


@pytest.mark.parametrize("failing", [1, 2, 3])
@pytest.mark.parametrize("ports", [(), PORTS])
def test_after_a_failure_the_old_instances_serve_as_before(failing: int, ports: tuple[Port, ...]) -> None:
    """Whichever of the new ones fails, and whether or not the old ones had to go first."""
    cluster = working(homeless=[f"jobs@{failing}.service"], ports=ports)
    before = dict(cluster.runs)
    with pytest.raises(RolloutFailed, match="The old instances of worker serve as before"):
        rename(cluster, ports=ports)
    assert cluster.runs == before
    assert cluster.least_up == (2 if ports else 3)


def test_a_failure_is_left_as_it_is_without_auto_revert() -> None:
    """The next deployment continues."""
    cluster = working(homeless=["jobs@2.service"])
    with pytest.raises(RolloutFailed, match="auto_revert is off"):
        rename(cluster, settings=replace(QUICK, auto_revert=False))
    assert {"jobs@1.service", "worker@2.service", "worker@3.service"} == cluster.runs.keys()


def test_an_interrupted_rename_continues() -> None:
    """No instance that serves is touched before its time."""
    old = dict.fromkeys(("worker@2.service", "worker@3.service"), text_of("worker"))
    cluster = FakeCluster({"jobs@1.service": text_of("jobs"), **old})
    cluster.least_up = 3
    rename(cluster)
    assert cluster.history[0] == "put jobs@2.service"
    assert sorted(cluster.runs) == list(instance_names("jobs", 3))
    assert cluster.least_up == 3


def test_a_resumed_rename_that_fails_says_that_both_versions_run() -> None:
    """What an earlier run replaced is not restored."""
    old = dict.fromkeys(("worker@2.service", "worker@3.service"), text_of("worker"))
    cluster = FakeCluster({"jobs@1.service": text_of("jobs"), **old}, homeless=["jobs@2.service"])
    with pytest.raises(RolloutMixed, match=r"jobs@1\.service of an earlier run stay .* both versions run") as failure:
        rename(cluster)
    assert "serve as before" not in str(failure.value)
    assert "run `pulumi up` again; it continues" in str(failure.value)
    assert cluster.runs.keys() == {"jobs@1.service", *old}


def test_what_an_interrupted_rename_has_too_many_of_goes_too() -> None:
    """It was to have more instances."""
    cluster = FakeCluster(dict.fromkeys(instance_names("jobs", 3), text_of("jobs")))
    cluster.launch("worker@1.service", text_of("worker"))
    rename(cluster, 2)
    assert sorted(cluster.runs) == list(instance_names("jobs", 2))


@pytest.mark.parametrize("failing", [False, True])
def test_a_rename_in_a_window_moves_all_open_instances(*, failing: bool) -> None:
    """After a failure each unit has its own text again."""
    cluster = FakeCluster(homeless=["jobs@4.service"] if failing else [])
    cluster.wall_clock = lambda: NOON
    worker = DesiredService(
        "worker", UnitFile.parse(text_of("worker")), Mode.ROLLING, 2, settings=QUICK, windows=(PEAK,)
    )
    update(cluster, worker, lambda _line: None, lambda: False)
    jobs = replace(worker, service="jobs", file=UnitFile.parse(text_of("jobs")), replaces=("worker",))
    before, cluster.least_up = dict(cluster.runs), 5
    if failing:
        with pytest.raises(RolloutFailed, match="serve as before"):
            update(cluster, jobs, lambda _line: None, lambda: False)
        assert cluster.runs == before
        assert cluster.history.count("put jobs@1.service") == 1
    else:
        update(cluster, jobs, lambda _line: None, lambda: False)
        assert sorted(cluster.runs) == list(instance_names("jobs", 5))
        assert cluster.snapshot().windows.keys() == {"jobs"}
    assert cluster.least_up == 5


def test_instances_that_wait_for_a_window_go_first() -> None:
    """They serve nothing."""
    cluster = FakeCluster()
    cluster.wall_clock = lambda: NOON - 86400
    worker = DesiredService(
        "worker", UnitFile.parse(text_of("worker")), Mode.ROLLING, 1, settings=QUICK, windows=(PEAK,)
    )
    update(cluster, worker, lambda _line: None, lambda: False)
    target = Target("jobs", instance_names("jobs", 1), UnitFile.parse(text_of("jobs")))
    order = list(former_units(cluster.ownership, target, ("worker",), cluster.snapshot()))
    assert (len(order), order[-1]) == (5, "worker@1.service")


def test_a_generation_replaces_the_old_name_too() -> None:
    """Blue/green: the old instances are drained once the new one is healthy."""
    cluster = working(1)
    rename(cluster, 1, Mode.BLUE_GREEN)
    (name,) = cluster.runs
    assert name.startswith("jobs-")
    assert cluster.least_up == 1


def test_an_old_name_that_another_release_requires_stays_until_the_end() -> None:
    """Its callers look it up by that name."""
    cluster = working(1)
    cluster.launch("web@1.service", text_of("web"))
    entries = {
        "worker": ServiceRelease(unit_hash(text_of("worker")), 1),
        "web": ServiceRelease(unit_hash(text_of("web")), 1, requires=("worker",)),
    }
    cluster.store.write(release_key(APP, "v1"), Release("v1", entries).to_json())
    cluster.store.write(current_key(APP), "v1")
    lines = rename(cluster, 1)
    assert {"jobs@1.service", "worker@1.service", "web@1.service"} == cluster.runs.keys()
    assert any("worker is still required by web (web@1.service) of release v1" in line for line in lines)


def test_a_rename_takes_the_lock_of_the_old_name() -> None:
    """It changes its units; its maintenance ends with it, and the history has both."""
    cluster = working(1)
    cluster.store.write(maintenance_key(APP, "worker"), "{}")
    cluster.store.write(lock_key(APP, "worker"), replace(this_process(), pid=1, place="elsewhere").to_json())
    with pytest.raises(Locked):
        rename(cluster, 1)
    assert cluster.history == []
    cluster.store.delete(lock_key(APP, "worker"))
    rename(cluster, 1)
    assert cluster.store.read(maintenance_key(APP, "worker")) is None
    for service in ("worker", "jobs"):
        assert len(cluster.store.below(history_dir(APP, service))) == 1


def test_what_has_no_room_even_without_the_old_instances_changes_nothing() -> None:
    """Three machines have a port three times."""
    cluster = working(ports=PORTS)
    with pytest.raises(RolloutFailed, match="Nothing was changed"):
        rename(cluster, 4, ports=PORTS)
    assert cluster.history == []


def test_a_place_is_made_by_the_instance_that_is_in_the_way() -> None:
    """Not by any other one: its machine is the only one that the rules admit."""
    cluster = FakeCluster(zones=True)
    old = cluster.launch_service("worker", 3, ports=PORTS)
    machine = cluster.zone_of("worker@2.service")
    text = text_of("jobs", ports=PORTS, machine_metadata=(f"zone={machine}",))
    target = Target("jobs", ("jobs@1.service",), UnitFile.parse(text))
    assert next_step(target, 0, 1, old, cluster.snapshot()).first == ("worker@2.service",)


def test_a_renamed_service_with_a_unit_for_each_machine_replaces_the_old_units() -> None:
    """One machine at a time, where both use the same port, and none of the old ones stays."""
    cluster = FakeCluster()
    names = machine_names("worker", sorted(cluster.snapshot().machines))
    for name in names:
        cluster.launch(name, text_of("worker", ports=PORTS, global_unit=True))
    cluster.least_up = len(names)
    rename(cluster, 1, Mode.PER_MACHINE, ports=PORTS, global_unit=True)
    assert sorted(cluster.runs) == sorted(machine_names("jobs", sorted(cluster.snapshot().machines)))
    assert cluster.least_up == len(names) - 1
