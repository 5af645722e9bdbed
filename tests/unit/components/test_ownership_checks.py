"""Whose unit it is: what a stack does to units of other stacks, other apps and other people on the same cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from components.etcd_readiness import ReadinessProvider
from components.fleet_unit import RollingUpdateProvider
from components.preview_checks import Preflight, check_cluster
from components.release_record import RecordProvider
from components.stray_units import StraysProvider
from fleetcaptain.agent.agent_unit import agent_unit
from fleetcaptain.discovery.keys import (
    current_key,
    histories_dir,
    lock_key,
    maintenance_key,
    registration_key,
    release_key,
    rollouts_dir,
)
from fleetcaptain.errors import Locked, RolloutFailed, UnitRefused
from fleetcaptain.release.service_release import Part
from fleetcaptain.rollout.lock import Lock
from fleetcaptain.rollout.strays import StrayPolicy
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.fake_site import APP, Site
from tests.fakes.unit_texts import unit_hash
from tests.unit.components.deployed import CONNECTION, LOCAL, STACK, full, text_of, unit_inputs, units_of

PROVIDER = RollingUpdateProvider()
OTHER = "fleetcaptain/test"
UNMARKED = "[Service]\nExecStart=/bin/true\n"
AGENT = f"{APP}-agent"
_RECORDS = (f"{rollouts_dir(APP)}/", f"{histories_dir(APP)}/")


def inputs_of(stack: str, app: str = APP) -> dict[str, dict[str, Any]]:
    """The inputs of the three services of an app as *stack* deploys it, each rolled in another way."""

    def unit(service: str) -> str:
        return text_of(service, app=app, stack=stack)

    bare = unit_inputs(f"{app}-agent", 1, "everywhere", app=app, unit=agent_unit(app, stack).text, image="")
    return {
        "agent": bare,
        "web": unit_inputs(app=app, unit=unit("web")),
        "redis": unit_inputs("redis", 1, "bluegreen", app=app, unit=unit("redis")),
    }


PROD, TEST = inputs_of(STACK), inputs_of(OTHER)


def everything(site: Site) -> tuple[Any, ...]:
    """All that the cluster keeps: units, what runs, and every key of etcd."""
    return (site.texts, site.running, dict(site.etcd.values))


@pytest.fixture
def prod(site: Site) -> Site:
    """A cluster on which the stack `STACK` has the app, and others a unit without a mark and a unit of another app."""
    theirs = full(text_of("theirs", app="blog", stack="blog/prod"))
    site.start({**units_of(*PROD.values()), "backup.service": UNMARKED, "theirs@1.service": theirs})
    site.etcd.put(current_key(APP), "v1")
    site.etcd.put(release_key(APP, "v1"), "{}")
    site.etcd.put(current_key("blog"), "v7")
    return site


def preflight(
    stack: str = STACK,
    *,
    app: str = APP,
    adopt: frozenset[str] = frozenset(),
    policy: str = "error",
    connection: Mapping[str, Any] = CONNECTION,
) -> tuple[Preflight, list[tuple[str, str]]]:
    """What a deployment by *stack* finds before it declares anything, and what it says."""
    parts = [
        Part(one["service"], UnitFile.parse(one["unit"]), one["instances"], one["mode"])
        for one in inputs_of(stack, app).values()
    ]
    declared = {part.service for part in parts}
    engine, found = FakeEngine(), list[Preflight]()

    def program() -> None:
        ownership, strays = Ownership(app, stack, adopt), StrayPolicy.parse(policy)
        found.append(check_cluster(connection, ownership, parts, {}, declared=declared, policy=strays))

    try:
        engine.run(program)
    except SystemExit:
        found.append(Preflight())
    return found[0], engine.messages


def error_of(messages: list[tuple[str, str]]) -> str:
    """The one error."""
    (error,) = [text for level, text in messages if level == "error"]
    return error


def test_a_second_stack_of_an_app_is_refused(prod: Site) -> None:
    """In the preview and in each resource; blue/green units, whose names differ, count as well."""
    before = everything(prod)
    error = error_of(preflight(OTHER)[1])
    assert "Nothing was changed." in error
    assert f"{', '.join(sorted(units_of(*PROD.values())))}: deployed by the stack {STACK} of this app" in error
    assert f"`pulumi config set fleetcaptain:adopt {STACK}`" in error
    for service in ("agent", "web"):
        with pytest.raises(UnitRefused, match=f"deployed by the stack {STACK} of this app"):
            PROVIDER.create(TEST[service])
        with pytest.raises(UnitRefused, match="Nothing was changed"):
            PROVIDER.update("id", TEST[service], TEST[service])
    assert everything(prod) == before


def test_a_stack_shows_and_destroys_only_its_own_units(prod: Site) -> None:
    """Though its state names units that another stack of the app has now. Its record and gate leave them too."""
    prod.etcd.put(maintenance_key(APP, "web"), "{}")
    before = everything(prod)
    for inputs in TEST.values():
        state = {**inputs, "units": list(units_of(PROD["web"])), "machines": [], "content": "", "count": 2}
        assert PROVIDER.read("id", state).id is None
        PROVIDER.delete("id", state)
    RecordProvider().delete(APP, {"app": APP, "release": "v1", "services": {}, "texts": {}, "cluster": CONNECTION})
    ReadinessProvider().delete(APP, {"app": APP, "cluster": CONNECTION})
    assert everything(prod) == before
    assert prod.etcd.writes == []


def test_names_of_the_state_that_another_app_has_now_are_left(prod: Site) -> None:
    """With their registrations, which are not shown as ours either."""
    prod.start({"web@1.service": full(text_of("web", app="blog", stack="blog/prod"))})
    stale = registration_key(APP, "web", "web@1.service")
    prod.etcd.put(stale, prod.etcd.values[registration_key("blog", "web", "web@1.service")])
    state = {**PROD["web"], "units": list(units_of(PROD["web"]))}
    outs = PROVIDER.read("web", state).outs
    assert outs is not None
    assert (outs["units"], outs["instances"]) == (["web@2.service"], 1)
    assert set(prod.cluster().snapshot().registrations) & {"web@1.service"} == set()
    prod.etcd.remove(stale)
    texts, running, keys = everything(prod)
    PROVIDER.delete("web", state)
    assert prod.texts == {name: text for name, text in texts.items() if name != "web@2.service"}
    assert prod.running == running - {"web@2.service"}
    gone = {key for key in keys if key.startswith(f"/fleetcaptain/{APP}/services/web/")}
    assert {key: value for key, value in prod.etcd.values.items() if not key.startswith(_RECORDS)} == {
        key: value for key, value in keys.items() if key not in gone
    }


def test_a_stack_that_adopts_another_takes_its_units_over(prod: Site, warnings: list[str]) -> None:
    """All of them, old generations too; the preview names them. The other stack's `destroy` finds nothing then."""
    found, messages = preflight(OTHER, adopt=frozenset({STACK}))
    assert found.adopt == dict.fromkeys((AGENT, "redis", "web"), (STACK,))
    adoptions = [text for level, text in messages if level == "warning"]
    assert "web@1.service, web@2.service: adopted from fleetcaptain/prod (fleetcaptain:adopt)" in adoptions
    for inputs in TEST.values():
        outs = PROVIDER.create({**inputs, "adopt": [STACK]}).outs
        assert outs is not None
        assert PROVIDER.read("id", outs).inputs == inputs
    ours = units_of(*TEST.values())
    assert {name: text for name, text in prod.texts.items() if name in ours} == ours
    assert set(prod.texts) == {*ours, "backup.service", "theirs@1.service"}
    before = everything(prod)
    for inputs in PROD.values():
        PROVIDER.delete("id", {**inputs, "units": list(units_of(inputs))})
    assert everything(prod) == before
    assert preflight(OTHER)[0] == Preflight()
    (info,) = [text for level, text in preflight(OTHER, adopt=frozenset({STACK}))[1] if level == "info"]
    assert "fleetcaptain/prod has no more units to adopt" in info
    assert warnings == []


