"""etcd's authentication on the real etcd: what a container, fleetd and the deployer may do, before and after."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.v3access import V3Access
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.members.members_api import MembersApi
from tests.local.etcd.etcd_process import GRPC, GUEST, TLS, as_on_a_machine, running
from tests.programs import program

Ask = Callable[[str, str, str], tuple[int, str]]
FORM = "application/x-www-form-urlencoded"


class Client:
    """Asks etcd at *url*, with the certificate of *user* or without."""

    def __init__(self, url: str, folder: Path, user: str = "") -> None:
        self.url = url
        self.context = ssl.create_default_context(cafile=str(folder / "ca.pem")) if user else None
        if self.context is not None:
            self.context.load_cert_chain(folder / f"{user}.pem", folder / f"{user}-key.pem")

    def __call__(self, method: str, path: str, body: str, kind: str = "application/json") -> tuple[int, str]:
        """The status and text of the answer."""
        request = urllib.request.Request(  # noqa: S310 - a loopback address
            f"{self.url}{path}", body.encode() or None, {"Content-Type": kind, "Host": "evil.example"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.context) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def write(self, key: str, value: str = "x") -> int:
        """The status of an attempt to write *key*."""
        return self("PUT", f"/v2/keys{key}", f"value={value}", FORM)[0]

    def form(self, key: str) -> int:
        """The status of what a page in a browser can send to any address."""
        return self("POST", f"/v2/keys{key}", "value=x", FORM)[0]

    def read(self, key: str) -> int:
        """The status of an attempt to read *key* and all below it."""
        return self("GET", f"/v2/keys{key}?recursive=true", "")[0]


@dataclass(frozen=True)
class Etcd:
    """The etcd of a member: its certificates' *folder*, and where its *ports* are here."""

    folder: Path
    ports: Mapping[str, str]

    def user(self, name: str) -> Client:
        """A client with a certificate, or a guest."""
        scheme, port = ("https", TLS) if name else ("http", GUEST)
        return Client(f"{scheme}://127.0.0.1:{self.ports[port]}", self.folder, name)

    def members_by_grpc(self, port: str, user: str = "") -> bytes:
        """What the v3 API answers. Raises grpc.RpcError."""
        address = f"127.0.0.1:{self.ports[port]}"
        if user:
            files = (self.folder / name for name in ("ca.pem", f"{user}-key.pem", f"{user}.pem"))
            pair = grpc.ssl_channel_credentials(*(file.read_bytes() for file in files))
        with grpc.secure_channel(address, pair) if user else grpc.insecure_channel(address) as channel:
            ask: Callable[..., bytes] = channel.unary_unary("/etcdserverpb.Cluster/MemberList")
            return ask(b"", timeout=2)


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    """As a machine has it, at other ports; with the app `shop`, and authentication not yet on."""
    with as_on_a_machine(tmp_path, program("etcd"), ("root", "fleet", "m9")) as ports:
        made = Etcd(tmp_path / "tls", ports)
        assert made.user("").write("/fleetcaptain/shop/services/web/web@1.service") == 201
        assert made.user("").write("/_coreos.com/fleet/unit/a") == 201
        yield made


@pytest.fixture
def secured(etcd: Etcd) -> tuple[Access, Callable[[str], Client]]:
    """Its authentication as the superuser has it; and how to ask it as a user."""
    return Access(etcd.user("root")), etcd.user


