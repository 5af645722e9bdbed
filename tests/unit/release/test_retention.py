"""Which releases are kept."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.discovery.keys import current_key, release_key, releases_dir, secret_key, text_key, texts_dir
from fleetcaptain.release.repository import Releases, read_secret_digests
from fleetcaptain.release.retention import KEPT, forgotten_texts, outdated, prune
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.release.example_releases import release

TAGS = [f"v{number}" for number in range(30)]
HISTORIES = st.lists(st.sampled_from(range(8)), max_size=30)


def _history(unit_hashes: list[int]) -> tuple[Releases, list[str]]:
    manifests = [release(tag, web=f"w{unit_hash}") for tag, unit_hash in zip(TAGS, unit_hashes, strict=False)]
    texts = {f"w{unit_hash}": "text" for unit_hash in range(8)}
    return Releases(tuple(manifests), texts=texts), [manifest.tag for manifest in manifests]


@given(HISTORIES, st.sampled_from(TAGS), st.sampled_from(TAGS), st.sets(st.sampled_from(range(8))))
def test_what_is_needed_is_kept(unit_hashes: list[int], current: str, previous: str, running: set[int]) -> None:
    """The last ten; the current and the previous one; for each content that runs a release that names it; and every
    text of all these. Nothing else."""
    releases, tags = _history(unit_hashes)
    releases = Releases(releases.manifests, current, previous, texts=releases.texts)
    gone = outdated(releases, {f"w{unit_hash}" for unit_hash in running})
    kept = [manifest for manifest in releases.manifests if manifest.tag not in gone]
    assert not {*tags[-KEPT:], current, previous}.intersection(gone)
    named = {unit_hash for manifest in kept for unit_hash in manifest.unit_hashes.values()}
    assert {f"w{unit_hash}" for unit_hash in running if unit_hash in unit_hashes} <= named
    assert len(kept) <= KEPT + 2 + len(running)
    assert set(forgotten_texts(releases, gone)) == set(releases.texts) - named


def test_pruning_forgets_releases_and_their_texts() -> None:
    """A text that a kept release needs stays."""
    store = FakeEtcd().store
    for number in range(KEPT + 2):
        unit_hash = "shared" if number in (0, 5) else f"w{number}"
        store.write(release_key("shop", f"v{number}"), release(f"v{number}", web=unit_hash).to_json())
        store.write(text_key("shop", unit_hash), "text")
    store.write(current_key("shop"), f"v{KEPT + 1}")
    assert prune(store, "shop", ()) == ("v0", "v1")
    assert len(store.below(releases_dir("shop"))) == KEPT
    texts = {node.key.rpartition("/")[2] for node in store.below(texts_dir("shop"))}
    assert "shared" in texts
    assert "w1" not in texts


def test_pruning_forgets_secrets_that_nothing_names() -> None:
    """As a client leaves that is killed once it has encrypted a value. Those of kept releases, of units and of the
    deployment's tasks stay."""
    store = FakeEtcd().store
    digests = {name: f"{number:032x}" for number, name in enumerate(("forgotten", "kept", "unit", "task", "left"))}
    for digest in digests.values():
        store.write(secret_key("shop", digest), "encrypted")

    def file_with(name: str) -> UnitFile:
        text = f"[Service]\nExecStart=/bin/true\n[X-FleetCaptain]\nSecrets=URL\nSecretDigest=URL {digests[name]}\n"
        return UnitFile.parse(text)

    for number in range(KEPT + 1):
        file = file_with("kept" if number else "forgotten")
        store.write(release_key("shop", f"v{number}"), release(f"v{number}", web=file.unit_hash).to_json())
        store.write(text_key("shop", file.unit_hash), file.text)
    store.write(current_key("shop"), f"v{KEPT}")
    assert prune(store, "shop", [file_with("unit")], [digests["task"]]) == ("v0",)
    assert read_secret_digests(store, "shop") == {digests[name] for name in ("kept", "unit", "task")}


def test_the_release_that_is_coming_is_kept() -> None:
    """One may go back to an old one while others are deployed."""
    releases, tags = _history(list(range(8)) * 3)
    assert tags[0] in outdated(releases, ())
    assert tags[0] not in outdated(Releases(releases.manifests, pending=tags[0]), ())


def test_no_text_goes_while_a_manifest_cannot_be_read() -> None:
    """It may be of a newer version, and name them."""
    store = FakeEtcd().store
    store.write(release_key("shop", "v9"), json.dumps({"tag": "v9", "services": {"web": {"digest": "other"}}}))
    store.write(text_key("shop", "other"), "text")
    prune(store, "shop", ())
    assert store.read(text_key("shop", "other")) is not None
