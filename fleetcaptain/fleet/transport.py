"""HTTP to fleet's API: time-outs, repeated tries, and errors that say what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import BaseAdapter

from fleetcaptain.errors import ClusterUnreachable, FleetApiError
from fleetcaptain.fleet.retry import DROPPED, UNAVAILABLE, Retry, pause_before_next, repeatable

__all__ = ["Answer", "Transport"]

_CONNECT_SEC = 5
_READ_SEC = 10
_NOT_FOUND = 404
_ERROR = 400
_ADVICE = {
    500: "Look for the reason with `journalctl -u fleet` on the machines, then run the same command again.",
    UNAVAILABLE: "Look for etcd's quorum with `etcdctl endpoint health` on the machines, then run the same command "
    "again when it has one.",
}


@dataclass(frozen=True)
class Answer:
    """What fleet answered: the JSON object, empty where there is none, and its ``Server`` header."""

    data: Mapping[str, Any]
    server: str


class Transport:
    """Calls below ``/fleet/v1``. Safe to share between threads.

    *base_url* is asked before each try, so that a try after a fault may go another way. *leave* is told the address
    from which no answer came, so that there is another way. *adapter* carries the requests, if not TCP.
    """

    def __init__(
        self,
        base_url: Callable[[], str],
        retry: Retry | None = None,
        sleep: Callable[[float], None] = time.sleep,
        leave: Callable[[str], None] = lambda _url: None,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self._base_url = base_url
        self._retry = retry or Retry()
        self._sleep = sleep
        self._leave = leave
        self._session = requests.Session()
        # A proxy of the environment must never see the cluster's API.
        self._session.trust_env = False
        if adapter is not None:
            self._session.mount("http://", adapter)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer | None:
        """The answer, or None for 404.

        Raises ClusterUnreachable when nothing answers, FleetApiError when fleet refuses or does not recover.
        """
        failures: list[int] = []
        while True:
            base = self._base_url()
            response, problem = self._once(method, f"{base}/fleet/v1{path}", params, body)
            status = DROPPED if response is None else response.status_code
            if response is not None and status < _ERROR:
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
        self, method: str, url: str, params: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> tuple[requests.Response | None, str]:
        try:
            timeout = (_CONNECT_SEC, _READ_SEC)
            return self._session.request(method, url, params=params, json=body, timeout=timeout), ""
        except requests.ConnectTimeout:
            return None, f"no connection within {_CONNECT_SEC} s"
        except requests.ReadTimeout:
            return None, f"no answer within {_READ_SEC} s"
        except requests.RequestException as error:
            return None, _cause(error)


def _answer(method: str, path: str, response: requests.Response) -> Answer:
    server = response.headers.get("Server", "")
    if not response.content:
        return Answer({}, server)
    try:
        data = response.json()
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise FleetApiError(
            f"what answers {method} {path} is not fleet: it says {response.text.strip()[:60]!r}. Check the cluster's "
            "address, then run the same command again.",
            response.status_code,
        )
    return Answer(data, server)


def _error(what: str, base: str, response: requests.Response | None, problem: str, tries: int) -> Exception:
    often = "once" if tries == 1 else f"{tries} times"
    if response is None:
        return ClusterUnreachable(
            f"fleet does not answer ({what} at {base}, tried {often}): {problem}. Is fleet running? Look with "
            "`systemctl status fleet` on the machines, then run the same command again."
        )
    status = response.status_code
    advice = _ADVICE.get(status, "fleet will not take this request, and did nothing.")
    return FleetApiError(f"fleet answered {what} with {status} ({_said(response)}; tried {often}). {advice}", status)


def _said(response: requests.Response) -> str:
    """fleet's own words; they are often empty."""
    try:
        return str(response.json()["error"]["message"]) or "no reason given"
    except (ValueError, KeyError, TypeError):
        return response.text.strip()[:200] or "no reason given"


def _cause(error: BaseException) -> str:
    """The innermost reason: what requests says around it repeats the address three times."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error)
