"""The provider of one service: what an update does to the cluster, what it leaves when it fails, what is read back."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from components.engine.dynamic_resource import PartialFailure
from components.fleet_unit import RollingUpdateProvider
from fleetcaptain.agent.agent_unit import agent_unit
from fleetcaptain.agent.program import program_hash
from fleetcaptain.discovery.keys import agent_key, current_key, maintenance_key, release_key, rollout_key
from fleetcaptain.errors import ClusterUnreachable, Interrupted, Locked, RolloutFailed, UnitRefused
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleetfile.values import Port, ServiceSpec, TaskSpec
from fleetcaptain.history.stored_records import read_records
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.lock import Lock
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render_task import render_task
from tests.fakes.fake_site import APP, Site
from tests.fakes.unit_texts import unit_hash
from tests.unit.components.deployed import (
    IMAGE,
    LOCAL,
    STACK,
    full,
    names_of,
    text_of,
    unit_inputs,
    units_of,
)

PROVIDER = RollingUpdateProvider()
AGENT = unit_inputs(f"{APP}-agent", 1, "everywhere", unit=agent_unit(APP, STACK).text, image="")
SERVICES = {
    "rolling": unit_inputs(),
    "bluegreen": unit_inputs("redis", 1, "bluegreen"),
    "global": unit_inputs("agent", 1, "global"),
    "everywhere": AGENT,
}


def created(inputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs of a service that was created."""
    outs = PROVIDER.create(inputs).outs
    assert outs is not None
    return outs


def read(props: dict[str, Any]) -> dict[str, Any]:
    """The inputs that are read back."""
    inputs = PROVIDER.read(str(props["service"]), props).inputs
    assert inputs is not None
    return inputs


def drift(props: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """What differs in what is read back from the *inputs* of the last deployment."""
    return {key: value for key, value in read(props).items() if inputs[key] != value}


@pytest.mark.parametrize("mode", SERVICES)
def test_a_new_service_runs_and_reads_back_as_its_inputs(site: Site, mode: str) -> None:
    """So a second preview shows no difference."""
    inputs = SERVICES[mode]
    outs = created(inputs)
    assert site.texts == units_of(inputs)
    assert site.running == set(names_of(inputs))
    assert outs["units"] == list(names_of(inputs))
    assert outs["count"] == len(names_of(inputs))
    assert outs["content"] == unit_hash(next(iter(units_of(inputs).values())))
    assert set(outs["machines"]) <= {machine.ip for machine in site.fleet.machines}
    assert outs["machines"]
    assert drift(outs, inputs) == {}


def test_the_image_is_fetched_before_anything_starts(site: Site) -> None:
    """On every machine that may need it; if that fails nothing is changed."""
    site.pull = "manifest unknown"
    with pytest.raises(PartialFailure, match=r"docker on 10\.0\.0\.1 says:\n  manifest unknown"):
        created(SERVICES["rolling"])
    assert site.texts == {}
    assert {address for address, argv in site.commands if IMAGE in argv} == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}


def test_a_service_that_does_not_start_stays_in_the_state_as_it_is(site: Site) -> None:
    """So the next `pulumi up` updates it. The error has the lines of its journal."""
    site.failing = "broken"
    inputs = unit_inputs(unit=text_of(description="broken"))
    with pytest.raises(PartialFailure) as failure:
        PROVIDER.create(inputs)
    assert failure.value.id == "web"
    assert failure.value.outs["units"] == ["web@1.service", "web@2.service"]
    assert {key: failure.value.outs[key] for key in inputs} == inputs
    assert "output of journalctl on 10.0.0." in str(failure.value)
    assert "There is no earlier version to roll back to" in str(failure.value)


def test_another_apps_unit_is_not_touched(site: Site) -> None:
    """Neither by a first deployment nor by a later one."""
    theirs = {"web@1.service": full(text_of(app="theirs"))}
    site.start(theirs)
    with pytest.raises(UnitRefused, match=r"(?s)Nothing was changed.*of the app 'theirs'"):
        PROVIDER.create(SERVICES["rolling"])
    with pytest.raises(UnitRefused, match=r"(?s)Nothing was changed.*of the app 'theirs'"):
        PROVIDER.update("web", SERVICES["rolling"], SERVICES["rolling"])
    assert site.texts == theirs


