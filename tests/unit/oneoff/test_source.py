"""Which text and which machine a one-off is started from."""

from __future__ import annotations

import pytest

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.errors import NotAvailable
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.fleet.machine_lookup import machine_named
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.oneoff.source import (
    Source,
    container_of,
    instance_on,
    release_hash,
    released_text,
    service_in,
    source_of,
)
from fleetcaptain.rollout.cordon import cordon_files
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.units.mark import Mark, Ownership
from fleetcaptain.units.render_task import render_task
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, MACHINES, STACK, FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash

WEB, NEW = text_of("web"), text_of("web", description="new")
UNITS = {"web@1.service": WEB, "web@2.service": WEB, "redis@1.service": text_of("redis")}


def snapshot_of(units: dict[str, str] = UNITS, dead: tuple[str, ...] = ()) -> Snapshot:
    """The cluster on which *units* run, but for those that are *dead*."""
    cluster = FakeCluster(units)
    for name in dead:
        cluster.halt(name)
    return cluster.snapshot()


def source(snapshot: Snapshot, *, service: str = "web", **more: object) -> Source:
    """The source of a one-off, with heartbeats of all machines."""
    return source_of(APP, STACK, service, snapshot, MACHINES, **more)  # type: ignore[arg-type]


def test_the_only_service_needs_no_name() -> None:
    """Of several one must be named; the error has their names. Units of other stacks, the agent, tasks and the units
    of a machine in maintenance do not count."""
    snapshot = snapshot_of()
    assert service_in("web", APP, STACK, snapshot) == "web"
    for name in ("", "wb", "shop-agent"):
        with pytest.raises(NotAvailable, match="redis, web"):
            service_in(name, APP, STACK, snapshot)
    other = text_of("other", stack="fleetcaptain/dev")
    one = snapshot_of({"web@1.service": WEB, "other@1.service": other, "shop-agent.service": text_of("shop-agent")})
    assert service_in("", APP, STACK, one) == "web"
    task = render_task(TaskSpec(ServiceSpec("migrate", "", "shop", ("x",))), Mark(APP, STACK, "migrate")).text
    maintained = cordon_files(Ownership(APP, STACK), Machine("m", "10.0.0.9"), ())
    idle = {name: file.text for name, file in maintained.items()}
    busy = snapshot_of({"web@1.service": WEB, "migrate-task@0badc0de.service": task, **idle})
    assert service_in("", APP, STACK, busy) == "web"
    task = text_of("nightly") + "Periodic=nightly\n"
    assert service_in("", APP, STACK, snapshot_of({"web@1.service": WEB, "nightly-task.service": task})) == "web"
    with pytest.raises(NotAvailable, match="other, web"):
        service_in("", APP, "", one)


def test_a_task_is_no_service() -> None:
    """The error says what to name instead."""
    with pytest.raises(NotAvailable, match=r"migrate: it is a task of the app .*Services: redis, web\."):
        service_in("migrate", APP, STACK, snapshot_of(), {"migrate"})


def test_it_runs_where_the_service_runs() -> None:
    """In the place of the unit there; not where the unit ended."""
    snapshot = snapshot_of(dead=("web@1.service",))
    found = source(snapshot)
    assert (found.unit, found.file.text) == ("web@2.service", WEB)
    assert found.machine.id == snapshot.units["web@2.service"].machine_id


def test_the_text_of_the_current_release_comes_first() -> None:
    """In the middle of a rollout both run."""
    snapshot = snapshot_of({"web@1.service": WEB, "web@2.service": NEW})
    assert source(snapshot, current=unit_hash(NEW)).unit == "web@2.service"
    assert source(snapshot, current=unit_hash(WEB)).unit == "web@1.service"
    assert source(snapshot, current="gone").unit == "web@1.service"


def test_a_machine_that_is_named_is_taken() -> None:
    """In the place of the unit that runs there; without one with the service's text, and the first number."""
    snapshot = snapshot_of({"web@1.service": WEB, "web@2.service": WEB})
    for name in ("web@1.service", "web@2.service"):
        machine = snapshot.machines[snapshot.units[name].machine_id or ""]
        assert source(snapshot, machine=machine) == Source(name, UnitFile.parse(WEB), machine)
    taken = {unit.machine_id for unit in snapshot.units.values()}
    free = next(machine for machine in snapshot.machines.values() if machine.id not in taken)
    assert source(snapshot, machine=free) == Source("web@1.service", UnitFile.parse(WEB), free)


def test_without_a_running_instance_a_machine_with_a_heartbeat_is_taken() -> None:
    """If the unit may run there."""
    text = text_of("web", machine_metadata=("disk=ssd",))
    snapshot = snapshot_of({"web@1.service": WEB}, dead=("web@1.service",))
    assert source_of(APP, STACK, "web", snapshot, MACHINES[2:]).machine.id == MACHINES[2]
    for heard, released in (((), None), (MACHINES, UnitFile.parse(text))):
        with pytest.raises(NotAvailable, match="No machine can run a one-off of web"):
            source_of(APP, STACK, "web", snapshot, heard, released=released)


def test_a_release_decides_the_text_alone() -> None:
    """Also of a service that has no unit any more."""
    released = UnitFile.parse(NEW)
    assert source(snapshot_of(), released=released).file == released
    found = source(snapshot_of({}), service="gone", released=released)
    assert (found.unit, found.machine.id) == ("gone@1.service", MACHINES[0])


def test_a_text_of_a_release_is_checked() -> None:
    """Its key is its hash."""
    release = Release("v1", {"web": ServiceRelease(unit_hash(NEW), 2)})
    assert released_text("v1", "web", release, NEW).text == NEW
    for text in (None, WEB):
        with pytest.raises(NotAvailable, match="not in etcd any more, or was changed there"):
            released_text("v1", "web", release, text)
    with pytest.raises(NotAvailable, match="no release 'v2'"):
        release_hash("v2", "web", None)
    with pytest.raises(NotAvailable, match="no service 'redis', only web"):
        release_hash("v1", "redis", release)


def test_a_console_attaches_to_a_running_instance() -> None:
    """To the first one, or to the one that is named."""
    snapshot = snapshot_of(dead=("web@1.service",))
    assert instance_on(APP, STACK, "web", "", snapshot)[0] == "web@2.service"
    assert instance_on(APP, STACK, "web", "2", snapshot)[0] == "web@2.service"
    with pytest.raises(NotAvailable, match=r"web@1 has no running instance. .*: web@2.service"):
        instance_on(APP, STACK, "web", "1", snapshot)
    assert container_of(APP, "web-abc1234@1.service") == "fc.shop.web-abc1234.1"


def test_machines_have_names_addresses_and_ids() -> None:
    """The beginning of an id is enough if no other has it; otherwise all are listed."""
    machines = [Machine(f"{n}a{n}b", f"10.0.0.{n}", {"name": f"m{n}"}) for n in (1, 2)] + [Machine("1acc", "10.0.0.3")]
    for text in ("m1", "10.0.0.1", "1a1b", "1a1"):
        assert machine_named(text, machines) is machines[0]
    for text, why in (("1a", "2 machines match"), ("m9", "no such machine"), ("", "no such machine")):
        with pytest.raises(
            NotAvailable, match=rf"{why}[^\n]*\n  -  10.0.0.3  1acc\n  m1  10.0.0.1  1a1b\n  m2  10.0.0.2"
        ):
            machine_named(text, machines)
