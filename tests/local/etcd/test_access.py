"""etcd's authentication on the real etcd: what a container, fleetd and the deployer may do, before and after."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.cluster.certificates import authority_of, ensure_authority, ensure_machine_pair, ensure_user_pair
from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.store import EtcdStore
from fleetcaptain.errors import FleetCaptainError
from tests.local.etcd.server import running, tls_url
from tests.programs import program

Ask = Callable[[str, str, str], tuple[int, str]]
FORM = "application/x-www-form-urlencoded"


class Client:
    """Asks etcd, with the certificate of *user* or as a guest."""

    def __init__(self, url: str, folder: Path, user: str = "") -> None:
        self.url = tls_url(url) if user else url
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


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Access, Callable[[str], Client]]]:
    """An etcd with the app `shop`, authentication not yet on; and how to ask it as somebody."""
    folder = tmp_path / "tls"
    ensure_authority(folder, "test")
    ensure_machine_pair(folder, "m1", "127.0.0.2")
    for user in ("root", "fleet", "m9"):
        ensure_user_pair(folder, user)
    assert authority_of(folder)
    tls = {
        "trusted-ca-file": folder / "ca.pem",
        "cert-file": folder / "m1.pem",
        "key-file": folder / "m1-key.pem",
    }
    with running(tmp_path, program("etcd"), tls) as url:
        guest = Client(url, folder)
        assert guest.write("/fleetcaptain/shop/services/web/web@1.service") == 201
        assert guest.write("/_coreos.com/fleet/unit/a") == 201
        yield Access(Client(url, folder, "root")), lambda user: Client(url, folder, user)


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


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v3/cluster/member/add", '{"peerURLs":["http://127.0.0.1:9"]}'),
        ("/v3/kv/put", '{"key":"YQ==","value":"YQ=="}'),
        ("/v3/kv/range", '{"key":"YQ=="}'),
        ("/v3/maintenance/snapshot", "{}"),
        ("/v3/auth/disable", "{}"),
        ("/v3/auth/user/add", '{"name":"mine","password":"a"}'),
        ("/v3/auth/authenticate", '{"name":"root","password":""}'),
        ("/v3/auth/authenticate", '{"name":"root"}'),
    ],
)
def test_a_guest_has_nothing_of_the_v3_api(
    secured: tuple[Access, Callable[[str], Client]], path: str, body: str
) -> None:
    """It would be another way to everything."""
    access, user = secured
    access.enforce()
    for guest in (user(""), user("m9")):
        status, text = guest("POST", path, body)
        assert status >= 400 or '"error"' in text, text


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


def test_what_was_cut_short_is_finished(secured: tuple[Access, Callable[[str], Client]]) -> None:
    """At every request, one after the other: the next run brings all to its end."""
    access, user = secured
    root, done = user("root"), 0
    while True:
        left = done

        def ask(method: str, path: str, body: str) -> tuple[int, str]:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return root(method, path, body)

        try:
            Access(ask).enforce()
            break
        except KeyboardInterrupt:
            done += 1
    assert done > 10
    assert access.enforced()
    assert user("").write("/_coreos.com/fleet/unit/a") == 401
    assert user("")("POST", "/v3/cluster/member/add", '{"peerURLs":["http://127.0.0.1:9"]}')[0] != 200
    assert json.loads(root("GET", "/v2/auth/roles/guest", "")[1])["permissions"]["kv"] == {
        "read": ["/fleetcaptain/*"],
        "write": ["/fleetcaptain/shop/services/*"],
    }


PASSWORDS = {"root": "the-password-of-root", "fleet": "the-password-of-fleet"}


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
    """Root asks for everything, a guest registers, and all of it can be taken back."""
    guest, root = Client(plain, tmp_path), store(plain, PASSWORDS["root"])
    access = Access(root.ask)
    for _ in range(2):
        assert (access.enforced(), access.v3_enforced()) == (False, False)
        access.enforce(["/config"], PASSWORDS)
        assert (access.enforced(), access.v3_enforced()) == (True, True)
        assert access.guest()["write"] == ["/config/*", "/fleetcaptain/shop/services/*"]
        assert guest.write("/_coreos.com/fleet/unit/a") == 401
        assert guest.write("/fleetcaptain/shop/services/web/web@1.service") == 200
        assert guest("POST", "/v3/cluster/member/add", '{"peerURLs":["http://127.0.0.1:9"]}')[0] != 200
        root.write("/_coreos.com/fleet/unit/a", "1")
        access.enforce(["/config"], PASSWORDS)
        with pytest.raises(FleetCaptainError, match="only the rights of a container"):
            store(plain).write("/kept", "1")
        with pytest.raises(FleetCaptainError) as refused:
            store(plain, "a-wrong-password").write("/kept", "1")
        assert "a-wrong-password" not in str(refused.value)
        for _again in range(2):
            access.relax(PASSWORDS["root"], root.bearing)
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
    Access(root.ask).enforce((), PASSWORDS)
    root.write("/kept", "1")
    Access(root.ask).relax(PASSWORDS["root"], root.bearing)
    assert not Access(root.ask).v3_enforced()


def test_what_is_taken_back_in_pieces_is_finished(plain: str) -> None:
    """A run that is cut off at any request is finished by the next one."""
    root = store(plain, PASSWORDS["root"])
    Access(root.ask).enforce((), PASSWORDS)
    done = 0
    while True:
        left = done

        def ask(method: str, path: str, body: str) -> tuple[int, str]:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return root.ask(method, path, body)

        try:
            Access(ask).relax(PASSWORDS["root"], root.bearing)
            break
        except KeyboardInterrupt:
            done += 1
    assert done > 5
    assert not Access(store(plain).ask).enforced()
    assert not Access(store(plain).ask).v3_enforced()