def test_an_adoption_does_not_take_a_service_down(prod: Site) -> None:
    """It is a rolling update like any other."""
    least: list[int] = []
    step = prod.fleet.step

    def watched() -> None:
        step()
        least.append(len(prod.running & {"web@1.service", "web@2.service"}))

    prod.fleet.step = watched  # type: ignore[method-assign]
    PROVIDER.create({**TEST["web"], "adopt": [STACK]})
    assert min(least) == 1


def test_a_unit_without_a_mark_is_taken_over_only_by_name(site: Site) -> None:
    """Under one of our names it is refused in the preview and in the update, and stays."""
    site.start({"web@1.service": UNMARKED, "web@2.service": UNMARKED})
    texts = site.texts
    assert "fleetcaptain:adopt web@1.service,web@2.service`" in error_of(preflight()[1])
    for adopt in ([], [OTHER], ["web@1.service"]):
        with pytest.raises(UnitRefused, match=r"web@2\.service: without FleetCaptain's mark"):
            PROVIDER.create({**PROD["web"], "adopt": adopt})
    assert site.texts == texts
    names = frozenset(texts)
    found, messages = preflight(adopt=names)
    assert found.adopt == {"web": ("web@1.service", "web@2.service")}
    assert messages[0][0] == "warning"
    PROVIDER.create({**PROD["web"], "adopt": list(found.adopt["web"])})
    assert site.texts == units_of(PROD["web"])


