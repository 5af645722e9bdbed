"""HTTP to fleet's API: timeouts, retries, and errors with a remedy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import requests
from requests.adapters import BaseAdapter

from fleetcaptain.errors import ClusterUnreachable, FleetApiError
from fleetcaptain.fleet.retry import DROPPED, UNAVAILABLE, Retry, pause_before_next, repeatable
from fleetcaptain.net.body import CHUNK_BYTES, read_body
from fleetcaptain.net.pools import LOCAL_URL, UnixAdapter, socket_of

__all__ = ["Answer", "Transport"]

_CONNECT_SEC = 5
_READ_SEC = 10
_NOT_FOUND = 404
_REDIRECT = 300
_ADVICE = {
    500: "Look for the reason with `journalctl -u fleet` on the machines, then run the same command again.",
    UNAVAILABLE: "Check etcd's quorum with `etcdctl endpoint health` on the machines, then run the same command again "
    "when it has one.",
}


@dataclass(frozen=True)
class Answer:
    """fleet's answer: the JSON object, empty if there is none, and the ``Server`` header."""

    data: Mapping[str, Any]
    server: str


@dataclass(frozen=True)
class _Response:
    """A raw response: the *status*, the ``Server`` header and the body."""

    status: int
    server: str
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace").strip()


class Transport:
    """Calls below ``/fleet/v1``. Safe to share between threads.

    *base_url* returns ``http://<host>:<port>`` or ``unix://<path of a socket>`` before each try, so that a retry can
    use another address. *mark_unreachable* gets each address that did not answer. *adapter* carries the requests
    instead of TCP or a socket.
    """

    def __init__(
        self,
        base_url: Callable[[], str],
        retry: Retry | None = None,
        sleep: Callable[[float], None] = time.sleep,
        mark_unreachable: Callable[[str], None] = lambda _url: None,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self._base_url = base_url
        self._retry = retry or Retry()
        self._sleep = sleep
        self._leave = mark_unreachable
        self._adapter = adapter
        # The session of another address ends with its last call.
        self._session_to = lru_cache(maxsize=1)(self._new_session)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer | None:
        """The answer, or None for 404.

        Raises ClusterUnreachable without an answer or for one that is too long; FleetApiError when fleet refuses,
        redirects or does not recover.
        """
        failures: list[int] = []
        while True:
            base = self._base_url()
            response, problem = self._once(base, method, path, params, body)
            status = DROPPED if response is None else response.status
            if response is not None and status < _REDIRECT:
                return _answer(method, path, response)
            if status == _NOT_FOUND:
                return None
            failures.append(status)
            if status in (DROPPED, UNAVAILABLE):
                self._leave(base)
            pause = pause_before_next(failures, self._retry) if repeatable(method, body) else None
            if pause is None:
                raise _error(f"{method} {path}", base, response, problem, len(failures))
            self._sleep(pause)

    def _once(
        self, base: str, method: str, path: str, params: Mapping[str, str] | None, sent: Mapping[str, Any] | None
    ) -> tuple[_Response | None, str]:
        url = f"{LOCAL_URL if socket_of(base) else base}/fleet/v1{path}"
        timeout = (_CONNECT_SEC, _READ_SEC)
        try:
            with self._session_to(base).request(
                method, url, params=params, json=sent, timeout=timeout, allow_redirects=False, stream=True
            ) as response:
                content = read_body(response.iter_content(CHUNK_BYTES), f"{method} {path} of fleet")
                return _Response(response.status_code, response.headers.get("Server", ""), content), ""
        except requests.ConnectTimeout:
            return None, f"no connection within {_CONNECT_SEC} s"
        except requests.ReadTimeout:
            return None, f"no answer within {_READ_SEC} s"
        except requests.RequestException as error:
            return None, _cause(error)

    def _new_session(self, base: str) -> requests.Session:
        session = requests.Session()
        # A proxy of the environment must never see the cluster's API.
        session.trust_env = False
        path = socket_of(base)
        adapter = self._adapter or (UnixAdapter(path) if path else None)
        if adapter is not None:
            session.mount("http://", adapter)
        return session


def _answer(method: str, path: str, response: _Response) -> Answer:
    if not response.content:
        return Answer({}, response.server)
    try:
        data = json.loads(response.content)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise FleetApiError(
            f"{method} {path} failed: the server is not fleet, it answered {response.text[:60]!r}. Check the cluster's "
            "address, then run the same command again.",
            response.status,
        )
    return Answer(data, response.server)


def _error(what: str, base: str, response: _Response | None, problem: str, tries: int) -> Exception:
    often = "once" if tries == 1 else f"{tries} times"
    if response is None:
        return ClusterUnreachable(
            f"fleet does not answer ({what} at {base}, tried {often}): {problem}. Check `systemctl status fleet` on "
            "the machines, then run the same command again."
        )
    status = response.status
    advice = _ADVICE.get(status, "fleet refused this request and changed nothing.")
    message = f"fleet answered {what} with {status} ({_message_of(response)}; tried {often}). {advice}"
    return FleetApiError(message, status)


def _message_of(response: _Response) -> str:
    """fleet's error message, which is often empty."""
    try:
        return str(json.loads(response.content)["error"]["message"])[:200] or "no reason given"
    except (ValueError, KeyError, TypeError, RecursionError):
        return response.text[:200] or "no reason given"


def _cause(error: BaseException) -> str:
    """The message of the innermost error: those of requests around it repeat the address three times."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error)
