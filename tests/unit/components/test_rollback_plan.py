"""The record of a release, the plan of a way back, and removals that somebody still needs prevented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components import fleet_unit, release_record, rollback_plan, stray_units
from components.cluster import handle
from components.cluster.aws_handle import AwsHandle
from components.cluster.handle import ClusterHandle, Presence
from components.cluster.local_handle import LocalHandle
from components.deployment_plan import Plan, forward
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import release_key, text_key
from fleetcaptain.errors import ReleaseRefused, RolloutFailed
from fleetcaptain.mode import Mode
from fleetcaptain.release.images import ImageState
from fleetcaptain.release.release_name import ReleaseName
from fleetcaptain.release.rollback import RequestedRollback
from fleetcaptain.release.service_release import Part
from fleetcaptain.rollout import rollback_check
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.secrets.release_secrets import Openers
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, STACK, FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash, with_image
from tests.unit.rollout.released import BOTH, DB1, V1, V2, WEB1, released
from tests.unit.tasks.test_periodic_pair import pair_of

OURS = Ownership(APP, STACK)
IMAGE = "127.0.0.1:5000/shop@sha256:1"
FULL = with_image(WEB1, IMAGE)
OLD = Release(
    "v1", {"web": ServiceRelease(unit_hash(FULL), 2, IMAGE, requires=("db",)), "db": ServiceRelease(unit_hash(DB1), 1)}
)
CONNECTION: Mapping[str, Any] = {
    "kind": "existing",
    "stack": "shop/dev",
    "ssh": ["core@10.0.0.1"],
    "key": "",
    "known_hosts": "",
}


def _reached(monkeypatch: pytest.MonkeyPatch, cluster: Cluster) -> None:
    monkeypatch.setattr(handle, "open_cluster", lambda _way, _app: cluster)


def _props(tag: str = "v1", **services: ServiceRelease) -> dict[str, Any]:
    entries = {name: {**one.to_data(), "instances": float(one.count)} for name, one in services.items()}
    texts = {one.unit_hash: f"text of {name}" for name, one in services.items()}
    return {"app": APP, "release": tag, "services": entries, "texts": texts, "cluster": CONNECTION}


def _read(props: dict[str, Any]) -> dict[str, Any]:
    inputs = release_record.RecordProvider().read(APP, props).inputs
    assert inputs is not None
    return inputs


def _refused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    return said


def test_a_record_reads_back_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a refresh shows no difference, though etcd counts in whole numbers, and anew when all is available."""
    cluster = released({}, "")
    _reached(monkeypatch, cluster)
    props = _props(web=ServiceRelease("w1", 2, "web@sha256:1", requires=("db",)), db=ServiceRelease("d1", 1))
    release_record.RecordProvider().create(props)
    assert _read(props) == props
    more = {**props["services"], "web": {**props["services"]["web"], "instances": 5}}
    assert _read({**props, "services": more})["services"] == more


