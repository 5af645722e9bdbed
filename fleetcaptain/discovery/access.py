"""Authentication and access rights of etcd's v2 API, which holds the keys of fleet and FleetCaptain.

Without authentication every client of etcd can run anything as root on every machine, since fleet runs what is written
below ``/_coreos.com/fleet``. With it there are three users: etcd's superuser ``root``, who deploys; ``fleet``, for
fleetd; and ``guest``, every client without a certificate or password, such as units and containers. etcd takes the
user's name from the common name of the client's certificate.

For the v3 API see `fleetcaptain.machine.etcd_units`, and for existing clusters `fleetcaptain.discovery.v3access`.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from fleetcaptain.discovery.keys import machines_dir, restarts_dir, services_dir
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
    """Whether *directory* has the form ``/directory`` and may be open to guests: not fleet's, not FleetCaptain's."""
    return bool(_DIRECTORY.fullmatch(directory)) and directory.split("/")[1] not in _CLOSED and "/." not in directory


class Access:
    """Manages etcd's authentication. *ask* sends the requests, as the superuser once authentication is on.

    Raises FleetCaptainError when etcd refuses a request.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def apps(self) -> tuple[str, ...]:
        """The apps that have keys in etcd."""
        found = self._get("/v2/keys/fleetcaptain")
        nodes = found["node"].get("nodes", ()) if found else ()
        return tuple(str(node["key"]).rpartition("/")[2] for node in nodes if node.get("dir"))

    def enforced(self) -> bool:
        """Whether authentication is on."""
        return (self._get("/v2/auth/enable") or {}).get("enabled") is True

    def guest(self) -> Mapping[str, list[str]]:
        """What guests may ``read`` and ``write``: key patterns, with ``*`` at the end only."""
        return _permissions(self._get(_role_path(_GUEST)))

    def enforce(self, open_dirs: Collection[str] = (), passwords: Mapping[str, str] | None = None) -> None:
        """Turn authentication on, or reconcile it: guests write the registrations of every app and everything below
        *open_dirs*; they read these and everything of every app. *passwords*: those of `ROOT` and `FLEET`, for clusters
        without certificates."""
        given = passwords or {}
        self._role(FLEET, _FLEETS_KEYS, _FLEETS_KEYS)
        self._user(ROOT, (), given.get(ROOT, ""))
        self._user(FLEET, [FLEET], given.get(FLEET, ""))
        opened = [f"{directory}/*" for directory in open_dirs]
        self._role(_GUEST, [_APPS_KEYS, *opened], [*opened, *(key for app in self.apps() for key in _guests_keys(app))])
        # etcd itself would create a missing guest here, with every right.
        self._done("PUT", "/v2/auth/enable", {}, also=_CONFLICT)

    def relax(self) -> None:
        """Turn authentication off and remove the users and roles of `enforce`. May be repeated."""
        if self.enforced():
            self._done("DELETE", "/v2/auth/enable", {})
        for path in (f"users/{FLEET}", f"users/{ROOT}", f"roles/{FLEET}", f"roles/{_GUEST}"):
            self._ask("DELETE", f"/v2/auth/{path}", "")

    def grant(self, app: str) -> None:
        """Let guests write the registrations and heartbeats of *app*, unless they may already."""
        granted = self._granted(app)
        if granted is not None:
            self._change("grant", set(_guests_keys(app)) - granted)

    def revoke(self, app: str) -> None:
        """Revoke the guests' rights of `grant`, if they have them."""
        self._change("revoke", self._granted(app) or set())

    def registers(self, app: str) -> bool | None:
        """Whether guests may write the registrations and heartbeats of *app*; None where it cannot be known:
        authentication is off, or an existing cluster has its own and this connection is not the superuser's."""
        granted = self._granted(app)
        return None if granted is None else granted == set(_guests_keys(app))

    def _granted(self, app: str) -> set[str] | None:
        """The patterns of *app* that guests may write; None where it cannot be known."""
        if not self.enforced():
            return None
        status, text = self._ask("GET", _role_path(_GUEST), "")
        if status == _UNAUTHORIZED:
            return None
        granted = _permissions(_found(_role_path(_GUEST), status, text)).get("write", ())
        return set(_guests_keys(app)) & set(granted)

    def _change(self, verb: str, patterns: Collection[str]) -> None:
        """etcd refuses a change as a whole if one of the patterns has the right already, or has it not; and it may lose
        one of two concurrent requests: check with `registers`."""
        if patterns:
            change = {"role": _GUEST, verb: {"kv": {"write": sorted(patterns)}}}
            self._done("PUT", _role_path(_GUEST), change, also=_CONFLICT)

    def _role(self, name: str, read: Iterable[str], write: Iterable[str]) -> None:
        """Grant a role these patterns and revoke all others except registrations: new apps may appear meanwhile."""
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
        less = {kind: sorted(one for one in patterns if not _is_guests_key(one)) for kind, patterns in other.items()}
        if any(more.values()) or any(less.values()):
            self._done("PUT", path, {"role": name, "grant": {"kv": more}, "revoke": {"kv": less}})

    def _user(self, name: str, roles: Collection[str], password: str) -> None:
        """Create or update a user with *password*; without one, with a random password for login by certificate."""
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
    """Parse etcd's answer to the request *what*, a JSON object. Raises FleetCaptainError for any other answer."""
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
    """``read`` and ``write``: key patterns, with ``*`` at the end only."""
    found = ((role or {}).get("permissions") or {}).get("kv") or {}
    return {kind: patterns for kind, patterns in found.items() if isinstance(patterns, list)}


def _guests_keys(app: str) -> tuple[str, ...]:
    """The patterns of what containers and machine agents write: registrations, and what keeps them true."""
    return tuple(f"{directory}/*" for directory in (services_dir(app), machines_dir(app), restarts_dir(app)))


def _is_guests_key(pattern: str) -> bool:
    return pattern in _guests_keys(pattern.split("/")[2] if pattern.count("/") > 1 else "")


def refused(what: str, status: int, text: str) -> FleetCaptainError:
    """The error for the request *what*, which etcd answered with *status* and *text*."""
    return FleetCaptainError(
        f"etcd refused {what} ({status or 'no answer'}): {text.strip()[:200]}. The access rights of its keys may be "
        "incomplete. Run the same command again; if it fails again, look at `journalctl -u etcd` on the machines."
    )
