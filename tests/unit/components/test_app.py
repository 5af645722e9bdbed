"""The resources that an app is declared as: which, in which order, of whom, and what they are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components import app as app_module
from components.app import FleetApp
from components.cluster.interface import ClusterComponent
from components.deployment_plan import Plan
from components.window_checks import WindowPolicy
from fleetcaptain.agent.agent_unit import agent_unit
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import current_key, release_key, text_key
from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleetfile.values import App, BlueGreen, Build, Http, HttpRoute, Port, ServiceSpec, TaskSpec
from fleetcaptain.machine.machine_ports import HEALTH
from fleetcaptain.mode import Mode
from fleetcaptain.release.balanced_app import adapted
from fleetcaptain.release.release_name import Naming, ReleaseName
from fleetcaptain.release.repositories import repositories
from fleetcaptain.release.rollback import RequestedRollback
from fleetcaptain.release.service_release import Part
from fleetcaptain.rollout.strays import StrayPolicy
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.units.render import render_app
from fleetcaptain.units.render_task import render_tasks
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.fake_site import APP, Site
from tests.fakes.unit_texts import unit_hash, with_image
from tests.unit.components.deployed import CONNECTION, LOCAL, STACK, full, text_of
from tests.unit.tasks.test_periodic_pair import pair_of

OWN = Build()
WORKER = Build("worker")
LOGS = Build("logs")
V1 = ReleaseName("v1")
REGISTRY = "127.0.0.1:5000"
SERVICES = (
    ServiceSpec(
        "web", "the web", OWN, ports=(Port(80, 8080),), ready=Http("/health"), instances=2, requires=("redis",)
    ),
    ServiceSpec("queue", "jobs", WORKER, requires=("redis",)),
    ServiceSpec("night", "jobs at night", WORKER, requires=("queue",)),
    ServiceSpec(
        "redis",
        "data",
        "redis:7",
        rollout=BlueGreen(min_healthy_sec=10, healthy_deadline_sec=310, progress_deadline_sec=600),
    ),
    ServiceSpec("agent", "on each machine", "agent:1", global_unit=True),
    ServiceSpec("own", "lines of its own", OWN, start=("/bin/true",), before_start=(), stop=(), after_stop=()),
)


class Cluster(ClusterComponent):
    """A cluster that is there already."""

    def __init__(self, connection: Mapping[str, Any] = CONNECTION, balancer: str | None = None) -> None:
        super().__init__("test:index:Cluster", "cluster", None, None)
        self.owned = pulumi.ComponentResource("test:index:Machines", "machines", None, pulumi.ResourceOptions(self))
        self.connection = pulumi.Output.from_input(connection)
        self.registry = pulumi.Output.from_input(REGISTRY)
        self.login = pulumi.Output.from_input(("AWS", "token"))
        self.machines = pulumi.Output.from_input({"m2": "10.0.0.2", "m1": "10.0.0.1"})
        self.balancer = balancer


def computed(kind: str, name: str) -> Mapping[str, Any]:
    """What docker-build, and the providers of the app, would add."""
    if kind == "Image":
        return {"digest": f"sha256:{name}"}
    if kind == "PinnedImage":
        return {"ref": f"{name}@sha256:1", "volumes": ["/data"]}
    if kind == "Unit":
        return {"content": f"hash of {name}", "count": 2, "units": [], "machines": []}
    return {"endpoints": {"web": ["http://10.0.0.1:8080"], "redis": ["tcp://10.0.0.2:6379"]}}


def declared(
    services: Iterable[ServiceSpec] = SERVICES,
    connection: Mapping[str, Any] = CONNECTION,
    balancer: str | None = None,
    release: ReleaseName = V1,
    **more: Any,
) -> FakeEngine:
    """The app with these services, declared on a cluster."""
    engine = FakeEngine(computed=computed)
    engine.run(
        lambda: _program(App(APP, tuple(services), Path("/app"), "acme/shop"), connection, balancer, release, more)
    )
    return engine


def _program(
    app: App,
    connection: Mapping[str, Any],
    balancer: str | None,
    release: ReleaseName,
    more: Mapping[str, Any],
) -> None:
    files = render_app(app, STACK)
    made = FleetApp(APP, fleetfile=app, files=files, cluster=Cluster(connection, balancer), release=release, **more)
    pulumi.export("endpoints", made.endpoints)
    pulumi.export("changing_endpoints", made.changing_endpoints)
    pulumi.export("release", made.release)


def before(engine: FakeEngine, kind: str, name: str) -> set[str]:
    """The units, and other dynamic resources of the app, that a resource comes after."""
    kinds = ("Unit", "Release", "Strays", "Task")
    return {other for found, other in engine.dependencies(kind, name) if found in kinds}


@pytest.fixture
def app(site: Site) -> FakeEngine:
    """The app, declared on an empty cluster."""
    assert site.texts == {}
    return declared()


def test_an_app_is_an_agent_a_record_its_services_and_a_gate(app: FakeEngine) -> None:
    """And its images; no strays are removed unless that is configured."""
    assert set(app.of("Unit")) == {f"{APP}-agent", *(spec.name for spec in SERVICES)}
    assert set(app.of("Release")) == {f"{APP}-release"}
    assert set(app.of("Readiness")) == {f"{APP}-ready"}
    assert app.of("Strays") == {}
    assert "periodic" not in app.one("Readiness", f"{APP}-ready")


def test_all_units_come_after_the_agent_and_the_record_and_before_the_gate(app: FakeEngine) -> None:
    """What is not recorded is not rolled, and nothing is current before it runs."""
    for spec in SERVICES:
        assert before(app, "Unit", spec.name) >= {f"{APP}-agent", f"{APP}-release"}, spec.name
    assert before(app, "Unit", f"{APP}-agent") == set()
    assert before(app, "Release", f"{APP}-release") == {f"{APP}-agent"}
    assert before(app, "Readiness", f"{APP}-ready") == {f"{APP}-release", *(spec.name for spec in SERVICES)}


def test_a_service_comes_after_those_that_it_requires(app: FakeEngine) -> None:
    """And after no other."""
    services = {spec.name for spec in SERVICES}
    found = {spec.name: before(app, "Unit", spec.name) & services for spec in SERVICES}
    assert found == {
        "web": {"redis"},
        "queue": {"redis"},
        "night": {"queue"},
        "redis": set(),
        "agent": set(),
        "own": set(),
    }


def test_a_task_comes_between_the_services_that_it_names(site: Site) -> None:
    """After the record, and all its services are before it; with the digest of its image. The gate comes last."""
    assert site.texts == {}
    tasks = (
        TaskSpec(ServiceSpec("migrate", "", OWN, ("x",)), before=("web", "queue"), after=("redis", "agent")),
        TaskSpec(ServiceSpec("warm", "", "warm:1", ("x",)), after=("web",)),
    )
    app = App(APP, SERVICES, Path("/app"), "acme/shop", tasks=tasks)
    files, texts = render_app(app, STACK), render_tasks(app, STACK)
    engine = FakeEngine(computed=computed)
    engine.run(lambda: FleetApp(APP, fleetfile=app, files=files, tasks=texts, cluster=Cluster(CONNECTION), release=V1))
    assert before(engine, "Task", "migrate") == {f"{APP}-agent", f"{APP}-release", "redis", "agent"}
    assert before(engine, "Task", "warm") == {f"{APP}-agent", f"{APP}-release", "web"}
    assert {name for name in engine.of("Unit") if "migrate" in before(engine, "Unit", name)} == {"web", "queue"}
    assert before(engine, "Readiness", f"{APP}-ready") >= {"migrate", "warm"}
    task = engine.one("Task", "migrate")
    assert (task["image"], task["unit"]) == (engine.one("Unit", "web")["image"], texts["migrate"].unit.text)
    assert engine.one("Task", "warm")["image"] == "warm:1@sha256:1"
    assert set(engine.of("Unit")) == {f"{APP}-agent", *(spec.name for spec in SERVICES)}
    assert engine.requests["Task", "migrate"].deletedWith.endswith("::machines")


def test_a_periodic_task_comes_after_all_services(site: Site) -> None:
    """It runs their new version; nothing waits for it but the gate. No resource runs it."""
    assert site.texts == {}
    task = TaskSpec(ServiceSpec("nightly", "", OWN, ("x",)), every="*-*-* 03:30:00")
    app = App(APP, SERVICES, Path("/app"), "acme/shop", tasks=(task,))
    files, texts = render_app(app, STACK), render_tasks(app, STACK)
    engine = FakeEngine(computed=computed)
    engine.run(lambda: FleetApp(APP, fleetfile=app, files=files, tasks=texts, cluster=Cluster(CONNECTION), release=V1))
    everything = {f"{APP}-agent", f"{APP}-release", *(spec.name for spec in SERVICES)}
    assert before(engine, "Timer", "nightly") == everything
    assert ("Timer", "nightly") in engine.dependencies("Readiness", f"{APP}-ready")
    assert engine.of("Task") == {}
    timer = engine.one("Timer", "nightly")
    assert (timer["image"], timer["unit"]) == (engine.one("Unit", "web")["image"], texts["nightly"].unit.text)
    assert "OnCalendar=*-*-* 03:30:00" in timer["timer"]
    assert engine.one("Readiness", f"{APP}-ready")["periodic"] == ["nightly"]


def test_a_periodic_task_adopts_its_two_units(site: Site) -> None:
    """Those of another stack, which its mark names, and one without a mark, by its name."""
    task = TaskSpec(ServiceSpec("nightly", "", "redis:7", ("x",)), every="*-*-* 03:30:00")
    app = App(APP, (SERVICES[0],), Path("/app"), "acme/shop", tasks=(task,))
    theirs, unmarked = pair_of(stack="other/dev"), "[Service]\nExecStart=/bin/true\n"
    site.start({"nightly-task.service": unmarked, "nightly-task.timer": theirs.timer.text})
    engine = FakeEngine(computed=computed)
    more = {"tasks": render_tasks(app, STACK), "adopt": frozenset({"other/dev", "nightly-task.service"})}
    engine.run(lambda: _program(app, CONNECTION, None, V1, more))
    assert engine.one("Timer", "nightly")["adopt"] == ["other/dev", "nightly-task.service"]
    assert engine.one("Unit", "web")["adopt"] == []


def test_a_periodic_task_without_a_place_ends_the_program(site: Site) -> None:
    """Before anything is declared."""
    assert site.texts == {}
    nowhere = ServiceSpec("nightly", "", "redis:7", ("x",), machine_metadata=("disk=ssd",))
    app = App(APP, (SERVICES[0],), Path("/app"), "acme/shop", tasks=(TaskSpec(nowhere, every="*-*-* 03:30:00"),))
    engine = FakeEngine(computed=computed)
    message = engine.refusal(lambda: _program(app, CONNECTION, None, V1, {"tasks": render_tasks(app, STACK)}))
    assert "task 'nightly': no machine can take nightly-task.service" in message
    assert engine.of("Unit") == {}


def test_a_rollback_declares_the_periodic_tasks_that_are_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same inputs, so that they stay as they are."""
    assert site.texts == {}
    pair = pair_of(stack=STACK)
    plan = Plan((), {}, ReleaseName("v0"), is_rollback=True, kept=(pair,))
    monkeypatch.setattr(app_module, "plan_back", lambda *_: plan)
    engine = FakeEngine(computed=computed)
    app = App(APP, SERVICES, Path("/app"), "acme/shop")
    v0 = ReleaseName("v0")
    engine.run(
        lambda: FleetApp(
            APP, fleetfile=app, files={}, cluster=Cluster(CONNECTION), release=v0, rollback_to=RequestedRollback("v0")
        )
    )
    timer = engine.one("Timer", "nightly")
    service, image = pair.service.without_image()
    assert (timer["unit"], timer["timer"], timer["image"]) == (service.text, pair.timer.text, image)
    assert engine.one("Readiness", f"{APP}-ready")["periodic"] == ["nightly"]
    assert set(engine.of("Unit")) == {f"{APP}-agent"}


