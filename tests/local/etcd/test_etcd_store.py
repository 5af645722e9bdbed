"""The operator's way to etcd: compare-and-swap, times to live, what is no error, and what is."""

from __future__ import annotations

import pytest

from fleetcaptain.discovery.etcd_store import EtcdStore, Node
from fleetcaptain.discovery.keys import release_key, releases_dir
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError
from tests.fakes.fake_etcd import FakeEtcd


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

    def mark_unreachable(url: str) -> None:
        left.append(url)
        ways.remove(url)

    assert EtcdStore(lambda: ways[0], lambda _seconds: None, mark_unreachable).read("/nothing") is None
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


# Names that a URL, or a path, would take for something else.
ODD = [
    "v1.0#x",
    "%2e%2e%2fcurrent",
    "a b",
    "a?x=1",
    "a&b",
    "a+b",
    "100%",
    "%41",
    "\u00fc\u4e2d",
    "v\x9b31m",
    "\u202ev",
    "a\\b",
]


@pytest.mark.parametrize("name", ODD)
def test_a_key_is_what_its_name_says(store: EtcdStore, name: str) -> None:
    """Each character stands for itself: nothing else is read, written, listed or removed."""
    folder = "/odd"
    store.write(f"{folder}/v1.0", "another")
    assert store.create(f"{folder}/{name}", name)
    assert not store.create(f"{folder}/{name}", "second")
    assert (read(store, f"{folder}/{name}").key, read(store, f"{folder}/{name}").value) == (f"{folder}/{name}", name)
    listed = {node.key: node.value for node in store.below(folder)}
    assert listed == {f"{folder}/v1.0": "another", f"{folder}/{name}": name}
    assert store.swap(f"{folder}/{name}", read(store, f"{folder}/{name}"), "swapped")
    assert store.hold(f"{folder}/{name}", "swapped", 60)
    store.let_go(f"{folder}/{name}", "swapped")
    assert [node.key for node in store.below(folder)] == [f"{folder}/v1.0"]


@pytest.mark.parametrize("name", ODD)
def test_both_clients_mean_the_same_key(real_store: EtcdStore, etcd_url: str, name: str) -> None:
    """What one writes the other reads."""
    key = f"/both/{name}"
    real_store.write(key, "operator")
    assert KeysApi(etcd_url).get(key).node["value"] == "operator"
    KeysApi(etcd_url).put(key, "app", 60)
    assert read(real_store, key).value == "app"


@pytest.mark.parametrize("key", ["/a//b", "/a/../b", "/a/./b", "/a/", "/", "", "/a/..", "/a\ud800"])
def test_what_would_be_another_key_is_refused(store: EtcdStore, etcd_url: str, key: str) -> None:
    """Before anything is sent."""
    with pytest.raises(FleetCaptainError, match="is not a valid key of etcd"):
        store.write(key, "x")
    with pytest.raises(FleetCaptainError, match="is not a valid key of etcd"):
        KeysApi(etcd_url).get(key)


def test_releases_whose_tags_begin_alike_exist_side_by_side(store: EtcdStore) -> None:
    """A slash in a tag is no folder: docs/discovery.md has the key for others who read it."""
    for tag in ("v1.0", "v1.0/x", "a/b", "v1.0+1", "v1.0@x"):
        store.write(release_key("tags", tag), tag)
    found = {
        node.key.removeprefix(f"{releases_dir('tags')}/"): node.value for node in store.below(releases_dir("tags"))
    }
    assert found == {"v1.0": "v1.0", "v1.0%2Fx": "v1.0/x", "a%2Fb": "a/b", "v1.0+1": "v1.0+1", "v1.0@x": "v1.0@x"}


def test_a_key_that_is_in_the_way_is_named(real_store: EtcdStore) -> None:
    """etcd's own refusal is no traceback."""
    real_store.write("/way/file", "x")
    with pytest.raises(FleetCaptainError, match=r"etcd refused to write /way/file/below: Not a directory.*remove it"):
        real_store.write("/way/file/below", "x")
    with pytest.raises(FleetCaptainError, match="etcd refused to write /way: Not a file"):
        real_store.write("/way", "x")