def test_a_guest_is_an_app_and_no_more(secured: tuple[Access, Callable[[str], Client]]) -> None:
    """Whatever reaches the plain port, and a machine's certificate without a user of its own."""
    access, user = secured
    assert not access.enforced()
    access.enforce(["/config"])
    assert access.enforced()
    for guest in (user(""), user("m9")):
        assert guest.read("/fleetcaptain/shop") == 200
        assert guest.write("/fleetcaptain/shop/services/web/web@1.service") in {200, 201}
        assert guest.write("/config/a") in {200, 201}
        for key in (
            "/_coreos.com/fleet/unit/a",
            "/_coreos.com/fleet/machines/m1/object",
            "/fleetcaptain/shop/current",
            "/fleetcaptain/shop/releases/v1",
            "/fleetcaptain/shop/_texts/a",
            "/fleetcaptain/shop/_history/web/a",
            "/fleetcaptain/shop/_tasks/migrate/last",
            "/fleetcaptain/shop/locks/web",
            "/fleetcaptain/blog/services/web/web@1.service",
            "/fleetcaptain/shop/services-of-mine",
            "/kept",
        ):
            assert guest.write(key) == 401, key
            assert guest.form(key) == 401, key
        assert guest.read("/_coreos.com") == 401
        assert guest("POST", "/v2/members", '{"peerURLs":["http://127.0.0.1:9"]}')[0] == 401
        assert guest("DELETE", "/v2/auth/enable", "")[0] == 401
        assert guest("PUT", "/v2/auth/users/fleet", '{"user":"fleet","password":"a"}')[0] == 401
        assert guest("GET", "/v2/auth/users", "")[0] == 401


def test_a_guest_has_nothing_of_the_v3_api(etcd: Etcd) -> None:
    """It would be another way to everything: by no port, and never, not only once authentication is on."""
    for path in ("/v3/cluster/member/add", "/v3/kv/put", "/v3/kv/range", "/v3/auth/authenticate"):
        for guest in (etcd.user(""), etcd.user("m9")):
            assert guest("POST", path, "{}")[0] == 404, path
    for port, user in ((GUEST, ""), (TLS, ""), (TLS, "m9"), (GRPC, "")):
        with pytest.raises(grpc.RpcError):
            etcd.members_by_grpc(port, user)


def test_a_machine_has_the_v3_api(etcd: Etcd) -> None:
    """For `etcdctl`, by a port of its loopback that wants a certificate."""
    assert b"m1" in etcd.members_by_grpc(GRPC, "root")


def test_members_come_and_go_when_authentication_is_on(etcd: Etcd) -> None:
    """A member that lost its data is taken off the list, and put on it as a new one."""
    Access(etcd.user("root")).enforce()
    members, guest = MembersApi(etcd.user("root")), MembersApi(etcd.user(""))
    assert members.healthy()
    assert "Insufficient" in guest.add("https://127.0.0.9:2380")
    assert "Insufficient" in guest.remove("1234")
    assert "No such member" in members.remove("1234")
    # The one that is added does not start: of two members that is no quorum any more.
    assert not members.add("https://127.0.0.9:2380")


def test_fleetd_has_its_own_keys_and_no_others(secured: tuple[Access, Callable[[str], Client]]) -> None:
    """It is no superuser, though what it runs is root's."""
    access, user = secured
    access.enforce()
    fleet = user("fleet")
    assert fleet.write("/_coreos.com/fleet/unit/b") == 201
    assert fleet.read("/_coreos.com/fleet") == 200
    assert fleet.write("/fleetcaptain/shop/current") == 401
    assert fleet("GET", "/v2/auth/users", "")[0] == 401


def test_an_app_comes_and_goes(secured: tuple[Access, Callable[[str], Client]]) -> None:
    """Its deployment grants its containers their keys, and they lose them with its last unit."""
    access, user = secured
    key = "/fleetcaptain/blog/services/web/web@1.service"
    access.grant("blog")  # nothing is on yet
    access.enforce()
    assert user("").write(key) == 401
    access.grant("blog")
    access.grant("blog")
    assert user("").write(key) == 201
    access.enforce(["/config"])
    assert user("").write(key) == 200
    access.revoke("blog")
    access.revoke("blog")
    assert user("").write(key) == 401
    assert user("").write("/fleetcaptain/shop/services/web/web@1.service") == 200
    access.enforce()
    assert user("").write("/config/a") == 401


