"""The gate of a release: what it waits for, what it leaves when that does not come, what is read back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.cluster import local_handle
from components.cluster.balanced_targets import PublicTarget
from components.cluster.handle import ClusterHandle
from components.engine.dynamic_resource import PartialFailure
from components.etcd_readiness import ReadinessProvider
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import current_key, images_key, previous_key, release_key, task_key, text_key
from fleetcaptain.errors import ClusterRefused, ClusterUnreachable, DeadlineExceeded, FleetCaptainError, Interrupted
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.localcluster.registry_cleanup import digests_in
from fleetcaptain.mode import Mode
from fleetcaptain.release.kept_images import KeptImages, docker_name
from fleetcaptain.tasks.task_run import wanted_run
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render_task import render_task
from tests.fakes.fake_site import APP, Site
from tests.fakes.unit_texts import unit_hash
from tests.unit.components.deployed import CONNECTION, IMAGE, LOCAL, STACK, full, text_of, unit_inputs, units_of
from tests.unit.tasks.test_periodic_pair import pair_of

PROVIDER = ReadinessProvider()
WEB, REDIS = unit_inputs(), unit_inputs("redis", 1, "bluegreen")
OLD_REDIS = {**REDIS, "unit": text_of("redis", description="old")}


def entries(*services: dict[str, Any]) -> dict[str, ServiceRelease]:
    """The entry of each service in a release's manifest."""
    return {
        one["service"]: ServiceRelease(
            unit_hash(full(one["unit"])), one["instances"], IMAGE, Mode(one["mode"]), {"keep_old_sec": 5}, scheme="http"
        )
        for one in services
    }


