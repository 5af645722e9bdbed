"""Authentication of etcd's v3 API over HTTP, on existing clusters.

There every client of etcd also has the v3 API, and could add members through it. The superuser becomes its only user.
While authentication is on, the v2 API changes no members for any user (etcd 3.5).
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
# Its answer to a request without a token once authentication is on (etcd's v3rpc/rpctypes/error.go).
_ON = "user name is empty"
_OK, _NOT_FOUND = 200, 404


class V3Access:
    """Manages the v3 API's authentication through *ask*. Raises FleetCaptainError when etcd refuses a request."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def enforced(self) -> bool | None:
        """Whether it requires a login; None when etcd has no v3 API."""
        api = self._api()
        if api is None:
            return None
        status, text = self._ask("POST", f"{api}/auth/user/list", "{}")
        if status != _OK and _ON not in text:
            raise refused(f"POST {api}/auth/user/list", status, text)
        return status != _OK

    def enforce(self, password: str) -> None:
        """Turn it on, with *password* for the superuser. May be repeated: etcd refuses steps that are already done."""
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
        """Turn it off and remove the user and role of `enforce`. *bearing* returns an `Ask` that sends a token. May be
        repeated."""
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
        """The path of the v3 API; None for an etcd without one. Raises FleetCaptainError when etcd has a v3 API that
        HTTP does not reach: it would stay open."""
        for api in _APIS:
            if self._ask("POST", f"{api}/auth/user/list", "{}")[0] != _NOT_FOUND:
                return api
        version = str(self._answer("GET", "/version", "").get("etcdserver", ""))
        if version.startswith("2."):
            return None
        raise FleetCaptainError(
            f"Cannot close the v3 API of etcd {version[:20]}: it does not answer over HTTP. Through it every container "
            "could add members. Update etcd to 3.5, or start it with --enable-grpc-gateway=true, then run the same "
            "command again."
        )

    def _token(self, api: str, password: str) -> str:
        """A token of `ROOT`."""
        body = json.dumps({"name": ROOT, "password": password})
        return str(self._answer("POST", f"{api}/auth/authenticate", body).get("token", ""))

    def _answer(self, method: str, path: str, body: str) -> Mapping[str, Any]:
        return answered(f"{method} {path}", *self._ask(method, path, body))