@pytest.mark.parametrize("missing", [("machines", "restarts"), ("machines",), ("services",)])
def test_an_app_of_an_old_version_gets_what_is_missing(
    secured: tuple[Access, Callable[[str], Client]], missing: tuple[str, ...]
) -> None:
    """etcd refuses a grant as a whole when one of its patterns is granted."""
    access, user = secured
    access.enforce()
    patterns = [f"/fleetcaptain/shop/{name}/*" for name in missing]
    less = {"role": "guest", "revoke": {"kv": {"write": patterns}}}
    assert user("root")("PUT", "/v2/auth/roles/guest", json.dumps(less))[0] == 200
    more = {"role": "guest", "grant": {"kv": {"write": SHOPS}}}
    assert user("root")("PUT", "/v2/auth/roles/guest", json.dumps(more))[0] == 409
    assert access.registers("shop") is False
    access.grant("shop")
    assert access.registers("shop") is True
    for name in ("machines", "restarts", "services"):
        assert user("").write(f"/fleetcaptain/shop/{name}/a/b") == 201
    assert user("").write("/fleetcaptain/shop/_agent/a") == 401


def test_an_app_that_comes_meanwhile_keeps_its_keys(secured: tuple[Access, Callable[[str], Client]]) -> None:
    """At whichever request of one who sets all rights another one deploys."""
    access, user = secured
    root, requests = user("root"), 0
    access.enforce()

    def request(method: str, path: str, body: str) -> tuple[int, str]:
        nonlocal requests
        requests += 1
        access.grant(f"app{requests}")
        return root(method, path, body)

    Access(request).enforce()
    assert requests > 5
    for number in range(1, requests + 1):
        assert user("").write(f"/fleetcaptain/app{number}/services/web/web@1.service") == 201, number


def test_an_existing_clusters_own_authentication_stays(secured: tuple[Access, Callable[[str], Client]]) -> None:
    """Who is no superuser there changes nothing, and is not stopped: what guests may do is for others to say."""
    access, user = secured
    access.enforce()
    deployer = Access(user(""))
    assert access.registers("blog") is False
    assert deployer.registers("blog") is None
    deployer.grant("blog")
    deployer.revoke("shop")
    assert access.registers("blog") is False
    assert access.registers("shop")


def test_a_connection_without_rights_is_left_for_another(etcd: Etcd, etcd_url: str) -> None:
    """A machine that has just booted may not have its socket for root yet. Without another the error says why."""
    Access(etcd.user("root")).enforce()
    urls = [etcd.user("").url, etcd_url]
    store = EtcdStore(lambda: urls[0], lambda _sec: None, mark_unreachable=urls.remove)
    store.write("/fleetcaptain/shop/current", "v1")
    assert store.read("/fleetcaptain/shop/current")
    guest = EtcdStore(lambda: etcd.user("").url, lambda _sec: None)
    with pytest.raises(FleetCaptainError, match="only the rights of a container"):
        guest.write("/fleetcaptain/shop/current", "v1")


def requests_until_done(run: Callable[[Ask], None], real: Ask) -> int:
    """Start *run* again and again, cut off after no request, after one, after two, until it comes to its end. Returns
    after how many it did."""
    allowed = 0
    while True:
        left = allowed

        def request(method: str, path: str, body: str) -> tuple[int, str]:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return real(method, path, body)

        try:
            run(request)
        except KeyboardInterrupt:
            allowed += 1
        else:
            return allowed


def test_what_was_cut_short_is_finished(secured: tuple[Access, Callable[[str], Client]]) -> None:
    """At every request, one after the other: the next run brings all to its end."""
    access, user = secured
    root = user("root")
    assert requests_until_done(lambda ask: Access(ask).enforce(), root) > 5
    assert access.enforced()
    assert user("").write("/_coreos.com/fleet/unit/a") == 401
    assert json.loads(root("GET", "/v2/auth/roles/guest", "")[1])["permissions"]["kv"] == {
        "read": ["/fleetcaptain/*"],
        "write": SHOPS,
    }


