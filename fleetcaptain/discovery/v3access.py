"""Authentication of etcd's v3 API over HTTP, on clusters that others made.

There whoever reaches etcd has that API as well, and could add members by it. The superuser is the only user that it is
given. While it is on, the v2 API changes no members, whoever asks (etcd 3.5).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from fleetcaptain.discovery.access import ROOT, answered, refused
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.net.http_request import Ask

__all__ = ["V3Access"]

# etcd 3.2 has the last one, 3.3 the last two, 3.4 and later the first.
_APIS = ("/v3", "/v3beta", "/v3alpha")
# What it answers to a request without a token, once authentication is on (etcd's v3rpc/rpctypes/error.go).
_ON = "user name is empty"
_OK, _NOT_FOUND = 200, 404


class V3Access:
    """The v3 API's authentication, by way of *ask*. Raises FleetCaptainError for what etcd refuses."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def enforced(self) -> bool | None:
        """Whether it requires a login; None when etcd has no such API."""
        api = self._api()
        if api is None:
            return None
        status, text = self._ask("POST", f"{api}/auth/user/list", "{}")
        if status != _OK and _ON not in text:
            raise refused(f"POST {api}/auth/user/list", status, text)
        return status != _OK

    def enforce(self, password: str) -> None:
        """Turn it on, with *password* for the superuser. Steps that were done before are refused, and so is every step
        once the last one is done."""
        api = self._api()
        if api is None:
            return
        steps: list[tuple[str, Mapping[str, Any]]] = [
            ("role/add", {"name": ROOT}),
            ("user/add", {"name": ROOT, "password": password}),
            ("user/grant", {"user": ROOT, "role": ROOT}),
            ("user/changepw", {"name": ROOT, "password": password}),
        ]
        for path, body in steps:
            self._ask("POST", f"{api}/auth/{path}", json.dumps(body))
        status, text = self._ask("POST", f"{api}/auth/enable", "{}")
        if status != _OK and _ON not in text:
            raise refused(f"POST {api}/auth/enable", status, text)

    def relax(self, password: str, bearing: Callable[[str], Ask]) -> None:
        """Turn it off, and remove what `enforce` made. *bearing* gives what asks with a token. What is off or gone
        already stays so."""
        api = self._api()
        if api is None:
            return
        if self.enforced():
            status, text = bearing(self._token(api, password))("POST", f"{api}/auth/disable", "{}")
            if status != _OK:
                raise refused(f"POST {api}/auth/disable", status, text)
        self._ask("POST", f"{api}/auth/user/delete", json.dumps({"name": ROOT}))
        self._ask("POST", f"{api}/auth/role/delete", json.dumps({"role": ROOT}))

    def _api(self) -> str | None:
        """Where it answers; None for an etcd that has none. Raises FleetCaptainError for one whose v3 API is out of
        reach, and so would stay open."""
        for api in _APIS:
            if self._ask("POST", f"{api}/auth/user/list", "{}")[0] != _NOT_FOUND:
                return api
        version = str(self._answer("GET", "/version", "").get("etcdserver", ""))
        if version.startswith("2."):
            return None
        raise FleetCaptainError(
            f"etcd {version[:20]} does not answer its v3 API over HTTP, so that API cannot be closed, and by it every "
            "container could add members. Update etcd to 3.5, or start it with --enable-grpc-gateway=true, then run "
            "the same command again."
        )

    def _token(self, api: str, password: str) -> str:
        """What `ROOT` asks with."""
        body = json.dumps({"name": ROOT, "password": password})
        return str(self._answer("POST", f"{api}/auth/authenticate", body).get("token", ""))

    def _answer(self, method: str, path: str, body: str) -> Mapping[str, Any]:
        return answered(f"{method} {path}", *self._ask(method, path, body))