def test_another_apps_unit_is_not_kept_in_the_state_when_the_rollout_is_locked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the state keeps is deleted some day."""
    theirs = {"web@1.service": full(text_of(app="theirs"))}
    site.start(theirs)
    monkeypatch.setattr(Lock, "acquire", _locked)
    with pytest.raises(Locked):
        PROVIDER.create(SERVICES["rolling"])
    assert site.texts == theirs


def _locked(*_: object) -> None:
    raise Locked("ann@laptop rolls web out")


def test_an_update_reads_the_cluster_twice_before_its_first_change(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once under its lock, and once more when the image is on all machines."""
    old = SERVICES["rolling"]
    site.start(units_of(old))
    calls: list[str] = []
    for name in ("units", "put"):
        monkeypatch.setattr(FleetClient, name, _noted(site, calls, name))
    PROVIDER.update("web", old, {**old, "unit": old["unit"].replace("Description=", "Description=new ")})
    assert calls[: calls.index("put")] == ["units", "units"]


def _noted(site: Site, calls: list[str], name: str) -> Callable[..., Any]:
    method = getattr(FleetClient, name)

    def call(*args: Any) -> Any:
        calls.append(name)
        site.now += 1
        return method(*args)

    return call


@pytest.mark.parametrize("mode", SERVICES)
def test_an_update_replaces_every_unit(site: Site, mode: str) -> None:
    """And removes those of before."""
    old = SERVICES[mode]
    site.start(units_of(old))
    new = {**old, "unit": old["unit"].replace("Description=", "Description=new ")}
    outs = PROVIDER.update("id", old, new).outs
    assert outs is not None
    assert site.texts == units_of(new)
    assert site.running == set(names_of(new))
    assert drift(outs, new) == {}
    assert '"state": "done"' in site.etcd.values[rollout_key(APP, old["service"])]


def test_a_service_with_fewer_instances_loses_the_last_ones(site: Site) -> None:
    """The others run on."""
    site.start(units_of(unit_inputs(instances=3)))
    PROVIDER.update("web", unit_inputs(instances=3), unit_inputs(instances=1))
    assert set(site.texts) == site.running == site.registered == {"web@1.service"}


@pytest.mark.parametrize(("tag", "least_sec", "back"), [("", 30.0, False), ("v1", 2.0, True)])
def test_a_rollback_is_quick_and_recorded_as_one(
    site: Site, monkeypatch: pytest.MonkeyPatch, tag: str, least_sec: float, back: bool
) -> None:
    """What the release was proven with once, it need not prove again. The state keeps the service's own times."""
    monkeypatch.setenv("FLEETCAPTAIN_ROLLBACK_TO", tag)
    old = unit_inputs(instances=1)
    site.start(units_of(old))
    new = {**old, "unit": text_of(description="new"), "rollout": {**old["rollout"], "min_healthy_sec": 30}}
    outs = PROVIDER.update("web", old, new).outs
    assert outs is not None
    assert outs["rollout"]["min_healthy_sec"] == 30
    (record,), _ = read_records(site.etcd.store, APP, "web")
    assert record.rollback is back
    assert least_sec <= record.seconds < least_sec + 20


@pytest.mark.parametrize("mode", ["rolling", "bluegreen"])
def test_an_update_that_fails_leaves_the_old_version_running(site: Site, mode: str) -> None:
    """On every instance; the journal of rollouts says that it failed."""
    old = SERVICES[mode]
    site.start(units_of(old))
    site.failing = "broken"
    with pytest.raises(RolloutFailed):
        PROVIDER.update("id", old, {**old, "unit": text_of(old["service"], description="broken")})
    assert site.texts == units_of(old)
    assert site.running == set(names_of(old))
    assert '"state": "failed"' in site.etcd.values[rollout_key(APP, old["service"])]


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("modes", [("rolling", "global"), ("global", "rolling")])
def test_old_units_that_are_in_the_way_go_first(site: Site, modes: tuple[str, str], broken: bool) -> None:
    """They have the port that the new ones need on each machine; when those fail, the old ones are there again."""
    old, new = (
        unit_inputs(
            instances=3 if mode == "rolling" else 1,
            mode=mode,
            unit=text_of(global_unit=mode == "global", ports=(Port(80, 8080),), description=mode),
        )
        for mode in modes
    )
    site.start(units_of(old))
    assert site.running == set(names_of(old))
    if broken:
        site.failing = f"Description={modes[1]}"
        with pytest.raises(RolloutFailed, match="were rolled back to their old text"):
            PROVIDER.update("web", old, new)
    else:
        PROVIDER.update("web", old, new)
    stays = old if broken else new
    assert site.texts == units_of(stays)
    assert site.running == site.registered == set(names_of(stays))