def test_a_lost_record_shows_as_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest, or only a text of it."""
    cluster = released({}, "")
    _reached(monkeypatch, cluster)
    props = _props(web=ServiceRelease("w1", 1), db=ServiceRelease("d1", 1))
    release_record.RecordProvider().create(props)
    cluster.store.delete(text_key(APP, "w1"))
    assert set(_read(props)["texts"]) == {"d1"}
    cluster.store.delete(release_key(APP, "v1"))
    assert _read(props)["services"] == {}


def test_a_plan_orders_each_service_after_those_before_it() -> None:
    """Whatever order they are written in; what a release does not have is passed over."""
    parts = tuple(
        Part(name, UnitFile(()), 1, Mode.ROLLING, requires=needs) for name, needs in (("a", ("b", "x")), ("b", ("c",)))
    )
    plan = forward((*parts, Part("c", UnitFile(()), 1, Mode.ROLLING)), {}, ReleaseName("v1"))
    assert [part.service for part in plan.ordered()] == ["c", "b", "a"]
    later = Part("a", UnitFile(()), 1, Mode.ROLLING, after=("c",))
    assert [
        part.service
        for part in forward((later, Part("c", UnitFile(()), 1, Mode.ROLLING)), {}, ReleaseName("v1")).ordered()
    ] == [
        "c",
        "a",
    ]


def _plan(
    monkeypatch: pytest.MonkeyPatch,
    manifest: Release,
    tag: str = "v1",
    state: ImageState = ImageState.THERE,
    newer: Release = V2,
) -> Plan:
    cluster = released({"web@1.service": WEB1}, "v2", manifest, newer)
    cluster.store.write(text_key(APP, unit_hash(FULL)), FULL)
    cluster.store.write(text_key(APP, unit_hash(DB1)), DB1)
    _reached(monkeypatch, cluster)
    monkeypatch.setattr(rollback_check, "find_images", lambda _cluster, images: dict.fromkeys(images, state))
    return rollback_plan.plan_back(CONNECTION, OURS, RequestedRollback(tag, tag))


def test_a_release_whose_secrets_no_machine_can_open_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything changes; where some can, the others are named."""
    said, warned = _refused(monkeypatch), list[str]()
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    found = [Openers((), ("10.0.0.1",)), Openers(("10.0.0.1",), ("10.0.0.2",))]
    monkeypatch.setattr(rollback_plan, "find_openers", lambda _cluster, _secrets: found.pop(0))
    with pytest.raises(SystemExit):
        _plan(monkeypatch, OLD)
    assert "Cannot roll back to v1. Nothing was changed" in said[0]
    assert "no machine can open its secrets (10.0.0.1)" in said[0]
    assert not warned
    _plan(monkeypatch, OLD)
    assert [line.partition(",")[0] for line in warned] == ["10.0.0.2 cannot open the secrets of v1"]


@pytest.mark.parametrize(
    "rules",
    [
        {"machine_of": ("db",)},
        {"machine_of": ("db@1.service",)},
        {"x_fleet": (("X-ConditionMachineOf", "db@%i.service"),)},
    ],
)
def test_a_service_is_rolled_after_the_one_on_whose_machine_it_has_to_be(rules: dict[str, Any]) -> None:
    """fleet places it after that one only, and the rollout waits half a minute for a place."""
    parts = [
        Part(name, UnitFile.parse(text_of(name, **keywords)), 1, Mode.ROLLING)
        for name, keywords in (("web", rules), ("db", {}))
    ]
    plan = forward(tuple(parts), {}, ReleaseName("v1"))
    assert [part.service for part in plan.ordered()] == ["db", "web"]
    assert plan.after["web"] == ("db",)


def test_the_way_back_deploys_what_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, images, instances; what does not run comes before who requires it. It says how to end it."""
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", said.append)
    plan = _plan(monkeypatch, OLD)
    assert [(part.service, part.unit.text, part.instances) for part in plan.ordered()] == [
        ("db", DB1, 1),
        ("web", WEB1, 2),
    ]
    assert plan.images == {"web": IMAGE, "db": ""}
    assert (plan.name, plan.renames) == (ReleaseName("v1"), {})
    assert "pulumi config rm fleetcaptain:rollbackTo" in said[0]


def test_the_way_back_over_a_rename_is_a_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the newer release records it."""
    newer = replace(V2, services={"site": replace(V2.services["web"], renamed_from="web")})
    assert _plan(monkeypatch, OLD, newer=newer).renames == {"web": ("site",)}