SHOPS = [f"/fleetcaptain/shop/{name}/*" for name in ("machines", "restarts", "services")]
PASSWORDS = {"root": "the-password-of-root", "fleet": "the-password-of-fleet"}


def turn_on(root: EtcdStore, open_dirs: Collection[str] = ()) -> None:
    """Both APIs, as on a cluster that others made."""
    V3Access(root.request).enforce(PASSWORDS["root"])
    Access(root.request).enforce(open_dirs, PASSWORDS)


def turn_off(ask: Ask, root: EtcdStore) -> None:
    """Both, by requests of *ask*, and with a token by *root*."""
    V3Access(ask).relax(PASSWORDS["root"], root.bearing)
    Access(ask).relax()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[str]:
    """An etcd without TLS, with the app `shop`."""
    with running(tmp_path, program("etcd")) as url:
        assert Client(url, tmp_path).write("/fleetcaptain/shop/services/web/web@1.service") == 201
        yield url


def store(url: str, password: str = "") -> EtcdStore:
    """The deployer's way, with root's password or without."""
    return EtcdStore(lambda: url, password=lambda: password)


def test_passwords_do_what_certificates_do(plain: str, tmp_path: Path) -> None:
    """Root writes every key, a guest registrations only, and authentication can be turned off again."""
    guest, root = Client(plain, tmp_path), store(plain, PASSWORDS["root"])
    access, v3access = Access(root.request), V3Access(root.request)
    for _ in range(2):
        assert (access.enforced(), v3access.enforced()) == (False, False)
        turn_on(root, ["/config"])
        assert (access.enforced(), v3access.enforced()) == (True, True)
        assert access.guest()["write"] == ["/config/*", *SHOPS]
        assert guest.write("/_coreos.com/fleet/unit/a") == 401
        assert guest.write("/fleetcaptain/shop/services/web/web@1.service") == 200
        assert guest("POST", "/v3/cluster/member/add", '{"peerURLs":["http://127.0.0.1:9"]}')[0] != 200
        root.write("/_coreos.com/fleet/unit/a", "1")
        turn_on(root, ["/config"])
        with pytest.raises(FleetCaptainError, match="only the rights of a container"):
            store(plain).write("/kept", "1")
        with pytest.raises(FleetCaptainError) as refused:
            store(plain, "a-wrong-password").write("/kept", "1")
        assert "a-wrong-password" not in str(refused.value)
        for _again in range(2):
            turn_off(root.request, root)
        assert guest.write("/_coreos.com/fleet/unit/a") in {200, 201}
        assert guest("POST", "/v3/kv/put", '{"key":"YQ==","value":"YQ=="}')[0] == 200
        assert json.loads(guest("GET", "/v2/auth/users", "")[1]).get("users") is None


def test_users_that_are_there_get_the_given_password(plain: str, tmp_path: Path) -> None:
    """Those of an earlier attempt, whose passwords are lost."""
    guest = Client(plain, tmp_path)
    for user in PASSWORDS:
        assert guest("PUT", f"/v2/auth/users/{user}", json.dumps({"user": user, "password": "lost"}))[0] == 201
    assert guest("POST", "/v3/auth/user/add", '{"name":"root","password":"lost"}')[0] == 200
    root = store(plain, PASSWORDS["root"])
    turn_on(root)
    root.write("/kept", "1")
    turn_off(root.request, root)
    assert not V3Access(root.request).enforced()


def test_what_is_taken_back_in_pieces_is_finished(plain: str) -> None:
    """A run that is cut off at any request is finished by the next one."""
    root = store(plain, PASSWORDS["root"])
    turn_on(root)
    assert requests_until_done(lambda ask: turn_off(ask, root), root.request) > 5
    assert not Access(store(plain).request).enforced()
    assert not V3Access(store(plain).request).enforced()
