"""Who may write which keys of etcd, once its authentication is on.

Without it whoever reaches etcd runs anything as root on every machine, as fleet does what is written below
``/_coreos.com/fleet``. With it there are three: etcd's superuser ``root``, who deploys; ``fleet``, for fleetd; and
``guest``, which is everybody without a certificate or password: units and containers. What etcd calls a user's name is
the common name of a client's certificate.

This is about the v2 API, in which fleet's keys and ours are. Of the v3 API see `fleetcaptain.machine.etcd_units`, and
for existing clusters `fleetcaptain.discovery.v3access`.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from fleetcaptain.discovery.keys import services_dir
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.net.http_request import Ask
from fleetcaptain.untrusted import Unreadable, json_object

__all__ = ["FLEET", "ROOT", "Access", "answered", "is_open_dir", "refused"]

ROOT, FLEET = "root", "fleet"
"""The users with a password or a certificate."""

_GUEST = "guest"
_FLEETS_KEYS = ("/_coreos.com/*",)
_APPS_KEYS = "/fleetcaptain/*"
_OK, _CREATED, _UNAUTHORIZED, _NOT_FOUND, _CONFLICT = 200, 201, 401, 404, 409
_DIRECTORY = re.compile(r"(?:/[A-Za-z0-9._-]+)+")
_CLOSED = ("_coreos.com", "fleetcaptain")


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
        found = self._get("/v2/keys/fleetcaptain")
        nodes = found["node"].get("nodes", ()) if found else ()
        return tuple(str(node["key"]).rpartition("/")[2] for node in nodes if node.get("dir"))

    def enforced(self) -> bool:
        """Whether etcd asks who a client is."""
        return (self._get("/v2/auth/enable") or {}).get("enabled") is True

    def guest(self) -> Mapping[str, list[str]]:
        """What guests may ``read`` and ``write``: patterns of keys, where ``*`` stands at the end only."""
        return _permissions(self._get(_role_path(_GUEST)))

    def enforce(self, open_dirs: Collection[str] = (), passwords: Mapping[str, str] | None = None) -> None:
        """Turn authentication on, or bring it to this: guests write the registrations of every app, and all below
        *open_dirs*; they read that, and everything of every app. *passwords*: those of `ROOT` and `FLEET`, for clusters
        without certificates."""
        given = passwords or {}
        self._role(FLEET, _FLEETS_KEYS, _FLEETS_KEYS)
        self._user(ROOT, (), given.get(ROOT, ""))
        self._user(FLEET, [FLEET], given.get(FLEET, ""))
        opened = [f"{directory}/*" for directory in open_dirs]
        self._role(_GUEST, [_APPS_KEYS, *opened], [*opened, *map(_registrations, self.apps())])
        # A guest that does not exist yet would be made here, with every right.
        self._done("PUT", "/v2/auth/enable", {}, also=_CONFLICT)

    def relax(self) -> None:
        """Turn authentication off, and remove what `enforce` made. What is off or gone already stays so."""
        if self.enforced():
            self._done("DELETE", "/v2/auth/enable", {})
        for path in (f"users/{FLEET}", f"users/{ROOT}", f"roles/{FLEET}", f"roles/{_GUEST}"):
            self._ask("DELETE", f"/v2/auth/{path}", "")

    def grant(self, app: str) -> None:
        """Let guests write the registrations of *app*, unless `registers`."""
        if self.registers(app) is False:
            self._change("grant", app)

    def revoke(self, app: str) -> None:
        """No longer let guests write the registrations of *app*, if `registers`."""
        if self.registers(app):
            self._change("revoke", app)

    def registers(self, app: str) -> bool | None:
        """Whether guests may write the registrations of *app*; None where that is not decided here: authentication is
        off, or an existing cluster has its own, and we are no superuser."""
        if not self.enforced():
            return None
        status, text = self._ask("GET", _role_path(_GUEST), "")
        if status == _UNAUTHORIZED:
            return None
        return _registrations(app) in _permissions(_found(_role_path(_GUEST), status, text)).get("write", ())

    def _change(self, verb: str, app: str) -> None:
        """Change this one pattern. Of two such requests at the same moment etcd may lose one: see `registers`."""
        change = {"role": _GUEST, verb: {"kv": {"write": [_registrations(app)]}}}
        self._done("PUT", _role_path(_GUEST), change, also=_CONFLICT)

    def _role(self, name: str, read: Iterable[str], write: Iterable[str]) -> None:
        """Give a role these patterns, and take all others, except registrations: apps come meanwhile."""
        wanted = {"read": set(read), "write": set(write)}
        path = _role_path(name)
        role = self._get(path)
        if role is None:
            new = {kind: sorted(patterns) for kind, patterns in wanted.items()}
            self._done("PUT", path, {"role": name, "permissions": {"kv": new}})
            return
        there = {kind: set(patterns) for kind, patterns in _permissions(role).items()}
        more = {kind: sorted(patterns - there.get(kind, set())) for kind, patterns in wanted.items()}
        other = {kind: there.get(kind, set()) - patterns for kind, patterns in wanted.items()}
        less = {kind: sorted(one for one in patterns if not _is_registrations(one)) for kind, patterns in other.items()}
        if any(more.values()) or any(less.values()):
            self._done("PUT", path, {"role": name, "grant": {"kv": more}, "revoke": {"kv": less}})

    def _user(self, name: str, roles: Collection[str], password: str) -> None:
        """A user with *password*, or with one that is known nowhere: a certificate is the way in then."""
        path = f"/v2/auth/users/{name}"
        if self._ask("GET", path, "")[0] == _NOT_FOUND:
            user = {"user": name, "password": password or secrets.token_urlsafe(32), "roles": list(roles)}
            self._done("PUT", path, user)
        elif password:
            self._done("PUT", path, {"user": name, "password": password})

    def _get(self, path: str) -> Mapping[str, Any] | None:
        return _found(path, *self._ask("GET", path, ""))

    def _done(self, method: str, path: str, body: Mapping[str, Any], also: int = _OK) -> None:
        status, text = self._ask(method, path, json.dumps(body))
        if status not in (_OK, _CREATED, also):
            raise refused(f"{method} {path}", status, text)


def answered(what: str, status: int, text: str) -> Mapping[str, Any]:
    """What etcd answered the request *what*, a JSON object. Raises FleetCaptainError for any other answer."""
    if status != _OK:
        raise refused(what, status, text)
    try:
        return json_object(text)
    except Unreadable as error:
        raise refused(what, status, str(error)) from error


def _found(path: str, status: int, text: str) -> Mapping[str, Any] | None:
    return None if status == _NOT_FOUND else answered(f"GET {path}", status, text)


def _role_path(role: str) -> str:
    return f"/v2/auth/roles/{role}"


def _permissions(role: Mapping[str, Any] | None) -> Mapping[str, list[str]]:
    """``read`` and ``write``: patterns of keys, where ``*`` stands at the end only."""
    found = ((role or {}).get("permissions") or {}).get("kv") or {}
    return {kind: patterns for kind, patterns in found.items() if isinstance(patterns, list)}


def _registrations(app: str) -> str:
    return f"{services_dir(app)}/*"


def _is_registrations(pattern: str) -> bool:
    app = pattern.removesuffix("/services/*").rpartition("/")[2]
    return pattern == _registrations(app)


def refused(what: str, status: int, text: str) -> FleetCaptainError:
    """The error that etcd answered the request *what* with this *status* and *text*."""
    return FleetCaptainError(
        f"etcd refuses {what} ({status or 'no answer'}): {text.strip()[:200]}. Who may write which of its keys is not "
        "settled. Run the same command again; if it fails again, look at `journalctl -u etcd` on the machines."
    )