def test_the_way_back_keeps_periodic_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the cluster has them, with their images: a release records none."""
    pair = pair_of(stack=STACK)
    cluster = released({"web@1.service": WEB1}, "v2", OLD, V2)
    for name, file in zip(pair.units, (pair.service, pair.timer), strict=True):
        cluster.launch(name, file.text)
    cluster.store.write(text_key(APP, unit_hash(FULL)), FULL)
    cluster.store.write(text_key(APP, unit_hash(DB1)), DB1)
    _reached(monkeypatch, cluster)
    monkeypatch.setattr(rollback_check, "find_images", lambda _cluster, images: dict.fromkeys(images, ImageState.THERE))
    plan = rollback_plan.plan_back(CONNECTION, OURS, RequestedRollback("v1", "v1"))
    assert (plan.kept, plan.tasks) == ((pair,), ())


@pytest.mark.parametrize(
    ("tag", "state", "told"),
    [
        ("v9", ImageState.THERE, "Cannot roll back to v9: no such release. Nothing was changed."),
        ("v2", ImageState.THERE, "Cannot roll back to v2. Nothing was changed:"),
        ("v1", ImageState.GONE, f"web: the image {IMAGE} is gone from the registry 127.0.0.1:5000"),
    ],
)
def test_what_cannot_be_gone_back_to_ends_the_program(
    monkeypatch: pytest.MonkeyPatch, tag: str, state: ImageState, told: str
) -> None:
    """Before it declares anything."""
    said = _refused(monkeypatch)
    with pytest.raises(SystemExit):
        _plan(monkeypatch, OLD, tag, state)
    assert told in said[0]


def test_an_image_of_which_nothing_is_known_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rollout will find out."""
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    _plan(monkeypatch, OLD, state=ImageState.UNKNOWN)
    assert said == [
        f"Could not check whether {IMAGE} still exists: its registry does not answer, or requires another login"
    ]


@pytest.mark.parametrize(
    ("kind", "reason"), [("local", "`docker start`"), ("aws", "m1 (i-1) is stopped."), ("existing", "")]
)
def test_a_cluster_that_does_not_run_cannot_tell_its_releases(
    monkeypatch: pytest.MonkeyPatch, kind: str, reason: str
) -> None:
    """It says why, in the words of its kind, and what to do instead of deploying something else."""
    refused = _refused(monkeypatch)
    for one in (ClusterHandle, AwsHandle, LocalHandle):
        monkeypatch.setattr(one, "presence", lambda _handle: Presence.STOPPED)
    monkeypatch.setattr(AwsHandle, "problem", lambda _handle: "m1 (i-1) is stopped.")
    with pytest.raises(SystemExit):
        rollback_plan.plan_back({**CONNECTION, "kind": kind}, OURS, RequestedRollback("v1", "v1"))
    assert "only the cluster has its record, and it does not answer" in refused[0]
    assert reason in refused[0]
    assert ("docker" in refused[0]) == (kind == "local")
    assert "`pulumi config rm fleetcaptain:rollbackTo`" in refused[0]