def gate_inputs(tag: str = "v2", *others: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The inputs of the gate of a release of web, redis and *others*."""
    services = {
        name: {"content": one.unit_hash, "count": float(one.count), "image": IMAGE, "scheme": "http"}
        for name, one in entries(WEB, REDIS, *others).items()
    }
    inputs = {"app": APP, "stack": STACK, "release": tag, "services": services, "timeout_sec": 10.0, "ready": True}
    return {**inputs, "cluster": CONNECTION, **more}


@pytest.fixture
def deployed(site: Site) -> Site:
    """Release v2 runs and is recorded; v1 is current still."""
    site.etcd.put(current_key(APP), "v1")
    for tag, services in (("v1", entries(WEB, OLD_REDIS)), ("v2", entries(WEB, REDIS))):
        site.etcd.put(release_key(APP, tag), Release(tag, services, unfinished=tag == "v2").to_json())
    site.start(units_of(WEB, REDIS))
    return site


def test_the_gate_does_not_wait_for_units_of_machines_that_left(deployed: Site) -> None:
    """As when the same update made the cluster smaller: they come back with their machine."""
    agent = unit_inputs("logs", 1, "global")
    deployed.start(units_of(agent))
    services = entries(WEB, REDIS, agent)
    deployed.etcd.put(release_key(APP, "v2"), Release("v2", services, unfinished=True).to_json())
    inputs = gate_inputs("v2", agent)
    there = len(deployed.fleet.machines)
    deployed.start({"logs@m9.service": next(iter(units_of(agent).values()))})
    for count in (there + 1, there):  # before, and after a refresh
        inputs["services"]["logs"]["count"] = float(count)
        assert PROVIDER.create(inputs).outs is not None
    deployed.stop("logs@m1.service")
    deployed.rest()
    with pytest.raises(PartialFailure, match="logs: 2 of 3"):
        PROVIDER.create(inputs)


def test_the_gate_waits_for_the_load_balancer(deployed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """To send to the machines with a proxy; the release of a rollback may have none. When the balancer never sends to
    them, it is a failure, and the next update waits again."""
    proxy = unit_inputs(f"{APP}-proxy")
    deployed.start(units_of(WEB, REDIS, proxy))
    deployed.etcd.put(release_key(APP, "v2"), Release("v2", entries(WEB, REDIS, proxy)).to_json())
    asked: list[tuple[Any, float]] = []

    def wait(_self: object, public: Any, timeout_sec: float, *_: object) -> None:
        asked.append((public, timeout_sec))
        if len(asked) > 1:
            raise DeadlineExceeded("web: unhealthy")

    monkeypatch.setattr("components.cluster.handle.ClusterHandle.wait_balanced", wait)
    targets = {"80": "arn:80", "443": "arn:443"}
    inputs = gate_inputs("v2", proxy, targets=targets)
    assert PROVIDER.create(inputs).outs is not None
    assert asked == [({port: PublicTarget(arn, 2) for port, arn in targets.items()}, 10.0)]
    with pytest.raises(PartialFailure, match="web: unhealthy") as failure:
        PROVIDER.create(inputs)
    assert failure.value.outs["ready"] is False
    deployed.etcd.put(release_key(APP, "v2"), Release("v2", entries(WEB, REDIS)).to_json())
    PROVIDER.create(gate_inputs(targets=targets))
    assert len(asked) == 2, "there is no proxy"


def test_a_release_that_is_available_becomes_current(deployed: Site) -> None:
    """Its endpoints are those that registered themselves; it reads back without a difference."""
    outs = PROVIDER.create(gate_inputs()).outs
    assert outs is not None
    assert deployed.etcd.values[current_key(APP)] == "v2"
    assert deployed.etcd.values[previous_key(APP)] == "v1"
    assert {service: len(urls) for service, urls in outs["endpoints"].items()} == {"redis": 1, "web": 2}
    assert all(url.startswith("http://10.0.0.") and url.endswith(":8080") for url in outs["endpoints"]["web"])
    found = PROVIDER.read(APP, outs)
    assert (found.inputs, found.outs) == (gate_inputs(), outs)


@pytest.mark.parametrize("change", ["create", "update"])
def test_a_release_that_does_not_become_available_is_not_current(deployed: Site, change: str) -> None:
    """The error names what is missing; a first gate stays in the state, so that the next `pulumi up` updates it."""
    deployed.stop("web@2.service")
    if change == "update":
        with pytest.raises(DeadlineExceeded, match="web: 1 of 2 instances registered"):
            PROVIDER.update(APP, {}, gate_inputs())
    else:
        with pytest.raises(PartialFailure, match="web: 1 of 2 instances registered") as failure:
            PROVIDER.create(gate_inputs())
        assert failure.value.id == APP
        assert failure.value.outs == {**gate_inputs(), "ready": False, "endpoints": {}}
    assert deployed.etcd.values[current_key(APP)] == "v1"


def test_the_wait_ends_when_the_update_is_cancelled(deployed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once."""
    deployed.stop("web@2.service")
    monkeypatch.setattr("components.etcd_readiness.cancelled", lambda: True)
    with pytest.raises(Interrupted):
        PROVIDER.update(APP, {}, gate_inputs())


def test_what_was_kept_for_the_old_release_goes_with_it(deployed: Site, warnings: list[str]) -> None:
    """An old generation, and the recorded text that no release has any more."""
    deployed.start(units_of(OLD_REDIS))
    deployed.etcd.put(text_key(APP, "0" * 40), "a text of no release")
    PROVIDER.update(APP, {}, gate_inputs())
    assert set(deployed.texts) == deployed.running == set(units_of(WEB, REDIS))
    assert text_key(APP, "0" * 40) not in deployed.etcd.values
    assert warnings == []


def test_a_service_that_left_the_app_goes_when_the_release_is_current(deployed: Site) -> None:
    """Also one that no state has. Until then the release is not ready, so that the next `pulumi up` removes it."""
    old = unit_inputs("old", 1)
    deployed.etcd.put(release_key(APP, "v1"), Release("v1", {**entries(WEB), **entries(old)}).to_json())
    outs = PROVIDER.update(APP, {}, gate_inputs()).outs or {}
    deployed.start(units_of(old))
    assert (PROVIDER.read(APP, outs).inputs or {})["ready"] is False
    PROVIDER.update(APP, {}, gate_inputs())
    assert set(deployed.texts) == deployed.running == set(units_of(WEB, REDIS))
    assert (PROVIDER.read(APP, outs).inputs or {})["ready"] is True


def test_the_machines_and_the_registry_learn_which_images_stay(
    deployed: Site, docker_machines: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images of a release that is forgotten stay as long as another app names them, or a unit."""
    docker_machines.running = frozenset({"m1", "m2", "m3"})
    calls: list[tuple[str, frozenset[str], tuple[str, ...]]] = []
    monkeypatch.setattr(local_handle, "clean_registry", lambda *arguments: calls.append(arguments))
    digests = {letter: f"sha256:{letter * 64}" for letter in "abc"}
    deployed.etcd.put(release_key("cart", "v1"), f'{{"newer": "redis@{digests["a"]}"}}')
    deployed.start({"x@1.service": f"[Service]\nExecStart=/bin/run x@{digests['b']}\n"})
    deployed.etcd.put(images_key(APP), KeptImages(own=("old/shop",), drop=(f"x@{digests['c']}",)).text)
    PROVIDER.update(APP, {}, gate_inputs(cluster=LOCAL, repositories=["127.0.0.1:1/shop"]))
    own = ("127.0.0.1:1/shop", "old/shop")
    kept = KeptImages.parse(deployed.etcd.values[images_key(APP)])
    assert (kept.own, kept.keep) == (own, (docker_name(IMAGE),))
    ((stack, named, repositories),) = calls
    assert (stack, repositories) == (LOCAL["stack"], own)
    assert {digests["a"], digests["b"], *digests_in([IMAGE])} <= named
    assert digests["c"] not in named


def test_a_registry_that_cannot_be_cleaned_fails_no_deployment(
    deployed: Site, docker_machines: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """The release is current; a warning says what stays."""
    docker_machines.running = frozenset({"m1", "m2", "m3"})

    def fail(*_: object) -> None:
        raise FleetCaptainError("The registry could not start.")

    monkeypatch.setattr(local_handle, "clean_registry", fail)
    PROVIDER.update(APP, {}, gate_inputs(cluster=LOCAL))
    assert deployed.etcd.values[current_key(APP)] == "v2"
    assert warnings == ["The release is available, but old images stay in the registry. The registry could not start."]


def test_an_old_generation_that_others_still_need_is_warned_of(deployed: Site, warnings: list[str]) -> None:
    """It stays; the release is current all the same."""
    old_web = {**WEB, "unit": text_of(description="old")}
    needing = ServiceRelease(unit_hash(full(old_web["unit"])), 1, IMAGE, requires=("redis",))
    deployed.etcd.put(release_key(APP, "v1"), Release("v1", {**entries(OLD_REDIS), "web": needing}).to_json())
    deployed.start({**units_of(OLD_REDIS), "web@3.service": full(old_web["unit"])})
    PROVIDER.update(APP, {}, gate_inputs())
    assert deployed.etcd.values[current_key(APP)] == "v2"
    assert set(units_of(OLD_REDIS)) <= deployed.running
    assert "web (web@3.service) of release v1" in warnings[0]


def test_a_release_of_which_something_is_gone_is_not_ready(deployed: Site) -> None:
    """Then the next `pulumi up` waits for it again."""
    outs = PROVIDER.create(gate_inputs()).outs
    assert outs is not None
    deployed.stop("web@1.service")
    found = PROVIDER.read(APP, outs)
    assert found.inputs == {**gate_inputs(), "ready": False}
    assert found.outs is not None
    assert len(found.outs["endpoints"]["web"]) == 1


def test_a_release_that_is_not_current_is_not_ready(deployed: Site) -> None:
    """Though all of it runs: another user rolled back to another one."""
    found = PROVIDER.read(APP, {**gate_inputs(), "endpoints": {}})
    assert deployed.running
    assert found.inputs == {**gate_inputs(), "ready": False}


@pytest.mark.parametrize(
    ("running", "ready"), [({"m1", "m2", "m3"}, True), ({"m1", "m2"}, False), ({"m1"}, False), (None, None)]
)
def test_a_release_on_a_local_cluster_is_ready_while_all_machines_run(
    deployed: Site, docker_machines: SimpleNamespace, running: set[str] | None, ready: bool | None
) -> None:
    """fleet and etcd would take up to a minute to notice that one is gone."""
    deployed.etcd.put(current_key(APP), "v2")
    docker_machines.running = running if running is None else frozenset(running)
    found = PROVIDER.read(APP, {**gate_inputs(cluster=LOCAL), "endpoints": {}})
    if ready is None:
        assert found.id is None
    else:
        assert found.inputs == {**gate_inputs(cluster=LOCAL), "ready": ready}


def test_a_cluster_that_does_not_answer_is_an_error_once(site: Site) -> None:
    """After that the release is not ready."""
    site.unreachable = True
    with pytest.raises(ClusterUnreachable):
        PROVIDER.read(APP, gate_inputs())
    assert PROVIDER.read(APP, gate_inputs()).inputs == {**gate_inputs(), "ready": False}


def test_a_pair_that_no_resource_has_is_removed(deployed: Site) -> None:
    """It reads back as a difference. A declared one stays, as in a rollback."""
    pair = pair_of(stack=STACK)
    outs = PROVIDER.create(gate_inputs()).outs
    deployed.start({"nightly-task.service": pair.service.text, "nightly-task.timer": pair.timer.text})
    assert outs is not None
    assert PROVIDER.read(APP, outs).inputs == {**gate_inputs(), "ready": False}
    declared = gate_inputs(periodic=["nightly"])
    PROVIDER.update(APP, outs, declared)
    assert PROVIDER.read(APP, declared).inputs == declared
    assert "nightly-task.timer" in deployed.texts
    PROVIDER.update(APP, declared, gate_inputs())
    assert set(deployed.texts) == set(units_of(WEB, REDIS))


def test_with_the_gate_go_the_units_of_tasks(deployed: Site) -> None:
    """Also of one that runs: the app is about to go."""
    task = render_task(TaskSpec(ServiceSpec("migrate", "x", "shop", ("rake",))), Mark(APP, STACK, "migrate")).text
    unit = "migrate-task@0badc0de.service"
    deployed.start({unit: full(task)})
    wanted = wanted_run("migrate", unit_hash(full(task)), "0badc0de", "jo@host", "2026-01-02T03:04:05+00:00")
    deployed.etcd.put(task_key(APP, "migrate"), wanted.to_json())
    assert unit in deployed.texts
    PROVIDER.delete("ready", gate_inputs())
    assert set(deployed.texts) == set(units_of(WEB, REDIS))


@pytest.mark.usefixtures("site")
def test_the_first_resource_to_go_asks_before_data_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cluster of this stack: nothing of it or of the state has changed then."""
    asked: list[str] = []

    def refuse(handle: ClusterHandle) -> None:
        asked.append(handle.connection.stack)
        raise ClusterRefused("Cannot remove the cluster:", ["it has data"])

    monkeypatch.setattr(ClusterHandle, "refuse_loss", refuse)
    with pytest.raises(ClusterRefused):
        PROVIDER.delete("ready", gate_inputs(cluster={**CONNECTION, "kind": "aws"}))
    assert asked == [STACK]
    PROVIDER.delete("ready", gate_inputs())
    assert asked == [STACK]
