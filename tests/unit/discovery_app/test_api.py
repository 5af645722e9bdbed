"""The four functions that an app uses, through the package's own name."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime

import pytest

import fleetcaptain
from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.documents import Registration
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.discovery.read import read_app
from fleetcaptain.errors import RegistrationRefused
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.discovery_app.app_container import CONTENT, KEY, MACHINE, UNIT, environment, of_the_unit

REDIS = "/fleetcaptain/shop/services/redis/redis@1.service"


@pytest.mark.usefixtures("environ")
def test_registering_says_who_where_and_what(etcd: FakeEtcd) -> None:
    """The value has every field of the layout; what the app gives as its connection is kept whole."""
    before = datetime.now(UTC).replace(microsecond=0)
    with fleetcaptain.register("web", {"host": "10.9.9.9", "port": 8080, "tls": True}, versions=["v1.0"]):
        found = Registration.from_json(etcd.entries[KEY].value)
        assert etcd.entries[KEY].ttl == 60
    assert found is not None
    assert (found.service, found.unit, found.unit_hash, found.machine) == ("web", UNIT, CONTENT, MACHINE)
    assert (found.host, found.versions, found.lease) == ("10.0.0.1", ("v1.0",), "app")
    assert found.connection == {"host": "10.9.9.9", "port": 8080, "tls": True}
    assert datetime.fromisoformat(found.since) >= before


@pytest.mark.usefixtures("environ")
def test_it_replaces_what_the_unit_registered(etcd: FakeEtcd) -> None:
    """The app knows better; without a host of its own the machine's counts."""
    etcd.put(KEY, of_the_unit())
    with fleetcaptain.register("web", {"port": 9}):
        assert etcd.value(KEY)["connection"] == {"host": "10.0.0.1", "port": 9}


def test_versions_of_the_fleetfile_hold_too(etcd: FakeEtcd, environ: dict[str, str]) -> None:
    """For its own service; another name that the app registers says its own."""
    identity = Identity.from_environment({**environ, "FLEETCAPTAIN_VERSIONS": '["v1", "v2"]'})
    mine = Discovery(identity)
    for service, versions in (("web", ["v1", "v2", "v3"]), ("admin", ["v2", "v3"])):
        mine.announce(service, {}, versions=["v2", "v3"])
        assert etcd.value(identity.key(service))["versions"] == versions


def test_unregistering_marks_what_the_agent_would_put_back(etcd: FakeEtcd, identity: Identity) -> None:
    """The unit is still active; the mark is renewed by the agent, and the instance is not discovered."""
    etcd.put(KEY, of_the_unit())
    Discovery(identity).unregister("web")
    value = etcd.value(KEY)
    assert (value["draining"], value["lease"], etcd.entries[KEY].ttl) == (True, "beacon", 60)
    with pytest.raises(fleetcaptain.NotAvailable):
        Discovery(identity).discover("web")


def test_unregistering_before_the_unit_registers_holds_too(etcd: FakeEtcd, identity: Identity) -> None:
    """The unit's own line respects what its app left there in this run."""
    Discovery(identity).unregister("web")
    assert etcd.value(KEY)["draining"]
    assert etcd.value(KEY)["run"] == identity.run


def test_a_name_that_no_unit_registers_is_simply_removed(etcd: FakeEtcd, identity: Identity) -> None:
    """No agent knows of it."""
    mine = Discovery(identity)
    mine.register("admin", {"port": 1})
    mine.unregister("admin")
    mine.unregister("admin")
    assert etcd.values == {}


@pytest.mark.parametrize("service", ["web", "admin"])
def test_what_another_machine_registered_is_left(etcd: FakeEtcd, identity: Identity, service: str) -> None:
    """The unit runs there by now."""
    value = of_the_unit(service, machine="elsewhere")
    etcd.put(identity.key(service), value)
    Discovery(identity).unregister(service)
    assert etcd.entries[identity.key(service)].value == value


@pytest.mark.usefixtures("environ")
def test_discovering_gives_typed_instances_of_ones_own_release_first(etcd: FakeEtcd) -> None:
    """The release that names the caller's content is the caller's."""
    services = {"web": {"content": CONTENT, "instances": 1}, "redis": {"content": "red", "instances": 1}}
    etcd.put("/fleetcaptain/shop/releases/v1", json.dumps({"tag": "v1", "services": services}))
    etcd.put("/fleetcaptain/shop/releases/broken", "{")
    etcd.put("/fleetcaptain/shop/current", "v0")
    etcd.put(REDIS, of_the_unit("redis", "redis@1.service", content="blue", versions=["v1"]))
    etcd.put(REDIS.replace("@1", "@2"), of_the_unit("redis", "redis@2.service", content="red"))
    etcd.put(REDIS.replace("@1", "@3"), of_the_unit("redis", "redis@3.service", content="green"))
    etcd.put(REDIS.replace("@1", "@4"), "not a registration")
    found = fleetcaptain.discover("redis")
    assert [(instance.unit, instance.own, instance.address) for instance in found] == [
        ("redis@2.service", True, "10.0.0.1:80"),
        ("redis@1.service", False, "10.0.0.1:80"),
    ]
    assert isinstance(found[0], fleetcaptain.Instance)