def test_without_auto_revert_a_failed_update_stops_where_it_is(site: Site) -> None:
    """Only the first instance has the new text then."""
    old = unit_inputs(instances=3)
    site.start(units_of(old))
    site.failing = "broken"
    new = {**old, "unit": text_of(description="broken"), "rollout": {**old["rollout"], "auto_revert": False}}
    with pytest.raises(RolloutFailed, match="The rollout stopped because auto_revert is off"):
        PROVIDER.update("web", old, new)
    assert [text for text in site.texts.values() if "broken" in text] == [full(new["unit"])]


def test_an_update_stops_between_two_instances_when_it_is_cancelled(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one goes on from there."""
    old = unit_inputs(instances=3)
    new = {**old, "unit": text_of(description="new")}
    site.start(units_of(old))
    with monkeypatch.context() as patched:
        patched.setattr("components.fleet_unit.cancelled", lambda: full(new["unit"]) in site.texts.values())
        with pytest.raises(Interrupted, match="web: stopped on request with 0 of 3 instances done"):
            PROVIDER.update("web", old, new)
    assert list(site.texts.values()).count(full(new["unit"])) == 1
    PROVIDER.update("web", old, new)
    assert site.texts == units_of(new)


def test_an_agent_that_fails_somewhere_is_an_error_of_the_deployment(site: Site) -> None:
    """It names the machine, and has the journal."""
    site.failing = "ExecStart"
    with pytest.raises(PartialFailure, match=r"(?s)10\.0\.0\.1.*systemd says that it failed.*output of journalctl"):
        PROVIDER.create(AGENT)


@pytest.mark.usefixtures("site")
def test_only_an_update_that_takes_the_one_instance_down_is_warned_of(warnings: list[str]) -> None:
    """In the preview already. The comparison itself is the engine's."""
    one, two = unit_inputs(instances=1), unit_inputs(instances=2)
    assert PROVIDER.diff("web", two, {**two, "unit": "new"}).changes is None
    assert warnings == []
    assert PROVIDER.diff("web", one, {**one, "unit": "new"}).changes is None
    assert len(warnings) == 1
    assert warnings[0].startswith("web: down during the replacement")
    assert "instances=2" in warnings[0]
    data = {**one, "unit": text_of("web", volumes=("data:/data",))}
    PROVIDER.diff("web", data, {**data, "image": "other"})
    assert warnings[1].endswith("both would write to data at the same time.")


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("port", "warned"), [(Port(80, 8080), 1), (Port(80), 0)])
def test_a_service_whose_old_units_go_first_is_warned_of(warnings: list[str], port: Port, warned: int) -> None:
    """As it goes to one on every machine, and back."""
    modes = [
        unit_inputs(mode=mode, unit=text_of(global_unit=mode == "global", ports=(port,)))
        for mode in ("rolling", "global")
    ]
    for old, new in (modes, reversed(modes)):
        PROVIDER.diff("web", old, new)
    assert [line for line in warnings if "down while units with other names replace its units" in line] == warnings
    assert len(warnings) == 2 * warned


def test_what_was_changed_by_hand_shows_as_what_it_is(site: Site) -> None:
    """A text, an image, an instance that is missing, one that was stopped."""
    inputs = unit_inputs(instances=3)
    outs = created(inputs)
    edited = text_of(description="by hand")
    site.start({"web@2.service": full(edited).replace(IMAGE, "redis:8")})
    assert drift(outs, inputs) == {"unit": edited, "image": "redis:8", "state": "web@2.service differ from the others"}
    site.start(units_of(inputs))
    site.cluster().fleet.delete("web@3.service")
    site.rest()
    assert drift(outs, inputs) == {"instances": 2}
    site.stop("web@1.service")
    assert drift(outs, inputs) == {"instances": 2, "state": "web@1.service loaded"}


