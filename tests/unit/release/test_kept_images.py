"""Which images stay on the machines, and how etcd says so."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import current_key, images_key, pending_key, previous_key, release_key
from fleetcaptain.release.kept_images import (
    KEPT_ON_MACHINES,
    KeptImages,
    docker_name,
    kept_images,
    kept_on_machines,
    write_kept_images,
)
from fleetcaptain.release.record import record
from fleetcaptain.release.repository import Releases
from tests.fakes.fake_etcd import FakeEtcd

OWN = "127.0.0.1:25000/shop"
TAGS = [f"v{number}" for number in range(12)]
HISTORIES = st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=len(TAGS))
CHOSEN = st.sampled_from(["", *TAGS])


def image(letter: str, name: str = "redis") -> str:
    """A reference whose digest is made of *letter*."""
    return f"{name}@sha256:{letter * 64}"


def deployed(tag: str, *images: str, unfinished: bool = False) -> Release:
    """A release with one service for each image."""
    services = {f"s{number}": ServiceRelease("hash", 1, named) for number, named in enumerate(images)}
    return Release(tag, services, unfinished=unfinished)


@given(HISTORIES, CHOSEN, CHOSEN, CHOSEN)
def test_a_rollback_finds_its_images(
    history: list[tuple[str, bool]], current: str, previous: str, pending: str
) -> None:
    """The current, the previous, the pending and the last three available releases stay; nothing else does, and what
    stays is never dropped."""
    manifests = tuple(
        deployed(tag, image(letter), image(letter, OWN), unfinished=unfinished)
        for tag, (letter, unfinished) in zip(TAGS, history, strict=False)
    )
    releases = Releases(manifests, current, previous, pending)
    available = [one.tag for one in manifests if not one.unfinished]
    tags = {current, previous, pending, *available[-KEPT_ON_MACHINES:]}
    assert {one.tag for one in kept_on_machines(releases)} == tags & {one.tag for one in manifests}
    letters = {letter for one, (letter, _) in zip(manifests, history, strict=True) if one.tag in tags}
    found = kept_images(KeptImages(), releases, [OWN])
    assert set(found.keep) == {image(letter, name) for letter in letters for name in ("redis", OWN)}
    assert set(found.drop) == {image(letter) for letter, _ in history if letter not in letters}
    assert found.own == (OWN,)


def test_an_image_is_dropped_also_when_its_release_is_forgotten() -> None:
    """A machine may have been down meanwhile. One that is kept again is not dropped."""
    releases = Releases((deployed("v9", image("c")),), current="v9")
    before = KeptImages((image("a"),), (OWN,), (image("b"), image("c")))
    assert kept_images(before, releases, ()) == KeptImages((image("c"),), (OWN,), (image("b"), image("a")))


def test_the_dropped_images_are_the_last_fifty() -> None:
    """The key does not grow with the age of an app."""
    before = KeptImages(drop=tuple(f"redis@sha256:{number:064x}" for number in range(80)))
    assert kept_images(before, Releases(), ()).drop == before.drop[-50:]


def test_what_has_a_tag_is_not_dropped() -> None:
    """The agent removes no tag."""
    releases = Releases((deployed("v1", "redis:7"), deployed("v2", image("a"))), current="v2")
    many = replace(releases, manifests=(*releases.manifests, *(deployed(f"w{n}", image("a")) for n in range(3))))
    assert kept_images(KeptImages(), many, ()).drop == ()


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("redis", "redis"),
        ("redis:7", "redis:7"),
        (f"redis:7@sha256:{'a' * 64}", image("a")),
        (f"docker.io/library/redis:7@sha256:{'a' * 64}", image("a")),
        (f"index.docker.io/acme/shop@sha256:{'a' * 64}", image("a", "acme/shop")),
        (f"docker.io/acme/shop@sha256:{'a' * 64}", image("a", "acme/shop")),
        (f"ghcr.io/library/redis:7@sha256:{'a' * 64}", image("a", "ghcr.io/library/redis")),
        (f"{OWN}:latest@sha256:{'a' * 64}", image("a", OWN)),
        ("not a reference", ""),
        ("", ""),
    ],
)
def test_a_reference_is_written_as_docker_lists_it(reference: str, name: str) -> None:
    """Without the public registry, and without the tag that docker ignores next to a digest."""
    assert docker_name(reference) == name


def test_the_key_is_read_as_it_was_written() -> None:
    """Each entry is a line; others are left out."""
    kept = KeptImages((image("a"),), (OWN, "shop"), (image("b"),))
    assert kept.text == f"keep {image('a')}\nown {OWN}\nown shop\ndrop {image('b')}\nend\n"
    assert KeptImages.parse(kept.text) == kept
    assert KeptImages.parse("keep A B\nown \nxyz a\nown docker.io/library/a\n") == KeptImages()


def test_the_key_is_written_when_a_release_is_recorded() -> None:
    """Before any machine pulls; with the repositories of earlier deployments."""
    store = FakeEtcd().store
    for number in range(6):
        store.write(release_key("shop", f"v{number}"), deployed(f"v{number}", image(str(number))).to_json())
    store.write(current_key("shop"), "v5")
    store.write(previous_key("shop"), "v0")
    store.write(images_key("shop"), KeptImages(own=(OWN,)).text)
    record(store, "shop", deployed("v6", image("6")), {})
    node = store.read(images_key("shop"))
    assert node is not None
    assert KeptImages.parse(node.value) == KeptImages(
        tuple(image(letter) for letter in "03456"), (OWN,), (image("1"), image("2"))
    )


def test_another_deployment_may_write_the_key_at_the_same_time() -> None:
    """Neither is lost; a key that is right is not written again."""
    etcd = FakeEtcd(lose=1)
    etcd.put(images_key("shop"), KeptImages(own=("other",)).text)
    assert write_kept_images(etcd.store, "shop", [OWN]).own == (OWN, "other")
    assert KeptImages.parse(etcd.values[images_key("shop")]).own == (OWN, "other")
    writes = len(etcd.writes)
    write_kept_images(etcd.store, "shop", [OWN])
    assert len(etcd.writes) == writes


def test_nothing_is_removed_while_a_record_cannot_be_read() -> None:
    """It may be a newer version's."""
    etcd = FakeEtcd()
    etcd.put(release_key("shop", "v1"), json.dumps({"tag": "v1", "services": {"web": {"digest": "other"}}}))
    etcd.put(pending_key("shop"), "v1")
    etcd.put(images_key("shop"), KeptImages(own=(OWN,)).text)
    assert write_kept_images(etcd.store, "shop", [OWN]) == KeptImages()
    assert images_key("shop") not in etcd.values