def test_a_unit_of_another_app_cannot_be_adopted_by_name(prod: Site) -> None:
    """Its mark counts."""
    blog = {"web@1.service": full(text_of("web", app="blog", stack="blog/prod"))}
    prod.start(blog)
    for adopt in (["web@1.service"], ["blog/prod"]):
        with pytest.raises(UnitRefused, match="of the app 'blog', stack blog/prod"):
            PROVIDER.create({**PROD["web"], "adopt": adopt})
    assert prod.texts["web@1.service"] == blog["web@1.service"]


@pytest.mark.parametrize("service", ["web", "redis"])
def test_a_renamed_app_is_refused(prod: Site, service: str) -> None:
    """Before anything is changed: nothing would ever remove its blue/green units."""
    before = everything(prod)
    renamed = inputs_of(STACK, "store")[service]
    with pytest.raises(UnitRefused, match=r"(?s)as the app 'shop'. Nothing was changed.*cannot be renamed in place"):
        PROVIDER.check(PROD[service], renamed)
    assert everything(prod) == before


def test_a_renamed_app_is_refused_before_anything_is_declared(prod: Site) -> None:
    """With advice for one app that was renamed, and for two whose stacks are called alike; of another stack's app there
    are two."""
    before = everything(prod)
    error = error_of(preflight(app="store")[1])
    assert "Cannot deploy store: units on the cluster are not this stack's. Nothing was changed." in error
    assert (
        f"web@1.service, web@2.service: of the app 'shop', stack {STACK}. If it is another app: Rename the service"
        in error
    )
    assert "Set app=\"shop\" again. To deploy it as 'store' instead, remove 'shop' first: run `pulumi destroy`" in error
    assert "If it is another app: Rename the service in one of the two Fleetfiles." in error
    error = error_of(preflight(OTHER, app="store")[1])
    assert f"of the app 'shop', stack {STACK}. Rename the service in one of the two Fleetfiles." in error
    assert "renamed in place" not in error
    assert everything(prod) == before


def test_what_runs_and_the_state_does_not_know_is_warned_of(prod: Site, warnings: list[str]) -> None:
    """As after a lost state: units of this app and stack are adopted. Of a service that is known nothing is said,
    nor of a cluster of which nothing is known yet."""
    PROVIDER.check(PROD["web"], PROD["web"])
    PROVIDER.check({}, TEST["web"])
    PROVIDER.check({}, {**PROD["web"], "cluster": "unknown"})
    assert warnings == []
    assert PROVIDER.check({}, PROD["web"]).inputs == PROD["web"]
    assert len(warnings) == 1
    assert warnings[0].startswith("web@1.service, web@2.service: on the cluster already. This stack deployed them")
    prod.unreachable = True
    prod.wait(60)
    PROVIDER.check({}, PROD["web"])
    assert len(warnings) == 1