def test_a_machine_without_its_unit_shows(site: Site) -> None:
    """As when a machine was added after the last deployment."""
    inputs = SERVICES["global"]
    outs = created(inputs)
    site.cluster().fleet.delete("agent@m2.service")
    site.rest()
    assert drift(outs, inputs) == {"state": "agent@m2.service missing"}


def test_what_is_expected_of_each_machine_is_not_expected_of_those_that_left(site: Site) -> None:
    """Else the gate of each later release would wait for their registrations. A unit stays for its machine."""
    inputs = SERVICES["global"]
    outs = created(inputs)
    site.fleet.machines = site.fleet.machines[:-1]
    site.rest()
    assert drift(outs, inputs) == {}
    found = PROVIDER.read("agent", outs).outs
    assert found is not None
    assert found["count"] == outs["count"] - 1


@pytest.mark.parametrize("value", [None, "ZWNobyBvd25lZAo=", "no base64"])
def test_an_agent_whose_program_is_not_in_etcd_shows(site: Site, value: str | None) -> None:
    """A machine that joins could not install it. The next deployment writes it again, and restarts nothing."""
    outs = created(AGENT)
    store, key = site.cluster().store, agent_key(APP, program_hash())
    if value is None:
        store.delete(key)
    else:
        store.write(key, value)
    assert drift(outs, AGENT) == {"state": "its program is missing in etcd"}
    before = site.running
    PROVIDER.update("id", outs, AGENT)
    assert drift(outs, AGENT) == {}
    assert site.running == before


def test_the_beacon_of_version_0_2_0_is_read(site: Site) -> None:
    """Each deployment reads what the state has, also what it then removes. The beacon names no program."""
    lines = ["[Service]", "ExecStart=/bin/sh -c 'sleep 20'", "", "[X-Fleet]", "Global=true", ""]
    mark = ["[X-FleetCaptain]", f"App={APP}", f"Stack={STACK}", f"Service={APP}-beacon", ""]
    beacon = unit_inputs(f"{APP}-beacon", 1, "everywhere", unit="\n".join([*lines, *mark]), image="")
    assert drift(created(beacon), beacon) == {}
    assert site.texts.keys() == {f"{APP}-beacon.service"}


@pytest.mark.parametrize("mode", SERVICES)
def test_a_service_of_which_nothing_is_left_is_created_again(site: Site, mode: str) -> None:
    """It is gone from the state."""
    outs = created(SERVICES[mode])
    for name in names_of(SERVICES[mode]):
        site.cluster().fleet.delete(name)
    site.rest()
    assert PROVIDER.read("id", outs).id is None


@pytest.mark.parametrize(("running", "id_"), [(None, None), (frozenset({"m1"}), "web")])
def test_of_a_local_cluster_that_does_not_run_nothing_is_asked(
    docker_machines: SimpleNamespace, running: frozenset[str] | None, id_: str | None
) -> None:
    """One that is gone has no services; one that is stopped has those that it had."""
    docker_machines.running = running
    inputs = unit_inputs(cluster=LOCAL)
    found = PROVIDER.read("web", {**inputs, "units": []})
    assert found.id == id_
    assert found.inputs == (inputs if id_ else None)


def test_a_cluster_that_does_not_answer_is_one_error_and_not_one_for_each_service(site: Site) -> None:
    """It says what to do when the cluster is gone for good; the others read back unchanged."""
    site.unreachable = True
    with pytest.raises(ClusterUnreachable, match="`pulumi state delete` for its resources, or `make down`"):
        PROVIDER.read("web", SERVICES["rolling"])
    assert read(SERVICES["bluegreen"]) == SERVICES["bluegreen"]


def test_a_removed_service_leaves_nothing(site: Site) -> None:
    """Neither units nor registrations nor its maintenance. What etcd has of the app stays, as long as another service
    does."""
    web, redis = SERVICES["rolling"], SERVICES["bluegreen"]
    site.start(units_of(web, redis))
    site.etcd.put(current_key(APP), "v1")
    site.etcd.put(maintenance_key(APP, "web"), "{}")
    PROVIDER.delete("web", web)
    assert maintenance_key(APP, "web") not in site.etcd.values
    site.etcd.put(maintenance_key(APP, "web"), "{}")
    PROVIDER.delete("web", web)
    assert maintenance_key(APP, "web") not in site.etcd.values
    assert set(site.texts) == site.running == site.registered == set(names_of(redis))
    assert current_key(APP) in site.etcd.values


