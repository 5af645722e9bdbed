"""How a release is written down, and becomes the current one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.discovery.documents import Release
from fleetcaptain.discovery.keys import current_key, pending_key, previous_key, release_key, text_key
from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.release.record import finish, other_content, record
from fleetcaptain.release.repository import LastRollback, read_releases
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.release.example_releases import release

V1 = release("v1", web="w1", db="d1")


def _value(etcd: FakeEtcd, key: str) -> str:
    return etcd.values.get(key, "")


def _manifest(etcd: FakeEtcd, tag: str) -> Release:
    return Release.from_json(_value(etcd, release_key("shop", tag)))


def _deployed(etcd: FakeEtcd, *manifests: Release) -> FakeEtcd:
    for manifest in manifests:
        record(etcd.store, "shop", manifest, {})
        finish(etcd.store, "shop", manifest)
    return etcd


def test_a_release_is_recorded_unfinished_with_its_texts_and_is_coming() -> None:
    """Nothing is current by that."""
    etcd = FakeEtcd()
    record(etcd.store, "shop", V1, {"w1": "text one", "d1": "text two"})
    assert _manifest(etcd, "v1") == replace(V1, unfinished=True)
    assert _value(etcd, text_key("shop", "w1")) == "text one"
    assert _value(etcd, pending_key("shop")) == "v1"
    assert _value(etcd, current_key("shop")) == ""


def test_a_finished_release_is_current_and_the_one_before_is_remembered() -> None:
    """Nothing is coming any more."""
    etcd = _deployed(FakeEtcd(), V1, release("v2", web="w2"))
    assert not _manifest(etcd, "v2").unfinished
    assert (_value(etcd, current_key("shop")), _value(etcd, previous_key("shop"))) == ("v2", "v1")
    assert pending_key("shop") not in etcd.values


def test_a_tag_that_was_available_with_other_contents_is_refused() -> None:
    """Each difference is named, and nothing is written."""
    etcd = _deployed(FakeEtcd(), V1)
    entries = dict(etcd.entries)
    with pytest.raises(ReleaseRefused) as refused:
        record(etcd.store, "shop", release("v1", web="w2", cache="c1"), {"w2": "text"})
    told = str(refused.value)
    assert told.startswith("The release v1 already exists with other contents. Nothing was changed:\n")
    assert "cache is not in it" in told
    assert "db is in it, but no longer in the Fleetfile" in told
    assert "web has another unit text or secret in it" in told
    assert etcd.entries == entries


def test_another_image_is_called_so() -> None:
    """The likeliest reason: the same commit, built anew."""
    new = replace(
        V1, services={**V1.services, "web": replace(V1.services["web"], unit_hash="w2", image="web@sha256:2")}
    )
    assert other_content(V1, new, "shop/dev")[0] == "web has another image in it"


def test_a_release_that_was_never_available_gives_its_tag_up() -> None:
    """Who mends a release that failed need not rename it."""
    etcd = FakeEtcd()
    record(etcd.store, "shop", V1, {})
    record(etcd.store, "shop", release("v1", web="w2"), {})
    assert _manifest(etcd, "v1").unit_hashes == {"web": "w2"}


def test_the_same_release_again_keeps_its_author_and_stays_available() -> None:
    """Numbers of instances are no other content; going back to it makes it the one deployed last."""
    etcd = _deployed(FakeEtcd(), V1, release("v2", web="w2"))
    more = {name: replace(one, count=5) for name, one in V1.services.items()}
    record(etcd.store, "shop", replace(V1, who="bob@desk", services=more), {})
    found = _manifest(etcd, "v1")
    assert (found.who, found.unfinished, found.services["web"].count) == (V1.who, False, 5)
    assert [manifest.tag for manifest in read_releases(etcd.store, "shop").manifests] == ["v2", "v1"]


def test_whoever_is_quicker_does_not_get_lost() -> None:
    """Both keys are changed by comparing: what another one wrote meanwhile is read first."""
    etcd = _deployed(FakeEtcd(), V1)
    etcd.lose = 2
    _deployed(etcd, release("v1", web="w1", db="d1"), release("v2", web="w2"))
    assert (_value(etcd, current_key("shop")), _value(etcd, previous_key("shop"))) == ("v2", "v1")


def test_a_record_that_somebody_replaced_does_not_become_current() -> None:
    """Two deployments under one tag: the one whose record is there wins."""
    etcd = FakeEtcd()
    record(etcd.store, "shop", V1, {})
    record(etcd.store, "shop", release("v1", web="w2"), {})
    with pytest.raises(ReleaseRefused, match="another deployment replaced its record"):
        finish(etcd.store, "shop", V1)
    assert current_key("shop") not in etcd.values


def test_finishing_again_changes_nothing() -> None:
    """The previous release is not forgotten by that."""
    etcd = _deployed(FakeEtcd(), V1, release("v2", web="w2"))
    entries = dict(etcd.entries)
    finish(etcd.store, "shop", release("v2", web="w2"))
    assert etcd.entries == entries


def _rollback(etcd: FakeEtcd) -> LastRollback | None:
    return read_releases(etcd.store, "shop").rollback


def test_a_rollback_is_remembered_until_another_release_is_current() -> None:
    """Also while it is repeated, and if a deployment of another release fails."""
    v2 = release("v2", web="w2")
    etcd = _deployed(FakeEtcd(), V1, v2)
    record(etcd.store, "shop", V1, {}, rollback=True)
    assert _rollback(etcd) == LastRollback("v1", "v2")
    finish(etcd.store, "shop", V1)
    record(etcd.store, "shop", V1, {}, rollback=True)
    record(etcd.store, "shop", release("v3", web="w3"), {})
    assert _rollback(etcd) == LastRollback("v1", "v2")
    assert read_releases(etcd.store, "shop").is_rolled_back
    _deployed(etcd, v2)
    assert _rollback(etcd) is None


def test_a_rollback_to_the_current_release_leaves_the_one_that_failed() -> None:
    """The current one was not left."""
    etcd = _deployed(FakeEtcd(), V1)
    record(etcd.store, "shop", release("v2", web="w2"), {})
    record(etcd.store, "shop", V1, {}, rollback=True)
    assert _rollback(etcd) == LastRollback("v1", "v2")


def test_a_deployment_ends_a_rollback_that_is_not_complete() -> None:
    """Even one of the same release: if it fails, it is no rollback."""
    etcd = _deployed(FakeEtcd(), V1, release("v2", web="w2"))
    record(etcd.store, "shop", V1, {}, rollback=True)
    record(etcd.store, "shop", V1, {})
    assert _rollback(etcd) is None
    assert read_releases(etcd.store, "shop").pending == "v1"