@pytest.mark.usefixtures("environ")
def test_one_lookup_is_one_read(etcd: FakeEtcd) -> None:
    """Registrations and releases are those of one moment."""
    etcd.put(REDIS, of_the_unit("redis"))
    fleetcaptain.discover("redis")
    assert etcd.requests == [("GET", "/fleetcaptain/shop", {"recursive": "true"})]


@pytest.mark.usefixtures("environ")
def test_ensuring_returns_at_once_what_is_there(etcd: FakeEtcd) -> None:
    """Without a time to wait it is a question; the answer no is an error."""
    with pytest.raises(fleetcaptain.NotAvailable, match="it has no registered instance"):
        fleetcaptain.ensure_available("redis")
    etcd.put(REDIS, of_the_unit("redis"))
    assert [instance.service for instance in fleetcaptain.ensure_available("redis")] == ["redis"]
    with pytest.raises(fleetcaptain.NotAvailable):
        fleetcaptain.ensure_available("reddis", timeout_sec=0.05)


@pytest.mark.usefixtures("environ")
def test_ensuring_waits_for_what_comes(etcd: FakeEtcd) -> None:
    """It returns with the registration, not with the next poll."""
    waiting = etcd._wait

    def comes(key: str, index: int) -> tuple[int, dict[str, object]]:
        etcd._set(REDIS, of_the_unit("redis"), None)
        return waiting(key, index)

    etcd._wait = comes  # type: ignore[method-assign]
    assert len(fleetcaptain.ensure_available("redis", timeout_sec=60)) == 1


def test_ensuring_outlasts_an_etcd_that_is_away(etcd: FakeEtcd, identity: Identity) -> None:
    """Within its time; after that it says that etcd is the reason."""
    passed: list[float] = []
    mine = Discovery(identity, lambda: sum(passed), passed.append)
    etcd.put(REDIS, of_the_unit("redis"))
    etcd.failures = 5
    assert len(mine.ensure_available("redis", timeout_sec=30)) == 1
    etcd.failures = 1000
    with pytest.raises(fleetcaptain.ClusterUnreachable, match="500"):
        mine.ensure_available("redis", timeout_sec=30)
    assert sum(passed) == 5 + 30


def test_outside_of_any_unit_the_computer_registers(etcd: FakeEtcd) -> None:
    """Something beside the cluster can be made known to the app, as long as somebody renews it."""
    identity = Identity.from_environment({}, app="shop", etcd=etcd.url)
    held = Discovery(identity).register("db", {"host": "db.example", "port": 5432})
    assert list(etcd.entries) == [f"/fleetcaptain/shop/services/db/{socket.gethostname()}"]
    inside = Discovery(Identity.from_environment(environment(etcd.url)))
    assert [instance.address for instance in inside.discover("db")] == ["db.example:5432"]
    held.close()
    assert etcd.values == {}


def test_a_release_that_was_never_available_counts_only_while_it_is_coming(etcd: FakeEtcd) -> None:
    """Its record is there before its first unit is rolled, and stays when that fails."""
    services = {"web": {"content": "new", "instances": 1}, "redis": {"content": "coming", "instances": 1}}
    etcd.put("/fleetcaptain/shop/releases/v2", json.dumps({"tag": "v2", "services": services, "unfinished": True}))
    known, _ = read_app(KeysApi(etcd.url), "shop")
    assert (known.manifests, known.pending) == ((), None)
    etcd.put("/fleetcaptain/shop/coming", "v2")
    known, _ = read_app(KeysApi(etcd.url), "shop")
    assert known.manifests == ()
    assert known.pending is not None
    assert known.pending.unit_hashes == {"web": "new", "redis": "coming"}


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("service", "connection", "versions"),
    [
        ("a b", {}, []),
        ("", {}, []),
        ("..", {}, []),
        ("web", {"weight": float("nan")}, []),
        ("web", {"note": "\ud800"}, []),
        ("web", {"note": "x" * 70_000}, []),
        ("web", {"when": datetime(2030, 1, 1, tzinfo=UTC)}, []),
        ("web", {"port": 10**5000}, []),
        ("web", {}, [5]),
    ],
)
def test_what_no_lookup_could_read_is_refused(
    etcd: FakeEtcd, service: str, connection: dict[str, object], versions: list[str]
) -> None:
    """Also when it is another service's name, or the value is no JSON."""
    with pytest.raises(RegistrationRefused, match="Lookups would ignore it"):
        fleetcaptain.register(service, connection, versions=versions)
    assert etcd.entries == {}