def test_with_the_last_service_goes_all_that_etcd_has_of_the_app(site: Site) -> None:
    """What other apps have stays."""
    site.start(units_of(SERVICES["rolling"]) | {"theirs@1.service": full(text_of("theirs", app="other"))})
    for key in (current_key(APP), release_key(APP, "v1")):
        site.etcd.put(key, "v1")
    site.etcd.put(current_key("other"), "v7")
    PROVIDER.delete("web", {**SERVICES["rolling"], "units": ["web@1.service", "web@2.service"]})
    assert set(site.texts) == {"theirs@1.service"}
    assert [key for key in site.etcd.values if key.startswith(f"/fleetcaptain/{APP}/")] == []
    assert site.etcd.values[current_key("other")] == "v7"


def test_with_the_machine_agent_go_the_units_of_tasks(site: Site) -> None:
    """As after a first deployment that was interrupted: no resource has them, and they keep the app's keys."""
    task = render_task(TaskSpec(ServiceSpec("migrate", "x", "shop", ("rake",))), Mark(APP, STACK, "migrate")).text
    site.start(units_of(AGENT) | {"migrate-task@0badc0de.service": full(task)})
    site.etcd.put(current_key(APP), "v1")
    PROVIDER.delete("agent", AGENT)
    assert site.texts == {}
    assert current_key(APP) not in site.etcd.values


def test_with_its_cluster_gone_a_service_is_gone(docker_machines: SimpleNamespace) -> None:
    """No cluster is asked: none would answer."""
    docker_machines.running = None
    PROVIDER.delete("web", unit_inputs(cluster=LOCAL))


def test_units_that_exist_are_adopted(site: Site) -> None:
    """As after a `pulumi up` that was killed: what has the right text is not started again."""
    inputs = SERVICES["rolling"]
    site.start({"web@1.service": full(inputs["unit"])})
    (place, process) = next(iter(site.fleet.loaded.items()))
    created(inputs)
    assert site.running == {"web@1.service", "web@2.service"}
    assert site.fleet.loaded[place] is process


@pytest.mark.parametrize("mode", SERVICES)
def test_what_was_stopped_on_its_machine_is_read_back_and_started_again(site: Site, mode: str) -> None:
    """`systemctl stop`, of which fleet learns nothing: it shows in the next preview, and the next update repairs it."""
    inputs = SERVICES[mode]
    outs = created(inputs)
    site.rest()
    name = names_of(inputs)[0]
    key = next(key for key in site.fleet.loaded if key[0] == name)
    site.fleet.loaded[key].active, site.fleet.loaded[key].sub = "inactive", "dead"
    assert drift(outs, inputs) == {"state": f"{name} inactive"}
    PROVIDER.update(inputs["service"], read(outs), inputs)
    assert site.running == set(names_of(inputs))
    assert {row.active for row in site.fleet.loaded.values()} == {"active"}
    site.rest()
    assert drift(outs, inputs) == {}


