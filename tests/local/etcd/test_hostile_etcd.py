"""What anyone who reaches the real etcd can write into an app's directory stops no lookup, rollout or removal."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.instances import Registry
from fleetcaptain.discovery.keys import app_dir, path_of, registration_key, release_key, text_key
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.discovery.read import read_app
from fleetcaptain.release.repository import read_releases
from fleetcaptain.release.retention import prune
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.retire import drain
from tests.fakes.fake_cluster import FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash

UNIT = "web@1.service"
REGISTRATION = {"service": "web", "unit": UNIT, "content": "c", "machine": "m1", "host": "10.0.0.1"}
TEXT = text_of("web")
MANIFEST = Release("v1", {"web": ServiceRelease(unit_hash(TEXT), 1)})


def form(url: str, key: str, **fields: str) -> None:
    """Write as a page's form, or curl, does: etcd takes any value."""
    request = urllib.request.Request(f"{url}{path_of(key)}", urlencode(fields).encode(), method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - a loopback address
        pass


class App:
    """An app with one registration and one release in the real etcd at *url*, and a cluster of which only that is
    real."""

    def __init__(self, name: str, url: str) -> None:
        self.url, self.name = url, name
        self.store = EtcdStore(lambda: url)
        self.cluster: Cluster = FakeCluster(app=name)
        self.cluster.store = self.store
        self.key = registration_key(name, "web", UNIT)
        self.store.write(self.key, json.dumps(REGISTRATION))
        self.store.write(release_key(name, "v1"), MANIFEST.to_json())
        self.store.write(text_key(name, unit_hash(TEXT)), TEXT)

    def known(self) -> Registry:
        """What a lookup knows, by the way that apps look."""
        return read_app(KeysApi(self.url), self.name)[0]

    def ignored(self) -> tuple[list[str], list[str]]:
        """The keys that lookups ignore, and those that a rollout does. Both know the registration and the release."""
        known, snapshot, releases = self.known(), self.cluster.snapshot(), read_releases(self.store, self.name)
        assert [entry.unit for entry in known.registrations] == [*snapshot.registrations] == [UNIT]
        assert known.manifests == releases.manifests == (MANIFEST,)
        assert releases.texts[unit_hash(TEXT)] == TEXT
        found = known.ignored, (*snapshot.ignored, *releases.ignored)
        by_lookups, by_rollouts = (sorted(entry.key for entry in entries) for entries in found)
        return by_lookups, by_rollouts

    def goes_on(self, *keys: str) -> None:
        """Everything that reads this app ignores *keys*, and nothing else."""
        assert self.ignored() == (sorted(keys), sorted(keys))


@pytest.fixture
def app(etcd_url: str, request: pytest.FixtureRequest) -> Iterator[App]:
    """An app named after the test."""
    app = App(request.node.name.partition("[")[0].replace("_", "-"), etcd_url)
    yield app
    app.store.delete(app_dir(app.name), recursive=True)


VALUES = {
    "infinite port": json.dumps({**REGISTRATION, "ports": {"80": 1}}).replace("1}", "1e999}"),
    "nested": "[" * 200_000,
    "surrogate": json.dumps({**REGISTRATION, "unit": "\ud800"}),
    "digits": json.dumps({**REGISTRATION, "ports": {"80": 1}}).replace("1}", f"{'9' * 5000}}}"),
    "number": "1e400",
    "huge": json.dumps({**REGISTRATION, "connection": {"a": "x" * 500_000}}),
    "note": "note",
    "empty": "",
    "twice": json.dumps(REGISTRATION)[:-1] + ', "content": "x"}',
    "tag": json.dumps({"tag": [1], "services": {}}),
    "when": json.dumps({"tag": "v9", "when": 5, "services": {}}),
    "instances": json.dumps({"tag": "v9", "services": {"web": {"content": "c", "instances": 100_000}}}),
    "infinite": '{"tag": "v9", "services": {"web": {"content": "c", "instances": 1e999}}}',
    "service": json.dumps({"tag": "v9", "services": {"../../x": {"content": "c", "instances": 1}}}),
    "image": json.dumps({"tag": "v9", "services": {"web": {"content": "c", "instances": 1, "image": "--x"}}}),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_bad_value_is_ignored_with_its_key(app: App, value: str) -> None:
    """As a registration and as a release, at keys that those could have."""
    keys = (registration_key(app.name, "web", "web@2.service"), release_key(app.name, "v9"))
    for key in keys:
        form(app.url, key, value=value)
    app.goes_on(*keys)
    assert prune(app.store, app.name, ()) == ()


@pytest.mark.parametrize("place", ["web/zz", "web/zz/web@1.service", "zz/web/web@1.service", "zz/web@1.service"])
def test_a_registration_in_another_place_is_ignored(app: App, place: str) -> None:
    """It does not take the place of the real one."""
    key = f"{app_dir(app.name)}/services/{place}"
    form(app.url, key, value=json.dumps({**REGISTRATION, "content": "x"}))
    app.goes_on(key)


def test_a_form_of_a_web_page_registers_nothing(app: App) -> None:
    """A POST makes a key in order, whose name is a number."""
    directory = f"{app_dir(app.name)}/services/web"
    request = urllib.request.Request(  # noqa: S310 - a loopback address
        f"{app.url}{path_of(directory)}", urlencode({"value": json.dumps({**REGISTRATION, "host": "6.6.6.6"})}).encode()
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - a loopback address
        key = json.load(answer)["node"]["key"]
    app.goes_on(key)


@pytest.mark.parametrize("levels", [1, 40, 480, 600, 2000])
@pytest.mark.parametrize("below", ["services/web", "services", "releases", "_texts"])
def test_a_key_however_deep_hides_nothing(app: App, below: str, levels: int) -> None:
    """JSON parsers fail at some hundred levels, and etcd answers with all of a directory."""
    top = f"{app_dir(app.name)}/{below}/a"
    form(app.url, "/".join([top, *["a"] * levels]), value="x")
    for ignored in app.ignored():
        assert [key.startswith(top) for key in ignored] == ([] if below == "_texts" else [True])
    assert prune(app.store, app.name, ()) == ()


@pytest.mark.parametrize("name", ["$(touch x);'\"\x1b[31m\u202e <{%a%}>", "b\0", "\n", "v1#x", "%2e%2e%2fcurrent"])
def test_a_key_may_have_any_name(app: App, name: str) -> None:
    """It is ignored by it."""
    keys = (registration_key(app.name, "web", name), release_key(app.name, name))
    for key in keys:
        form(app.url, key, value=json.dumps(REGISTRATION))
    app.goes_on(*keys)


@pytest.mark.parametrize("value", ["", "note", "[" * 200_000, None], ids=["empty", "note", "nested", "directory"])
def test_what_is_no_registration_is_in_no_rollouts_way(app: App, value: str | None) -> None:
    """Neither when its unit is drained nor when that is removed."""
    for _ in range(2):
        app.store.delete(app.key, recursive=True)
        form(app.url, *([app.key] if value is not None else [f"{app.key}/below"]), value=value or "")
        drain(app.cluster, "web", [UNIT], 1)
        assert app.store.below(app.key) == ()
    form(app.url, *([app.key] if value is not None else [f"{app.key}/below"]), value=value or "")
    app.cluster.unregister("web", UNIT)
    assert app.store.read(app.key) is None


def test_all_of_an_app_goes_whatever_is_in_it(app: App) -> None:
    """With the app's last unit."""
    form(app.url, f"{app_dir(app.name)}/services/{'/'.join(['a'] * 600)}", value="x")
    app.store.delete(app_dir(app.name), recursive=True)
    assert app.store.read(app_dir(app.name)) is None