def test_what_etcd_has_of_an_app_goes_with_its_last_unit_of_any_stack(prod: Site) -> None:
    """What other apps have stays."""
    prod.start({"queue@1.service": full(text_of("queue", stack=OTHER))})
    for inputs in PROD.values():
        PROVIDER.delete("id", inputs)
    assert set(prod.texts) == {"queue@1.service", "backup.service", "theirs@1.service"}
    assert prod.etcd.values[current_key(APP)] == "v1"
    PROVIDER.delete("id", unit_inputs("queue", 1, unit=text_of("queue", stack=OTHER)))
    assert [key for key in prod.etcd.values if key.startswith(f"/fleetcaptain/{APP}/")] == []
    assert prod.etcd.values[current_key("blog")] == "v7"
    assert set(prod.texts) == {"backup.service", "theirs@1.service"}


def test_what_etcd_has_of_an_app_stays_while_its_agent_comes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first unit of an app is about to come: its record is there already."""
    site.start(units_of(PROD["web"]))
    site.etcd.put(current_key(APP), "v1")
    real = Lock.acquire

    def acquire(lock: Lock, *args: Any) -> None:
        if lock._key == lock_key(APP, AGENT):
            raise Locked("ann@laptop rolls it out")
        real(lock, *args)

    monkeypatch.setattr(Lock, "acquire", acquire)
    PROVIDER.delete("web", PROD["web"])
    assert site.texts == {}
    assert site.etcd.values[current_key(APP)] == "v1"


def test_what_etcd_has_of_an_app_stays_when_a_unit_comes_before_the_lock(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another deployment was faster."""
    site.etcd.put(current_key(APP), "v1")
    real = Lock.acquire

    def acquire(lock: Lock, *args: Any) -> None:
        site.start(units_of(PROD["web"]))
        real(lock, *args)

    monkeypatch.setattr(Lock, "acquire", acquire)
    PROVIDER.delete("redis", PROD["redis"])
    assert site.etcd.values[current_key(APP)] == "v1"
    assert lock_key(APP, AGENT) not in site.etcd.values


STRAYS = {
    "orphan@1.service": full(text_of("orphan")),
    "web@7.service": UNMARKED,
    "cron.service": UNMARKED,
}


@pytest.fixture
def orphaned(prod: Site) -> Site:
    """The same cluster with a stray of ours and two units without a mark, of which one is named after a service."""
    prod.start(STRAYS)
    return prod


def test_what_is_plausibly_ours_ends_a_deployment(orphaned: Site) -> None:
    """Other people's units on their cluster do not: a warning names them."""
    _, messages = preflight()
    error = error_of(messages)
    assert "orphan@1.service" in error
    assert "web@7.service (without a mark)" in error
    assert "`-c fleetcaptain:strays=remove:web@7.service`" in error
    assert "cron" not in error
    (warning,) = [text for level, text in messages if level == "warning"]
    assert "backup.service, cron.service" in warning
    for name in ("orphan@1.service", "web@7.service"):
        orphaned.cluster().fleet.delete(name)
    orphaned.rest()
    assert [level for level, _ in preflight()[1]] == ["warning"]


def test_on_the_stacks_own_cluster_every_unit_without_a_mark_ends_a_deployment(
    orphaned: Site, docker_machines: object
) -> None:
    """The stack is alone there."""
    assert docker_machines
    error = error_of(preflight(connection=LOCAL)[1])
    assert set(STRAYS) | {"backup.service"} == {name for name in orphaned.texts if name in error}


