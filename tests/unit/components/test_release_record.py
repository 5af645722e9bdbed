"""The record of a release on clusters that do not answer, and its resource."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components import release_record
from components.release_record import RecordProvider
from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import pending_key, release_key, rollback_key
from fleetcaptain.errors import ClusterUnreachable, ReleaseRefused
from tests.fakes.fake_site import APP, Site
from tests.unit.components.deployed import CONNECTION, LOCAL

PROVIDER = RecordProvider()


def record_inputs(tag: str = "v1", unit_hash: str = "w1", **more: Any) -> dict[str, Any]:
    """The inputs of the record of a release of web alone."""
    services = {"web": ServiceRelease(unit_hash, 2, "web@sha256:1").to_data()}
    inputs = {"app": APP, "release": tag, "services": services, "texts": {unit_hash: "text of web"}}
    return {**inputs, "rollback": False, "cluster": CONNECTION, **more}


def test_an_update_records_the_next_release(site: Site) -> None:
    """As the one that is being deployed; the one before stays."""
    PROVIDER.create(record_inputs())
    PROVIDER.update(APP, record_inputs(), record_inputs("v2", "w2"))
    assert site.etcd.values[pending_key(APP)] == "v2"
    manifests = [Release.from_json(site.etcd.values[release_key(APP, tag)]) for tag in ("v1", "v2")]
    assert [manifest.unit_hashes for manifest in manifests] == [{"web": "w1"}, {"web": "w2"}]
    assert all(manifest.unfinished for manifest in manifests)


def test_of_a_rollback_it_is_recorded_that_it_is_one(site: Site) -> None:
    """A deployment of the same release is none."""
    PROVIDER.update(APP, record_inputs("v2", "w2"), record_inputs())
    assert rollback_key(APP) not in site.etcd.values
    PROVIDER.update(APP, record_inputs("v2", "w2"), record_inputs(rollback=True))
    assert '"target": "v1"' in site.etcd.values[rollback_key(APP)]


def test_the_tag_of_a_finished_release_is_not_given_to_another(site: Site) -> None:
    """The error says which service differs."""
    finished = Release("v1", {"web": ServiceRelease("w1", 2, "web@sha256:1")})
    site.etcd.put(release_key(APP, "v1"), finished.to_json())
    with pytest.raises(ReleaseRefused, match="web has another unit text or secret in it"):
        PROVIDER.update(APP, record_inputs(), record_inputs(unit_hash="w2"))
    assert site.etcd.values[release_key(APP, "v1")] == finished.to_json()


def test_an_app_that_may_not_register_itself_is_a_difference(site: Site) -> None:
    """So the next `up` grants it that, though the record is as it was."""
    PROVIDER.create(record_inputs())
    assert PROVIDER.read(APP, record_inputs()).inputs == record_inputs()
    Access(site.etcd.store.request).enforce()
    assert PROVIDER.read(APP, record_inputs()).inputs == record_inputs()
    site.etcd.access.roles["guest"]["write"].clear()
    found = PROVIDER.read(APP, record_inputs())
    assert found.inputs == record_inputs(services={}, texts={})
    PROVIDER.update(APP, found.outs or {}, record_inputs())
    below = [f"/fleetcaptain/{APP}/{name}/*" for name in ("machines", "restarts", "services")]
    assert sorted(site.etcd.access.roles["guest"]["write"]) == below


def test_an_app_that_an_old_version_secured_gets_the_rights_that_are_missing(site: Site) -> None:
    """It has the right to its registrations only, and etcd refuses to grant that one again."""
    PROVIDER.create(record_inputs())
    Access(site.etcd.store.request).enforce()
    written = site.etcd.access.roles["guest"]["write"]
    written[:] = [f"/fleetcaptain/{APP}/services/*"]
    PROVIDER.update(APP, record_inputs(services={}, texts={}), record_inputs())
    assert len(site.etcd.access.roles["guest"]["write"]) == 3


@pytest.mark.parametrize(("running", "id_"), [(None, None), (frozenset({"m1"}), APP)])
def test_of_a_local_cluster_that_does_not_run_nothing_is_asked(
    docker_machines: SimpleNamespace, running: frozenset[str] | None, id_: str | None
) -> None:
    """With the machines went the record; on stopped ones it is as it was."""
    docker_machines.running = running
    found = PROVIDER.read(APP, record_inputs(cluster=LOCAL))
    assert found.id == id_
    assert found.inputs == (record_inputs(cluster=LOCAL) if id_ else None)


def test_a_cluster_that_does_not_answer_is_an_error_once(site: Site) -> None:
    """After that the record reads back as it was."""
    site.etcd.failures = 2
    with pytest.raises(ClusterUnreachable, match="etcd did not read"):
        PROVIDER.read(APP, record_inputs())
    assert PROVIDER.read(APP, record_inputs()).inputs == record_inputs()


def test_with_its_cluster_gone_a_record_is_gone(docker_machines: SimpleNamespace) -> None:
    """No cluster is asked to remove it."""
    docker_machines.running = None
    PROVIDER.delete(APP, record_inputs(cluster=LOCAL))


@pytest.mark.usefixtures("site")
def test_a_rollback_takes_only_what_this_stack_deployed() -> None:
    """A record that was changed in etcd is refused in the preview; one from before there were seals is taken."""
    first = PROVIDER.create(record_inputs()).outs
    assert first is not None
    second = PROVIDER.update(APP, first, record_inputs("v2", "w2")).outs
    assert second is not None
    back = record_inputs(rollback=True)
    PROVIDER.diff(APP, second, back)
    PROVIDER.diff(APP, record_inputs("v2", "w2"), back)
    changed = {"web": ServiceRelease("w1", 50, "web@sha256:1").to_data()}
    with pytest.raises(ReleaseRefused, match="its record in etcd was changed after this stack deployed it"):
        PROVIDER.diff(APP, second, {**back, "services": changed})
    PROVIDER.diff(APP, second, record_inputs(services=changed))


@pytest.mark.usefixtures("site")
def test_the_seals_of_the_last_releases_are_kept() -> None:
    """A tag that is deployed again has its last one."""
    outs: dict[str, Any] = {"seals": {f"old-{number}": "" for number in range(150)}}
    outs = PROVIDER.update(APP, outs, record_inputs("v1", "w1")).outs or {}
    outs = PROVIDER.update(APP, outs, record_inputs("v2", "w2")).outs or {}
    assert list(outs["seals"])[-2:] == ["v1", "v2"]
    assert len(outs["seals"]) == 100


@pytest.mark.usefixtures("site")
def test_a_rollback_to_what_the_state_does_not_know_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether that record was changed cannot be known."""
    said: list[str] = []
    monkeypatch.setattr(release_record, "warn", said.append)
    known = PROVIDER.create(record_inputs()).outs or {}
    PROVIDER.diff(APP, known, record_inputs(rollback=True))
    PROVIDER.diff(APP, known, record_inputs("v0"))
    assert said == []
    PROVIDER.diff(APP, known, record_inputs("v0", rollback=True))
    assert "does not have the release v0" in said[0]