@pytest.mark.parametrize("preview", [True, False])
def test_the_preview_of_a_rollback_shows_the_windows_of_its_release(
    site: Site, monkeypatch: pytest.MonkeyPatch, preview: bool
) -> None:
    """As that of the Fleetfile does: they come back with the release."""
    assert site.texts == {}
    windows = (WindowSpec("peak", 5, 12 * 60, 13 * 60, tuple(range(7)), (), "UTC"),)
    web = Part("web", UnitFile.parse(text_of("web")), 2, Mode.ROLLING, windows=windows)
    plan = Plan((web,), {"web": ""}, ReleaseName("v0"), is_rollback=True)
    monkeypatch.setattr(app_module, "plan_back", lambda *_: plan)
    engine = FakeEngine(computed=computed)
    more = {"rollback_to": RequestedRollback("v0"), "windows": WindowPolicy.IGNORE}
    engine.run(
        lambda: _program(App(APP, SERVICES, Path("/app"), "acme/shop"), CONNECTION, None, plan.name, more),
        preview=preview,
    )
    assert any("Windows in the next 24 h:" in text for _, text in engine.messages) == preview


def test_the_cluster_is_checked_after_the_wait_for_a_window(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another program starts meanwhile is found."""
    monkeypatch.setattr(
        app_module, "hold_for_windows", lambda *_, **_more: site.start({"orphan@1.service": text_of("orphan")})
    )
    engine = FakeEngine(computed=computed)
    app = App(APP, SERVICES, Path("/app"), "acme/shop")
    assert "orphan@1.service" in engine.refusal(lambda: _program(app, CONNECTION, None, V1, {}))


def test_everything_belongs_to_the_app_and_goes_with_its_cluster(app: FakeEngine) -> None:
    """With the machines go the units: they are not removed one by one. Images are the app's, and stay."""
    for (kind, name), request in app.requests.items():
        if kind in ("Unit", "Release", "Readiness", "AppImage"):
            assert request.parent.endswith(f"FleetApp::{APP}"), (kind, name)
        if kind in ("Unit", "Release", "Readiness"):
            assert request.deletedWith.endswith("::machines"), (kind, name)
    assert all(app.requests["Image", name].retainOnDelete for name in app.of("Image"))


def test_each_image_is_built_and_pushed_once(app: FakeEngine) -> None:
    """Under the app's own name or that of the first service that has it, with the registry's password."""
    names = {name: image["exports"][0]["image"]["names"] for name, image in app.of("Image").items()}
    assert names == {APP: [f"{REGISTRY}/acme/shop:latest"], "queue": [f"{REGISTRY}/{APP}/queue:latest"]}
    assert {name: image["context"]["location"] for name, image in app.of("Image").items()} == {
        APP: "/app",
        "queue": "/app/worker",
    }
    (registry,) = app.one("Image", APP)["registries"]
    assert registry == {"address": REGISTRY, "username": "AWS", "password": "token"}


@pytest.mark.usefixtures("site")
def test_builds_that_name_no_platform_are_for_that_of_the_machines() -> None:
    """One that names its own keeps it."""
    own = ServiceSpec("arm", "another one", Build("arm", platforms=("linux/arm64",)))
    images = declared((*SERVICES, own), platforms=("linux/amd64",)).of("Image")
    assert {name: image["platforms"] for name, image in images.items()} == {
        APP: ["linux/amd64"],
        "queue": ["linux/amd64"],
        "arm": ["linux/arm64"],
    }


@pytest.mark.parametrize(
    ("image", "services", "names"),
    [
        ("acme/shop", {"web": OWN, APP: WORKER}, {APP: "acme/shop", f"{APP}.{APP}": f"{APP}/{APP}"}),
        ("acme/shop", {APP: WORKER, "web": OWN}, {APP: "acme/shop", f"{APP}.{APP}": f"{APP}/{APP}"}),
        ("acme/shop", {APP: WORKER}, {APP: f"{APP}/{APP}"}),
        ("acme/shop", {APP: OWN, "web": WORKER}, {APP: "acme/shop", "web": f"{APP}/web"}),
        (f"{APP}/web", {"api": OWN, "web": WORKER}, {APP: f"{APP}/web", "web": f"{APP}/web.image"}),
        (f"{APP}/web", {"web": WORKER, "api": OWN}, {APP: f"{APP}/web", "web": f"{APP}/web.image"}),
        (f"{APP}/web", {"web": WORKER}, {APP: f"{APP}/web"}),
        (f"{APP}/web", {"web": WORKER, APP: LOGS}, {APP: f"{APP}/web", f"{APP}.{APP}": f"{APP}/{APP}"}),
        (
            f"{APP}/{APP}",
            {APP: WORKER, "api": OWN, "web": WORKER, "logs": LOGS},
            {APP: f"{APP}/{APP}", f"{APP}.{APP}": f"{APP}/{APP}.image", "logs": f"{APP}/logs"},
        ),
        (None, {APP: OWN, "web": WORKER}, {APP: f"{APP}/{APP}", "web": f"{APP}/web"}),
        (
            "acme/shop",
            {"web": OWN, "api": Build(target="api"), "old": Build(args=(("NODE", "20"),)), "job": Build(target="api")},
            {APP: "acme/shop", "api": f"{APP}/api", "old": f"{APP}/old"},
        ),
    ],
)
def test_no_two_images_have_one_name(
    site: Site, image: str | None, services: Mapping[str, Build], names: Mapping[str, str]
) -> None:
    """Neither as resources nor in the registry. Where no two would, each has the one that it always had."""
    assert site.texts == {}
    app = App(APP, tuple(ServiceSpec(name, "", build) for name, build in services.items()), Path("/app"), image)
    engine = FakeEngine(computed=computed)
    engine.run(lambda: _program(app, CONNECTION, None, V1, {}))
    pushed = {name: found["exports"][0]["image"]["names"] for name, found in engine.of("Image").items()}
    assert pushed == {name: [f"{REGISTRY}/{repository}:latest"] for name, repository in names.items()}
    assert set(engine.of("AppImage")) == set(names)
    assert sorted(names.values()) == [*repositories(app, render_app(app, STACK))]


def test_a_build_gets_its_own_secrets(site: Site) -> None:
    """And no other of the stack."""
    assert site.texts == {}
    services = (ServiceSpec("web", "", OWN), ServiceSpec("job", "", Build(secrets=("NPM_TOKEN",))))
    engine = FakeEngine(computed=computed)
    values = ("NPM_TOKEN", "OTHER")
    engine.run(
        lambda: _program(
            App(APP, services, Path("/app"), "acme/shop"),
            CONNECTION,
            None,
            V1,
            {"secret_values": {name: pulumi.Output.secret(f"value of {name}") for name in values}},
        )
    )
    assert "secrets" not in engine.one("Image", APP)
    # The SDK marks a secret: it has the value beside the mark.
    assert engine.one("Image", "job")["secrets"]["value"] == {"NPM_TOKEN": "value of NPM_TOKEN"}


def test_units_are_pinned_to_the_digests_of_their_images(app: FakeEngine) -> None:
    """A tag would be no difference to fleet. A service with lines of its own that name no image gets none."""
    assert {name: unit["image"] for name, unit in app.of("Unit").items()} == {
        f"{APP}-agent": "",
        "web": f"{REGISTRY}/acme/shop@sha256:{APP}",
        "queue": f"{REGISTRY}/{APP}/queue@sha256:queue",
        "night": f"{REGISTRY}/{APP}/queue@sha256:queue",
        "redis": "redis:7@sha256:1",
        "agent": "agent:1@sha256:1",
        "own": "",
    }


def test_a_foreign_image_is_asked_for_once(site: Site) -> None:
    """For all services that have it. One with a digest is what it is, and lines that name no image need none."""
    assert site.texts == {}
    digest = f"fixed:1@sha256:{'0' * 64}"
    services = [
        *(ServiceSpec(f"s{number}", "", "redis:7") for number in range(20)),
        ServiceSpec("fixed", "", digest),
        ServiceSpec("own", "", "none:1", start=("/bin/true",)),
    ]
    app = declared(services)
    assert [image["reference"] for image in app.of("PinnedImage").values()] == ["redis:7"]
    assert app.requests["PinnedImage", "redis:7"].parent.endswith(f"FleetApp::{APP}")
    units = app.of("Unit")
    assert {units[f"s{number}"]["image"] for number in range(20)} == {"redis:7@sha256:1"}
    assert (units["fixed"]["image"], units["own"]["image"]) == (digest, "")
    assert app.one("Release", f"{APP}-release")["services"]["s7"]["image"] == "redis:7@sha256:1"


def test_the_preview_warns_once_of_what_is_lost(site: Site, tmp_path: Path) -> None:
    """Of all services whose images declare volumes that they do not mount, built ones too; the deployment itself does
    not say it again."""
    assert site.texts == {}
    (tmp_path / "Dockerfile").write_text("FROM debian\nVOLUME /var/lib/web\n")
    services = (
        ServiceSpec("web", "", OWN),
        ServiceSpec("gone", "", Build("nowhere")),
        ServiceSpec("db", "", "postgres:16"),
        ServiceSpec("kept", "", "postgres:16", volumes=("kept:/data",)),
    )
    app = App(APP, services, tmp_path, "acme/shop")
    engine = FakeEngine(computed=computed)
    engine.run(lambda: _program(app, CONNECTION, None, V1, {}), preview=True)
    (warning,) = [text for level, text in engine.messages if level == "warning"]
    lines = [line for line in warning.splitlines() if "volumes=" in line]
    assert lines == [
        '  web: volumes=["shop-web-var-lib-web:/var/lib/web"]',
        '  db: volumes=["shop-db-data:/data"]',
    ]
    deployed = FakeEngine(computed=computed)
    deployed.run(lambda: _program(app, CONNECTION, None, V1, {}))
    assert [text for level, text in deployed.messages if level == "warning"] == []


@pytest.mark.usefixtures("site")
def test_the_preview_warns_once_of_services_that_do_not_stay_with_their_volumes(tmp_path: Path) -> None:
    """Those with several instances; one on every machine has its own data there."""
    data, redis = ("data:/data",), "redis:7@sha256:" + "0" * 64
    services = (
        ServiceSpec("db", "", redis, volumes=data),
        ServiceSpec("every", "", redis, volumes=data, global_unit=True),
        ServiceSpec("many", "", redis, volumes=data, instances=2),
        ServiceSpec("path", "", redis, volumes=("/srv/data:/data",), instances=2),
    )
    engine = FakeEngine(computed=computed)
    engine.run(lambda: _program(App(APP, services, tmp_path, "acme/shop"), CONNECTION, None, V1, {}), preview=True)
    (warning,) = [text for level, text in engine.messages if level == "warning"]
    assert [line for line in warning.splitlines() if line.startswith("  ")] == ["  many: data"]


def test_each_service_is_replaced_as_its_fleetfile_says(app: FakeEngine) -> None:
    """The agent is one unit that fleet starts everywhere."""
    units = app.of("Unit")
    assert {name: (unit["mode"], unit["instances"]) for name, unit in units.items()} == {
        f"{APP}-agent": ("everywhere", 1),
        "web": ("rolling", 2),
        "queue": ("rolling", 1),
        "night": ("rolling", 1),
        "redis": ("bluegreen", 1),
        "agent": ("global", 1),
        "own": ("rolling", 1),
    }
    assert units["redis"]["rollout"]["keep_old_sec"] == 30
    assert units[f"{APP}-agent"]["unit"] == agent_unit(APP, STACK).text


def test_the_record_has_what_a_rollback_needs(app: FakeEngine) -> None:
    """The full text of each unit by its hash, and each service's image, mode and requirements."""
    record, units = app.one("Release", f"{APP}-release"), app.of("Unit")
    web = full_text(units["web"])
    assert record["release"] == "v1"
    assert record["texts"][unit_hash(web)] == web
    assert set(record["services"]) == {spec.name for spec in SERVICES}
    assert {entry["content"] for entry in record["services"].values()} == set(record["texts"])
    assert record["services"]["web"]["image"] == units["web"]["image"]
    assert record["services"]["web"]["requires"] == ["redis"]
    assert record["services"]["redis"]["mode"] == "bluegreen"


def full_text(unit: Mapping[str, Any]) -> str:
    """The text of a declared unit as it is on the cluster."""
    return with_image(unit["unit"], unit["image"])


def test_the_gate_waits_for_what_was_rolled(app: FakeEngine) -> None:
    """For the contents and counts that the units themselves report."""
    gate = app.one("Readiness", f"{APP}-ready")
    assert gate["services"]["web"] == {
        "content": "hash of web",
        "count": 2,
        "image": f"{REGISTRY}/acme/shop@sha256:{APP}",
        "scheme": "http",
    }
    assert gate["services"]["redis"]["scheme"] == "tcp"
    assert f"{APP}-agent" not in gate["services"]
    assert (gate["release"], gate["timeout_sec"]) == ("v1", 310)
    assert gate["repositories"] == [f"{REGISTRY}/acme/shop", f"{REGISTRY}/shop/queue"]
    assert app.outputs["release"] == "v1"


def test_how_large_the_cluster_is_changes_no_service(site: Site) -> None:
    """A machine that is added would else update every unit."""
    large = declared(connection={**CONNECTION, "kind": "aws", "size": 7})
    assert site.texts == {}
    for kind in ("Unit", "Release", "Readiness"):
        for name, inputs in large.of(kind).items():
            assert inputs["cluster"] == {**CONNECTION, "kind": "aws"}, name


def test_what_the_world_reaches_is_the_balancer(site: Site) -> None:
    """Which stands before all machines; other services keep the addresses of theirs."""
    assert site.texts == {}
    app = App(APP, tuple(SERVICES), Path("/app"), "acme/shop")
    web = replace(app.services[0], public=(HttpRoute(8000), HttpRoute(80, "shop.example.org")))
    services = adapted(replace(app, services=(web, *app.services[1:])), ClusterKind.AWS).services
    engine = declared(services, balancer="lb.example.org")
    assert engine.outputs["endpoints"] == {
        "web": ["http://shop.example.org", "http://lb.example.org:8000"],
        "redis": ["tcp://10.0.0.2:6379"],
    }
    assert engine.outputs["changing_endpoints"] == ["redis"]


def test_the_agent_answers_a_balancer_where_there_is_one(site: Site) -> None:
    """A public service alone does not open its port."""
    assert site.texts == {}
    unit = f"{APP}-agent"
    assert declared().of("Unit")[unit]["unit"] == agent_unit(APP, STACK).text
    assert declared(balancer="lb.example.org").of("Unit")[unit]["unit"] == agent_unit(APP, STACK, HEALTH).text


def test_a_public_service_is_found_at_every_machine(site: Site) -> None:
    """At addresses that stay. Those of other services are marked."""
    assert site.texts == {}
    app = App(APP, tuple(SERVICES), Path("/app"), "acme/shop")
    web = replace(app.services[0], public=(HttpRoute(8000), HttpRoute(80, "shop.example.org")))
    services = adapted(replace(app, services=(web, *app.services[1:])), ClusterKind.LOCAL).services
    engine = declared(services)
    assert engine.outputs["endpoints"] == {
        "web": ["http://shop.example.org", "http://10.0.0.1:8000", "http://10.0.0.2:8000"],
        "redis": ["tcp://10.0.0.2:6379"],
    }
    assert engine.outputs["changing_endpoints"] == ["redis"]
    assert web.name in before(engine, "Unit", f"{APP}-proxy")


def test_what_is_taken_over_shows_in_each_resource(site: Site) -> None:
    """Only where there is something: nothing else of the resource changes."""
    theirs = text_of(stack="fleetcaptain/test")
    site.start({"web@1.service": full(theirs)})
    engine = declared(adopt=frozenset({"fleetcaptain/test"}))
    adopted = {name: unit["adopt"] for name, unit in engine.of("Unit").items() if unit["adopt"]}
    assert adopted == {"web": ["fleetcaptain/test"]}


def test_strays_are_removed_before_anything_else(site: Site) -> None:
    """When that is configured: then the preview names them."""
    site.start({"orphan@1.service": full(text_of("orphan"))})
    engine = declared(strays=StrayPolicy("remove"))
    assert engine.one("Strays", f"{APP}-strays")["names"] == ["orphan@1.service"]
    for name in engine.of("Unit"):
        assert f"{APP}-strays" in before(engine, "Unit", name), name


def test_a_stray_ends_the_program_before_any_unit(site: Site) -> None:
    """The units that the Fleetfile declares, and the agent, are none."""
    declared_units = {"web@1.service": full(text_of()), f"{APP}-agent.service": agent_unit(APP, STACK).text}
    site.start({**declared_units, "orphan@1.service": full(text_of("orphan"))})
    engine, app = FakeEngine(computed=computed), App(APP, SERVICES, Path("/app"), "acme/shop")
    message = engine.refusal(lambda: _program(app, CONNECTION, None, ReleaseName("v1"), {}))
    assert "orphan@1.service" in message
    assert not any(name in message for name in declared_units)
    assert engine.of("Unit") == {}


RENAMED = ServiceSpec("jobs", "jobs", "jobs:1", renamed_from="queue")


def test_a_renamed_service_is_the_resource_of_its_old_name(site: Site) -> None:
    """So the preview shows an update. It replaces the units of that name, while there are any."""
    assert "replaces" not in declared([RENAMED]).one("Unit", "jobs")
    site.start({"queue@1.service": full(text_of("queue"))})
    site.etcd.put(release_key(APP, "v0"), Release("v0", {"queue": ServiceRelease("1", 1)}).to_json())
    engine = declared([RENAMED])
    assert engine.one("Unit", "jobs")["replaces"] == ["queue"]
    (alias,) = engine.requests["Unit", "jobs"].aliases
    assert alias.spec.name == "queue"
    assert engine.one("Release", f"{APP}-release")["services"]["jobs"]["renamed_from"] == "queue"


def test_the_beacon_of_version_0_2_0_is_no_stray(site: Site) -> None:
    """It neither ends an upgrade nor goes before the agent comes: it is in the state, and is removed after all else."""
    site.start({f"{APP}-beacon.service": full(text_of(f"{APP}-beacon"))})
    assert f"{APP}-agent" in declared().of("Unit")
    assert declared(strays=StrayPolicy("remove")).one("Strays", f"{APP}-strays")["names"] == []


def test_a_release_without_a_name_is_named_after_its_contents(site: Site) -> None:
    """Once the images are known."""
    assert site.texts == {}
    tags = [
        declared((ServiceSpec("web", text, "web:1"),), release=ReleaseName("dev", Naming.CONTENTS)).one(
            "Release", f"{APP}-release"
        )["release"]
        for text in ("one", "one", "two")
    ]
    assert tags[0] == tags[1] != tags[2]
    assert tags[0].startswith("dev-")


@pytest.mark.parametrize(
    ("there", "unfinished", "tag"), [("other", False, "v1-"), ("other", True, "v1"), (None, False, "v1")]
)
def test_another_content_of_a_commit_is_another_release(
    site: Site, there: str | None, unfinished: bool, tag: str
) -> None:
    """As after another value of a secret, without a commit. A release that never was available keeps no name."""
    if there is not None:
        known = Release("v1", {"web": ServiceRelease(there, 1)}, unfinished=unfinished)
        site.etcd.put(release_key(APP, "v1"), known.to_json())
    engine = declared(release=ReleaseName("v1", Naming.COMMIT))
    assert engine.one("Release", f"{APP}-release")["release"].startswith(tag)
    assert (engine.one("Readiness", f"{APP}-ready")["release"] == "v1") == (tag == "v1")


def test_a_preview_before_a_build_takes_the_name_of_the_commit(site: Site) -> None:
    """The contents are not known yet."""
    assert site.texts == {}
    engine, app = FakeEngine(), App(APP, SERVICES, Path("/app"), "acme/shop")
    name = ReleaseName("v1", Naming.COMMIT)
    engine.run(lambda: _program(app, CONNECTION, None, name, {}), preview=True)
    assert engine.one("Release", f"{APP}-release")["release"] == "v1"


def test_units_that_fleet_would_choke_on_are_refused_before_anything_is_declared() -> None:
    """All of them at once."""
    long = [ServiceSpec(name, name, "web:1", command=("x" * 2100,)) for name in ("a", "b")]
    with pytest.raises(FleetfileError, match=r"(?s)nothing was changed:.*service 'b': "):
        render_app(App(APP, tuple(long), Path("/app")), STACK)


OLD_WEB, OLD_DB = text_of(description="old", requires=("db",)), text_of("db")


@pytest.fixture
def released(site: Site) -> Site:
    """A cluster on which v2, with web and queue, runs, and v1 is recorded, with another web and db."""
    old = {
        "web": ServiceRelease(unit_hash(full(OLD_WEB)), 2, requires=("db",), rollout=_times()),
        "db": ServiceRelease(unit_hash(full(OLD_DB)), 1, rollout=_times()),
    }
    site.etcd.put(release_key(APP, "v1"), Release("v1", old).to_json())
    new = {name: ServiceRelease(unit_hash(full(text_of(name))), 1) for name in ("web", "queue")}
    site.etcd.put(release_key(APP, "v2"), Release("v2", new).to_json())
    site.etcd.put(current_key(APP), "v2")
    for text in (OLD_WEB, OLD_DB):
        site.etcd.put(text_key(APP, unit_hash(full(text))), full(text))
    site.start({f"{name}@1.service": full(text_of(name)) for name in new})
    return site


def _times() -> dict[str, float]:
    return {"min_healthy_sec": 1, "healthy_deadline_sec": 20, "progress_deadline_sec": 40}


def test_a_rollback_declares_what_was_recorded(released: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """No image is built or asked for. What does not run yet comes first. A service of another release goes."""
    monkeypatch.setattr("fleetcaptain.rollout.rollback_check.find_images", lambda _cluster, _images: {})
    engine = declared(rollback_to=RequestedRollback("v1"))
    assert engine.registered[APP]["builds"] == {}
    assert released.running == {"web@1.service", "queue@1.service"}
    assert engine.of("Image") == engine.of("PinnedImage") == {}
    assert {name: unit["unit"] for name, unit in engine.of("Unit").items()} == {
        f"{APP}-agent": agent_unit(APP, STACK).text,
        "web": OLD_WEB,
        "db": OLD_DB,
    }
    assert "db" in before(engine, "Unit", "web")
    assert engine.one("Release", f"{APP}-release")["release"] == "v1"
    assert engine.outputs == {
        "release": "v1",
        "endpoints": {"web": ["http://10.0.0.1:8080"], "redis": ["tcp://10.0.0.2:6379"]},
        "changing_endpoints": ["redis", "web"],
    }


@pytest.mark.usefixtures("released")
def test_a_rollback_warns_of_ports_of_the_balancer_that_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The balancer follows from the Fleetfile; the release of the record has no proxy."""
    monkeypatch.setattr("fleetcaptain.rollout.rollback_check.find_images", lambda _cluster, _images: {})
    monkeypatch.setattr(Cluster, "targets", {"80": "arn:80", "443": "arn:443"})
    engine = declared(rollback_to=RequestedRollback("v1"), balancer="lb.example.org")
    warnings = [text for level, text in engine.messages if level == "warning"]
    assert [text for text in warnings if "those of the release v1 differ: 443, 80. Requests there fail" in text] != []


def test_a_rollback_to_an_unknown_release_ends_the_program(released: Site) -> None:
    """Nothing is declared, and nothing is touched."""
    engine, app = FakeEngine(computed=computed), App(APP, SERVICES, Path("/app"), "acme/shop")
    message = engine.refusal(
        lambda: _program(app, CONNECTION, None, ReleaseName("v3"), {"rollback_to": RequestedRollback("v9")})
    )
    assert "Cannot roll back to v9" in message
    assert engine.of("Unit") == {}
    assert released.running == {"web@1.service", "queue@1.service"}


def test_a_new_local_cluster_is_not_asked_before_it_is_there(site: Site, docker_machines: SimpleNamespace) -> None:
    """The first `pulumi up` makes it."""
    site.unreachable = True
    docker_machines.running = None
    assert set(declared(connection=LOCAL).of("Readiness")) == {f"{APP}-ready"}
