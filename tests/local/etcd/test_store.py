"""The operator's way to etcd: compare-and-swap, times to live, what is no error, and what is."""

from __future__ import annotations

import pytest

from fleetcaptain.discovery.store import EtcdStore, Node
from fleetcaptain.errors import ClusterUnreachable
from tests.fakes.etcd import FakeEtcd


@pytest.fixture
def real_store(etcd_url: str) -> EtcdStore:
    """A store in the real etcd."""
    return EtcdStore(lambda: etcd_url)


@pytest.fixture(params=["fake", "real"])
def store(request: pytest.FixtureRequest) -> EtcdStore:
    """The fake store of the unit tests and the real one, which must do the same; each test uses keys of its own."""
    if request.param == "fake":
        return FakeEtcd().store
    store: EtcdStore = request.getfixturevalue("real_store")
    return store


def read(store: EtcdStore, key: str) -> Node:
    """The node, which has to be there."""
    node = store.read(key)
    assert node is not None
    return node


def test_what_is_not_there_is_none_and_its_removal_no_error(store: EtcdStore) -> None:
    """Neither is a directory that is not there."""
    assert store.read("/nothing") is None
    assert store.below("/nothing") == ()
    store.delete("/nothing")
    store.let_go("/nothing", "value")


def test_below_a_directory_are_its_keys_at_any_depth(store: EtcdStore) -> None:
    """In the order of their names; an empty directory, which etcd gives as its own only leaf, has none."""
    for key in ("/tree/b", "/tree/a/deep", "/tree/c"):
        store.write(key, key)
    assert [(node.key, node.value) for node in store.below("/tree")] == [
        (key, key) for key in ("/tree/a/deep", "/tree/b", "/tree/c")
    ]
    for key in ("/tree/b", "/tree/a/deep", "/tree/c"):
        store.delete(key)
    assert store.below("/tree") == ()


def test_a_directory_is_deleted_with_all_below_it(store: EtcdStore) -> None:
    """What is beside it stays."""
    for key in ("/forest/a", "/forest/b/deep", "/forests"):
        store.write(key, key)
    store.delete("/forest", recursive=True)
    assert store.below("/forest") == ()
    assert read(store, "/forests").value == "/forests"


def test_only_the_first_creates(store: EtcdStore) -> None:
    """The second one is told."""
    assert store.create("/once", "mine")
    assert not store.create("/once", "theirs")
    assert read(store, "/once").value == "mine"


def test_a_swap_needs_what_was_read(store: EtcdStore) -> None:
    """A change in between, to the same value too, or a removal, refuses it."""
    store.write("/swap", "a")
    seen = read(store, "/swap")
    store.write("/swap", "a")
    assert not store.swap("/swap", seen, "b")
    assert store.swap("/swap", read(store, "/swap"), "b")
    seen = read(store, "/swap")
    store.delete("/swap")
    assert not store.swap("/swap", seen, "c")
    assert store.read("/swap") is None


def test_a_hold_is_only_for_the_holder(store: EtcdStore) -> None:
    """Its value says who that is; what expired is nobody's."""
    store.write("/held", "me", ttl_sec=60)
    assert store.hold("/held", "me", 60)
    assert not store.hold("/held", "you", 60)
    store.let_go("/held", "you")
    assert read(store, "/held").value == "me"
    store.let_go("/held", "me")
    assert not store.hold("/held", "me", 60)


def test_a_key_with_a_time_to_live_goes_by_itself(real_store: EtcdStore) -> None:
    """When it is not held."""
    real_store.write("/short", "x", ttl_sec=1)
    while real_store.read("/short") is not None:
        pass
    assert real_store.create("/short", "y")


def test_values_come_back_as_they_are(store: EtcdStore) -> None:
    """JSON with every character; and nothing at all."""
    for value in ('{"a": "ü & = + %2F"}', "", "two\nlines"):
        store.write("/value", value)
        assert read(store, "/value").value == value


def test_an_etcd_that_is_away_is_left_for_another_one(etcd_url: str) -> None:
    """The machine that we come in by may have lost its etcd, and the cluster still have a quorum."""
    away = "http://127.0.0.1:1"
    ways = [away, etcd_url]
    left: list[str] = []

    def leave(url: str) -> None:
        left.append(url)
        ways.remove(url)

    assert EtcdStore(lambda: ways[0], lambda _seconds: None, leave).read("/nothing") is None
    assert left == [away]


def test_an_etcd_that_is_away_is_tried_again_and_then_named() -> None:
    """With what to look at; the address is asked for each time, since a tunnel may have been replaced."""
    asked: list[int] = []
    pauses: list[float] = []

    def url() -> str:
        asked.append(1)
        return "http://127.0.0.1:1"

    with pytest.raises(ClusterUnreachable, match=r"did not read /key within 8 tries.*quorum"):
        EtcdStore(url, pauses.append).read("/key")
    assert (len(asked), len(pauses)) == (8, 7)