def _removal(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    _reached(monkeypatch, cluster)
    props = {"app": APP, "service": "db", "unit": DB1, "cluster": CONNECTION, "units": ["db-1@1.service"]}
    fleet_unit.RollingUpdateProvider().delete("db", props)


def test_a_removed_service_stays_while_another_release_requires_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says who does."""
    cluster = released(
        {"web@1.service": WEB1, "db-1@1.service": DB1}, "v2", V1, Release("v2", {"web": ServiceRelease("w", 1)})
    )
    with pytest.raises(RolloutFailed, match=r"Cannot remove db: .* web \(web@1.service\) of release v1"):
        _removal(cluster, monkeypatch)
    assert "db-1@1.service" in cluster.units


def test_a_service_goes_with_its_whole_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """``pulumi destroy`` removes all there is, in whatever order."""
    cluster = released({"web@1.service": WEB1, "db-1@1.service": DB1}, "v1", V1)
    _removal(cluster, monkeypatch)
    assert set(cluster.units) == {"web@1.service"}


def test_a_stray_stays_while_somebody_requires_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strays are removed before anything is rolled, so one that the running release needs waits for its turn."""
    said: list[str] = []
    monkeypatch.setattr(stray_units, "warn", said.append)
    cluster = released(BOTH, "v1", V1)
    _reached(monkeypatch, cluster)
    names = ["db-1@1.service", "unmarked.service"]
    cluster.launch("unmarked.service", "[Service]\nExecStart=/bin/true\n")
    props = {"app": APP, "stack": STACK, "names": names, "adopt": [], "cluster": CONNECTION}
    stray_units.StraysProvider().create(props)
    assert set(cluster.units) == set(BOTH)
    assert "keeping db-1@1.service" in said[0]


def test_a_stray_that_only_a_removed_stray_required_goes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each service is judged by the cluster of its time."""
    api = text_of("api")
    services = {"api": ServiceRelease(unit_hash(api), 1, requires=("db",)), "db": ServiceRelease(unit_hash(DB1), 1)}
    cluster = released({"api@1.service": api, "db@1.service": DB1}, "v1", Release("v1", services))
    _reached(monkeypatch, cluster)
    props = {"app": APP, "stack": STACK, "names": sorted(cluster.units), "adopt": [], "cluster": CONNECTION}
    stray_units.StraysProvider().create(props)
    assert not cluster.units


def test_a_tag_of_another_release_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units come after the record, so none is touched."""
    cluster = released({}, "v1", OLD)
    _reached(monkeypatch, cluster)
    before = dict(cluster.etcd.entries)
    with pytest.raises(ReleaseRefused):
        release_record.RecordProvider().create(_props(web=ServiceRelease("other", 1)))
    assert cluster.etcd.entries == before


def test_the_keys_of_an_app_go_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cluster that stays, nothing of the app is left in etcd. While a unit of it is there all of it is kept."""
    cluster = released({"web@1.service": WEB1}, "v1", V1)
    before = cluster.etcd.values
    _reached(monkeypatch, cluster)
    release_record.RecordProvider().delete(APP, _props())
    assert cluster.etcd.values == before
    cluster.fleet.delete("web@1.service")
    release_record.RecordProvider().delete(APP, _props())
    assert cluster.etcd.values == {}


def test_the_way_back_refuses_units_of_another_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their texts carry its mark: once deployed they would not be ours."""
    said = _refused(monkeypatch)
    cluster = released({}, "v2", OLD)
    cluster.store.write(text_key(APP, unit_hash(FULL)), FULL)
    cluster.store.write(text_key(APP, unit_hash(DB1)), DB1)
    _reached(monkeypatch, cluster)
    monkeypatch.setattr(rollback_check, "find_images", lambda _cluster, images: dict.fromkeys(images, ImageState.THERE))
    with pytest.raises(SystemExit):
        rollback_plan.plan_back(CONNECTION, Ownership(APP, "shop/other"), RequestedRollback("v1"))
    assert f"web: its unit is marked as web of the app 'shop', stack {STACK}" in said[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (text_of("web", stack="fleetcaptain/other"), "db: its unit is marked as web of the app 'shop', stack"),
        (text_of("db", app="blog"), "db: its unit is marked as db of the app 'blog'"),
        ("[Service]\nExecStart=/bin/true\n", "db: its unit has no mark of FleetCaptain"),
        ("[Service", "db: the text of its unit (ccccccc) was changed in etcd"),
    ],
)
def test_a_recorded_text_that_is_not_this_stacks_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    """Whoever can write the record can write a text under its own hash."""
    said = _refused(monkeypatch)
    recorded = "c" * 40 if text == "[Service" else unit_hash(text)
    cluster = released({}, "v2", Release("v1", {"db": ServiceRelease(recorded, 1)}), V2)
    cluster.store.write(text_key(APP, recorded), text)
    _reached(monkeypatch, cluster)
    with pytest.raises(SystemExit):
        rollback_plan.plan_back(CONNECTION, OURS, RequestedRollback("v1", "v1"))
    assert why in said[0]