@pytest.mark.parametrize(
    ("policy", "removed", "levels"),
    [
        ("ignore", (), []),
        ("warn", (), ["warning", "warning"]),
        ("remove", ("orphan@1.service",), ["warning"]),
        ("remove:cron.service, gone.service", ("cron.service", "orphan@1.service"), ["warning"]),
    ],
)
@pytest.mark.usefixtures("orphaned")
def test_units_without_a_mark_are_removed_by_name(policy: str, removed: tuple[str, ...], levels: list[str]) -> None:
    """All others without one are reported."""
    found, messages = preflight(policy=policy)
    assert tuple(sorted(found.strays)) == removed
    assert [level for level, _ in messages] == levels


@pytest.mark.parametrize("name", ["theirs@1.service", "web@1.service"])
def test_a_unit_with_a_mark_cannot_be_removed_by_name(orphaned: Site, name: str) -> None:
    """Neither another app's, nor one that the Fleetfile declares."""
    before = everything(orphaned)
    error = error_of(preflight(policy=f"remove:cron.service,{name}")[1])
    assert f"{name}: service" in error
    assert "cron" not in error
    assert everything(orphaned) == before


def strays_inputs(*names: str) -> dict[str, Any]:
    """The inputs of the removal of strays."""
    return {"app": APP, "stack": STACK, "names": list(names), "adopt": [], "cluster": CONNECTION}


def test_the_removal_looks_at_the_marks_again(orphaned: Site, warnings: list[str]) -> None:
    """What has become another one's since the preview stays, with its registration."""
    orphaned.start({"orphan@1.service": full(text_of("orphan", app="blog", stack="blog/prod"))})
    texts, running, _ = everything(orphaned)
    StraysProvider().create(strays_inputs("orphan@1.service", "cron.service"))
    assert warnings == ["keeping orphan@1.service: it no longer belongs to this stack"]
    assert orphaned.texts == {name: text for name, text in texts.items() if name != "cron.service"}
    assert orphaned.running == running - {"cron.service"}
    assert registration_key("blog", "orphan", "orphan@1.service") in orphaned.etcd.values


def test_the_removal_takes_the_lock_of_the_service(orphaned: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not go on while that is being rolled out."""

    def locked(*_: object) -> None:
        raise Locked("ann@laptop rolls it out")

    before = everything(orphaned)
    monkeypatch.setattr(Lock, "acquire", locked)
    with pytest.raises(Locked):
        StraysProvider().create(strays_inputs("orphan@1.service"))
    assert everything(orphaned) == before


def test_strays_of_an_adopted_stack_are_ours(prod: Site) -> None:
    """A service that the Fleetfile does not have is a stray then."""
    prod.start({"orphan@1.service": full(text_of("orphan", stack=OTHER))})
    adopt = frozenset({OTHER})
    assert "orphan@1.service" in error_of(preflight(adopt=adopt)[1])
    found, _ = preflight(adopt=adopt, policy="remove")
    assert (found.strays, found.stray_stacks) == (("orphan@1.service",), (OTHER,))
    StraysProvider().create({**strays_inputs(*found.strays), "adopt": list(found.stray_stacks)})
    assert "orphan@1.service" not in prod.texts


def test_a_rollout_stops_when_a_name_becomes_another_apps(prod: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was put meanwhile stays, and no state names it."""
    theirs = full(text_of("web", app="blog", stack="blog/prod"))
    new = {**PROD["web"], "unit": text_of(description="new")}
    fetched = prod._run

    def run(address: str, argv: list[str], timeout_sec: float, _text: str = "") -> str | None:
        prod.start({"web@2.service": theirs})
        return fetched(address, argv, timeout_sec)

    monkeypatch.setattr(prod, "_run", run)
    with pytest.raises(RolloutFailed, match=r"(?s)The rollout stopped:.*of the app 'blog'"):
        PROVIDER.update("web", PROD["web"], new)
    assert prod.texts["web@2.service"] == theirs
    assert unit_hash(prod.texts["web@1.service"]) == unit_hash(full(PROD["web"]["unit"]))
