"""etcd's authentication on versions of etcd that no machine of ours runs."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

import pytest

from fleetcaptain.discovery.access import Access, is_open_dir
from fleetcaptain.discovery.keys import lock_key, window_event_key, window_plan_key, window_state_key
from fleetcaptain.discovery.v3access import V3Access
from fleetcaptain.errors import FleetCaptainError
from tests.fakes.etcd_users import FakeAccess

PASSWORDS = {"root": "the-password-of-root", "fleet": "the-password-of-fleet"}


class OldEtcd(FakeAccess):
    """One of *version*, whose v3 API answers below *api*, if at all."""

    def __init__(self, version: str, api: str = "") -> None:
        super().__init__()
        self.version, self.api = version, api

    def __call__(self, method: str, path: str, body: str) -> tuple[int, str]:
        """The status and text of the answer."""
        if path == "/version":
            return 200, json.dumps({"etcdserver": self.version})
        if path.startswith("/v3"):
            own = self.api and path.startswith(f"{self.api}/")
            return super().__call__(method, path.replace(self.api, "/v3", 1), body) if own else (404, "")
        if path.startswith("/v2/keys"):
            return 404, ""
        return super().__call__(method, path, body)


def test_etcd_2_has_no_v3_api_to_be_closed() -> None:
    """The v2 API alone is turned on and off."""
    etcd = OldEtcd("2.3.8")
    access, v3access = Access(etcd), V3Access(etcd)
    assert v3access.enforced() is None
    v3access.enforce(PASSWORDS["root"])
    access.enforce((), PASSWORDS)
    assert (etcd.enabled, etcd.v3_enabled) == (True, False)
    v3access.relax(PASSWORDS["root"], lambda _token: etcd)
    access.relax()
    assert (etcd.enabled, etcd.users, etcd.roles) == (False, {}, {})


@pytest.mark.parametrize(("version", "api"), [("3.2.32", "/v3alpha"), ("3.3.27", "/v3beta"), ("3.5.33", "/v3")])
def test_the_v3_api_is_closed_wherever_it_is(version: str, api: str) -> None:
    """It was given its present name in 3.4."""
    etcd, tokens = OldEtcd(version, api), list[str]()
    v3access = V3Access(etcd)
    v3access.enforce(PASSWORDS["root"])
    assert (etcd.v3_enabled, v3access.enforced()) == (True, True)

    def bearing(token: str) -> OldEtcd:
        tokens.append(token)
        return etcd

    v3access.relax(PASSWORDS["root"], bearing)
    assert not etcd.v3_enabled
    assert tokens == ["a token"]


def test_a_v3_api_that_cannot_be_closed_is_refused() -> None:
    """It would be a way around the v2 API's authentication."""
    etcd = OldEtcd("3.1.20")
    with pytest.raises(FleetCaptainError, match=r"Cannot close the v3 API of etcd 3\.1\.20"):
        V3Access(etcd).enforce(PASSWORDS["root"])


@pytest.mark.parametrize(
    ("directory", "open_"),
    [("/config", True), ("/coreos.com/network", True), ("/_coreos.com", False), ("/fleetcaptain/shop", False)]
    + [(one, False) for one in ("", "/", "config", "/a/", "/a/*", "/a/..", "//a", "/a\n")],
)
def test_which_directories_may_be_open(directory: str, open_: bool) -> None:
    """Neither fleet's nor FleetCaptain's, by no spelling."""
    assert is_open_dir(directory) is open_


def may_write(etcd: FakeAccess, app: str = "shop") -> list[str]:
    """The directories of *app* that guests may write."""
    return sorted(pattern.split("/")[3] for pattern in etcd.roles["guest"]["write"] if pattern.split("/")[2] == app)


def test_guests_write_no_results_of_tasks() -> None:
    """A container could make up a success, and a migration would not run; or take other services out of discovery."""
    etcd = FakeAccess()
    Access(etcd).enforce((), PASSWORDS)
    Access(etcd).grant("shop")
    assert may_write(etcd) == ["machines", "restarts", "services"]
    assert not any(
        "_tasks" in pattern or pattern.startswith("/fleetcaptain/*") for pattern in etcd.roles["guest"]["write"]
    )


def test_guests_read_windows_and_write_none_of_their_keys() -> None:
    """Machine agents read them as guests, and set units by them: a container could start and stop instances."""
    etcd = FakeAccess()
    Access(etcd).enforce((), PASSWORDS)
    Access(etcd).grant("shop")
    guest = etcd.roles["guest"]
    keys = [window_state_key("shop", "web"), window_plan_key("shop", "web"), window_event_key("shop", "web", 1)]
    for key in (*keys, lock_key("shop", "web")):
        assert any(fnmatchcase(key, pattern) for pattern in guest["read"])
        assert not any(fnmatchcase(key, pattern) for pattern in guest["write"])


@pytest.mark.parametrize("granted", [(), ("services",), ("services", "machines"), ("services", "machines", "restarts")])
def test_only_what_is_missing_is_granted(granted: tuple[str, ...]) -> None:
    """etcd refuses a grant as a whole when one of its patterns is granted; an old version granted only one of them."""
    etcd = OldEtcd("3.5.33", "/v3")
    access = Access(etcd)
    access.enforce()
    etcd.roles["guest"]["write"] = [
        "/fleetcaptain/blog/services/*",
        *(f"/fleetcaptain/shop/{one}/*" for one in granted),
    ]
    assert access.registers("shop") is (len(granted) == 3)
    access.grant("shop")
    assert access.registers("shop") is True
    assert may_write(etcd) == ["machines", "restarts", "services"]
    access.revoke("shop")
    assert (may_write(etcd), may_write(etcd, "blog")) == ([], ["services"])


@pytest.mark.parametrize("granted", [("services",), ("machines", "services")])
def test_only_what_is_there_is_revoked(granted: tuple[str, ...]) -> None:
    """etcd refuses that as a whole too."""
    etcd = OldEtcd("3.5.33", "/v3")
    access = Access(etcd)
    access.enforce()
    etcd.roles["guest"]["write"] = [f"/fleetcaptain/shop/{one}/*" for one in granted]
    access.revoke("shop")
    assert may_write(etcd) == []


def test_no_other_key_of_an_app_is_a_guests() -> None:
    """Reconciling keeps the rights of apps that appeared meanwhile, and no other ones."""
    etcd = OldEtcd("3.5.33", "/v3")
    access = Access(etcd)
    access.enforce()
    kept = ["/fleetcaptain/new/machines/*", "/fleetcaptain/new/restarts/*", "/fleetcaptain/new/services/*"]
    etcd.roles["guest"]["write"] = ["/fleetcaptain/*", "/fleetcaptain/new/_agent/*", "/fleetcaptain/new/current", *kept]
    access.enforce()
    assert etcd.roles["guest"]["write"] == kept