@pytest.mark.usefixtures("site")
def test_the_preview_says_what_an_update_does_and_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rollouts that are recorded; nothing of a service that does not change."""
    said: list[str] = []
    monkeypatch.setattr("components.fleet_unit.announce", said.append)
    outs = created(unit_inputs())
    PROVIDER.diff("web", outs, unit_inputs())
    assert said == []
    new = unit_inputs(unit=text_of("web", description="another"))
    PROVIDER.diff("web", outs, {**new, "cluster": "unknown"})
    PROVIDER.diff("web", outs, new)
    what = "web: 2 instances, one at a time, never fewer than 1 of 2 serve"
    assert said == [f"{what}; no record yet of how long it takes"] * 2
    outs = PROVIDER.update("web", outs, new).outs or {}
    PROVIDER.diff("web", outs, unit_inputs())
    assert said[2].startswith(f"{what}; about ")
    assert said[2].endswith(" (last rollout)")
    monkeypatch.setenv("FLEETCAPTAIN_ROLLBACK_TO", "v1")
    PROVIDER.diff("web", outs, unit_inputs(rollout={**new["rollout"], "min_healthy_sec": 900}))
    assert said[3] == f"{what}; about 4 s (last rollout)"


def test_a_renamed_service_replaces_the_units_of_its_old_name(
    site: Site, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """As one update, which reads back without the old name."""
    said: list[str] = []
    monkeypatch.setattr("components.fleet_unit.announce", said.append)
    outs = created(unit_inputs(instances=1))
    new = unit_inputs("site", 1, replaces=["web"])
    PROVIDER.diff("web", outs, new)
    what = "site replaces web: 1 instance, one at a time, before an old one is removed, never fewer than 1 of 1 serve"
    assert said == [f"{what}; no record yet of how long it takes"]
    assert warnings == []
    outs = PROVIDER.update("web", outs, new).outs or {}
    assert set(site.texts) == site.running == site.registered == {"site@1.service"}
    assert "replaces" not in read(outs)
    PROVIDER.diff("web", outs, unit_inputs("site", 1))
    assert len(said) == 1


DATA = {"volumes": ("data:/data",)}


SOCKET = {"volumes": ("/var/run/docker.sock:/var/run/docker.sock",)}


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("mode", [Mode.ROLLING, Mode.BLUE_GREEN])
def test_a_blue_green_service_with_a_volume_is_warned_of_its_outage(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str], mode: Mode
) -> None:
    """Also when it is one no longer. Another number of instances replaces none."""
    said: list[str] = []
    monkeypatch.setattr("components.fleet_unit.announce", said.append)
    old = unit_inputs(instances=1, mode=Mode.BLUE_GREEN, unit=text_of("web", volumes=("data:/data",)))
    PROVIDER.diff("web", old, {**old, "instances": 2})
    assert warnings == []
    PROVIDER.diff("web", old, {**old, "image": "other", "mode": mode.value})
    assert "1 instance, started after an old one is removed: none serves meanwhile" in said[-1]
    (warning,) = warnings
    assert warning.startswith("web: down while it replaces its old generation: both write to data, so")


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("rules", "instances", "shown"),
    [
        (DATA, 1, ("none serves meanwhile", "site: down while it replaces web: both write to data, so")),
        (DATA, 3, ("after an old one is removed, never fewer than 2 of 3", "site: short of instances while it")),
        ({"ports": (Port(80, 8080),)}, 1, ("none serves meanwhile", "site: down while it replaces web: they use")),
        (SOCKET, 1, ("never fewer than 1 of 1 serve", "")),
        ({"volumes": ("data:/data:ro",)}, 1, ("never fewer than 1 of 1 serve", "")),
    ],
)
def test_a_rename_whose_old_instance_goes_first_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str], rules: Any, instances: int, shown: tuple[str, str]
) -> None:
    """With what both share."""
    said: list[str] = []
    monkeypatch.setattr("components.fleet_unit.announce", said.append)
    old, new = (unit_inputs(name, instances, unit=text_of(name, **rules)) for name in ("web", "site"))
    PROVIDER.diff("web", old, new)
    line, warning = shown
    assert line in said[0]
    assert len(warnings) == bool(warning)
    assert "".join(warnings).startswith(warning)


@pytest.mark.usefixtures("site")
def test_a_rename_takes_as_long_as_rollouts_of_the_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The new one has no record yet."""
    said: list[str] = []
    monkeypatch.setattr("components.fleet_unit.announce", said.append)
    outs = PROVIDER.update("web", created(unit_inputs()), unit_inputs(unit=text_of("web", description="2"))).outs or {}
    PROVIDER.diff("web", outs, unit_inputs("site"))
    assert said[0].endswith(" (last rollout)")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"PIN": "1", "URL": "1"}, {"PIN": "2", "URL": "1", "NEW": "1"}, ["web: new value of PIN"]),
        ({"PIN": "1"}, {"PIN": "1"}, []),
        (None, {"PIN": "1"}, []),
        ({"PIN": "1"}, None, []),
        ({"PIN": "1"}, "unknown", []),
    ],
)
@pytest.mark.usefixtures("site")
def test_the_preview_names_the_secrets_that_change(
    monkeypatch: pytest.MonkeyPatch, before: object, after: object, said: list[str]
) -> None:
    """By those of the units that run; a new one is in the difference of the unit."""
    lines: list[str] = []
    monkeypatch.setattr("components.fleet_unit.announce", lines.append)
    inputs = unit_inputs()
    PROVIDER.diff("web", {**inputs, "secrets": before}, {**inputs, "secrets": after})
    assert [line for line in lines if "new value" in line] == said
