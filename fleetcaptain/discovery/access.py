"""Who may write which keys of etcd, once its authentication is on.

Without it whoever reaches etcd runs anything as root on every machine, as fleet does what is written below
``/_coreos.com/fleet``. With it there are three: etcd's superuser ``root``, who deploys; ``fleet``, for fleetd; and
``guest``, which is everybody without a certificate or password: units and containers. What etcd calls a user's name is
the common name of a client's certificate.

Both APIs are closed: a guest of the v3 API could add members to the cluster.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from fleetcaptain.discovery.keys import services_dir
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.net.ask import Ask
from fleetcaptain.untrusted import Unreadable, json_object

__all__ = ["FLEET", "GUEST", "ROOT", "Access", "is_open_dir"]

ROOT, FLEET = "root", "fleet"
"""The users with a password or a certificate."""

GUEST = "guest"
"""The role of everybody else."""

_FLEETS_KEYS = ("/_coreos.com/*",)
_APPS_KEYS = "/fleetcaptain/*"
_OK, _CREATED, _NOT_FOUND, _CONFLICT = 200, 201, 404, 409
_DIRECTORY = re.compile(r"(?:/[A-Za-z0-9._-]+)+")
_CLOSED = ("_coreos.com", "fleetcaptain")
# etcd 3.2 has the last one, 3.3 the last two, 3.4 and later the first.
_V3_APIS = ("/v3", "/v3beta", "/v3alpha")
# What the v3 API answers without a certificate and with one, once its authentication is on: over HTTP it takes no
# certificate for a name (etcd's v3rpc/rpctypes/error.go, auth/store.go).
_V3_ON = ("user name is empty", "CommonName of client")


def is_open_dir(directory: str) -> bool:
    """Whether *directory* is of the form ``/directory`` and may be open to guests: not fleet's, not FleetCaptain's."""
    return bool(_DIRECTORY.fullmatch(directory)) and directory.split("/")[1] not in _CLOSED and "/." not in directory


class Access:
    """etcd's authentication, by way of *ask*, whose requests are the superuser's once it is on.

    Raises FleetCaptainError for what etcd refuses.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def apps(self) -> tuple[str, ...]:
        """The apps that etcd has something of."""
        status, text = self._ask("GET", "/v2/keys/fleetcaptain", "")
        if status == _NOT_FOUND:
            return ()
        nodes = self._read("/v2/keys/fleetcaptain", status, text)["node"].get("nodes", ())
        return tuple(str(node["key"]).rpartition("/")[2] for node in nodes if node.get("dir"))

    def enforced(self) -> bool:
        """Whether the v2 API, in which fleet's keys and ours are, requires a login."""
        return self._get("enable").get("enabled") is True

    def v3_enforced(self) -> bool | None:
        """Whether the v3 API requires a login; None when etcd has no such API."""
        api = self._v3_api()
        if api is None:
            return None
        status, text = self._ask("POST", f"{api}/auth/user/list", "{}")
        if status != _OK and not _is_v3_on(text):
            raise _refused(f"POST {api}/auth/user/list", status, text)
        return status != _OK

    def guest(self) -> Mapping[str, list[str]]:
        """What guests may ``read`` and ``write``: patterns of keys, where ``*`` stands at the end only."""
        return self._permissions(GUEST)

    def enforce(self, open_dirs: Collection[str] = (), passwords: Mapping[str, str] | None = None) -> None:
        """Turn authentication on, or bring it to this: guests write the registrations of every app, and all below
        *open_dirs*; they read that, and everything of every app. *passwords*: those of `ROOT` and `FLEET`, for clusters
        without certificates."""
        given = passwords or {}
        self._role(FLEET, _FLEETS_KEYS, _FLEETS_KEYS)
        self._user(ROOT, password=given.get(ROOT, ""))
        self._user(FLEET, [FLEET], given.get(FLEET, ""))
        opened = [f"{directory}/*" for directory in open_dirs]
        kept = [pattern for pattern in self._permissions(GUEST).get("write", ()) if _is_registrations(pattern)]
        self._role(GUEST, [_APPS_KEYS, *opened], [*opened, *kept, *map(_registrations, self.apps())])
        self._enforce_v3(given.get(ROOT, ""))
        # A guest that does not exist yet would be made here, with every right.
        self._done("PUT", "/v2/auth/enable", {}, also=_CONFLICT)

    def relax(self, password: str, bearing: Callable[[str], Ask]) -> None:
        """Turn authentication off, and remove what `enforce` made. *password* is the superuser's; *bearing* gives what
        asks with a token of the v3 API. What is off or gone already stays so."""
        api = self._v3_api()
        if api is not None and self.v3_enforced():
            status, text = bearing(self._token(api, password))("POST", f"{api}/auth/disable", "{}")
            if status != _OK:
                raise _refused(f"POST {api}/auth/disable", status, text)
        if self.enforced():
            self._done("DELETE", "/v2/auth/enable", {})
        # Each may be gone already.
        for path in (f"users/{FLEET}", f"users/{ROOT}", f"roles/{FLEET}", f"roles/{GUEST}"):
            self._ask("DELETE", f"/v2/auth/{path}", "")
        if api is not None:
            self._ask("POST", f"{api}/auth/user/delete", json.dumps({"name": ROOT}))
            self._ask("POST", f"{api}/auth/role/delete", json.dumps({"role": ROOT}))

    def grant(self, app: str) -> None:
        """Let guests write the registrations of *app*, if authentication is on."""
        self._change("grant", app)

    def revoke(self, app: str) -> None:
        """No longer let guests write the registrations of *app*, if authentication is on."""
        self._change("revoke", app)

    def _change(self, verb: str, app: str) -> None:
        """etcd applies the one difference itself, so that two deployments at once lose none."""
        if not self.enforced():
            return
        pattern = _registrations(app)
        if (pattern in self._permissions(GUEST).get("write", ())) is not (verb == "grant"):
            self._done("PUT", f"/v2/auth/roles/{GUEST}", {"role": GUEST, verb: {"kv": {"write": [pattern]}}})

    def _role(self, name: str, read: Iterable[str], write: Iterable[str]) -> None:
        wanted = {"read": sorted(set(read)), "write": sorted(set(write))}
        path = f"/v2/auth/roles/{name}"
        if self._ask("GET", path, "")[0] == _NOT_FOUND:
            self._done("PUT", path, {"role": name, "permissions": {"kv": wanted}})
            return
        there = self._permissions(name)
        more = {kind: sorted(set(patterns) - set(there.get(kind, ()))) for kind, patterns in wanted.items()}
        less = {kind: sorted(set(there.get(kind, ())) - set(patterns)) for kind, patterns in wanted.items()}
        if any(more.values()) or any(less.values()):
            self._done("PUT", path, {"role": name, "grant": {"kv": more}, "revoke": {"kv": less}})

    def _permissions(self, role: str) -> Mapping[str, list[str]]:
        """``read`` and ``write``: patterns of keys, where ``*`` stands at the end only."""
        found = (self._get(f"roles/{role}").get("permissions") or {}).get("kv") or {}
        return {kind: patterns for kind, patterns in found.items() if isinstance(patterns, list)}

    def _user(self, name: str, roles: Collection[str] = (), password: str = "") -> None:
        """A user with *password*, or with one that is known nowhere: a certificate is the way in then."""
        path = f"/v2/auth/users/{name}"
        if self._ask("GET", path, "")[0] == _NOT_FOUND:
            user = {"user": name, "password": password or secrets.token_urlsafe(32), "roles": list(roles)}
            self._done("PUT", path, user)
        elif password:
            self._done("PUT", path, {"user": name, "password": password})

    def _enforce_v3(self, password: str) -> None:
        """No user but the superuser, who comes by *password* or its certificate. Steps that were done before are
        refused, and so is every step by a guest once the last one is done."""
        api = self._v3_api()
        if api is None:
            return
        user = {"password": password} if password else {"options": {"no_password": True}}
        steps: list[tuple[str, Mapping[str, Any]]] = [
            ("role/add", {"name": ROOT}),
            ("user/add", {"name": ROOT, **user}),
            ("user/grant", {"user": ROOT, "role": ROOT}),
        ]
        if password:
            steps.append(("user/changepw", {"name": ROOT, "password": password}))
        for path, body in steps:
            self._ask("POST", f"{api}/auth/{path}", json.dumps(body))
        status, text = self._ask("POST", f"{api}/auth/enable", "{}")
        if status != _OK and not _is_v3_on(text):
            raise _refused(f"POST {api}/auth/enable", status, text)

    def _v3_api(self) -> str | None:
        """Where the v3 API answers over HTTP; None for an etcd that has none. Raises FleetCaptainError for one whose v3
        API is out of reach, and so would stay open."""
        for api in _V3_APIS:
            if self._ask("POST", f"{api}/auth/user/list", "{}")[0] != _NOT_FOUND:
                return api
        status, text = self._ask("GET", "/version", "")
        version = str(self._read("/version", status, text).get("etcdserver", ""))
        if version.startswith("2."):
            return None
        raise FleetCaptainError(
            f"etcd {version[:20]} does not answer its v3 API over HTTP, so that API cannot be closed, and by it every "
            "container could add members. Update etcd to 3.5, or start it with --enable-grpc-gateway=true, then run "
            "the same command again."
        )

    def _token(self, api: str, password: str) -> str:
        """What `ROOT` asks the v3 API with."""
        path = f"{api}/auth/authenticate"
        status, text = self._ask("POST", path, json.dumps({"name": ROOT, "password": password}))
        return str(self._read(path, status, text).get("token", ""))

    def _get(self, path: str) -> Mapping[str, Any]:
        status, text = self._ask("GET", f"/v2/auth/{path}", "")
        return {} if status == _NOT_FOUND else self._read(f"/v2/auth/{path}", status, text)

    def _read(self, path: str, status: int, text: str) -> Mapping[str, Any]:
        if status != _OK:
            raise _refused(f"GET {path}", status, text)
        try:
            return json_object(text)
        except Unreadable as error:
            raise _refused(f"GET {path}", status, str(error)) from error

    def _done(self, method: str, path: str, body: Mapping[str, Any], also: int = _OK) -> None:
        status, text = self._ask(method, path, json.dumps(body))
        if status not in (_OK, _CREATED, also):
            raise _refused(f"{method} {path}", status, text)


def _is_v3_on(refusal: str) -> bool:
    return any(sign in refusal for sign in _V3_ON)


def _registrations(app: str) -> str:
    return f"{services_dir(app)}/*"


def _is_registrations(pattern: str) -> bool:
    app = pattern.removesuffix("/services/*").rpartition("/")[2]
    return pattern == _registrations(app)


def _refused(what: str, status: int, text: str) -> FleetCaptainError:
    return FleetCaptainError(
        f"etcd refuses {what} ({status or 'no answer'}): {text.strip()[:200]}. Who may write which of its keys is not "
        "as wanted. Run the same command again; if it fails again, look at `journalctl -u etcd` on the machines."
    )
