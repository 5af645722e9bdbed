"""HTTP to fleet's API: time-outs, repeated tries, and errors that say what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from fleetcaptain.errors import ClusterUnreachable, FleetApiError
from fleetcaptain.fleet.retry import Retry, pause_before

__all__ = ["Transport"]

_CONNECT_SEC = 5
_READ_SEC = 20
_NOT_FOUND = 404
_ERROR = 400


class Transport:
    """Calls below ``/fleet/v1``. *base_url* is asked before each try, so that a broken tunnel can be replaced.

    Every call that FleetCaptain makes may be made twice: it always sends the whole desired state.
    Safe to share between threads.
    """

    def __init__(
        self,
        base_url: Callable[[], str],
        retry: Retry | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base_url = base_url
        self._retry = retry or Retry()
        self._sleep = sleep
        self._session = requests.Session()
        # A proxy of the environment must never see the cluster's API.
        self._session.trust_env = False

    def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> requests.Response | None:
        """The answer, or None for 404.

        Raises ClusterUnreachable when nothing answers, FleetApiError when fleet refuses.
        """
        attempt, waited = 0, 0.0
        while True:
            attempt += 1
            response, problem = self._once(method, path, params, body)
            status = response.status_code if response is not None else 0
            if response is not None and status < _ERROR:
                return response
            if status == _NOT_FOUND:
                return None
            pause = pause_before(attempt, status, waited, self._retry)
            if pause is None:
                raise _error(method, path, response, problem, attempt)
            self._sleep(pause)
            waited += pause

    def _once(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Any
    ) -> tuple[requests.Response | None, str]:
        url = f"{self._base_url()}/fleet/v1{path}"
        try:
            timeout = (_CONNECT_SEC, _READ_SEC)
            return self._session.request(method, url, params=params, json=body, timeout=timeout), ""
        except requests.RequestException as error:
            return None, str(error)


def _error(method: str, path: str, response: requests.Response | None, problem: str, attempt: int) -> Exception:
    if response is None:
        return ClusterUnreachable(
            f"fleet does not answer ({method} {path}, {attempt} tries): {problem}. Is fleet.service running on the "
            "machines? Look with `systemctl status fleet`, then run the same command again."
        )
    said = _message(response)
    advice = {
        500: "fleetd's own log says more: `journalctl -u fleet` on the machines.",
        503: "fleetd cannot reach etcd: look for a quorum with `etcdctl endpoint health` on the machines.",
    }.get(response.status_code, "This is a request that fleet will not take; nothing was changed by it.")
    return FleetApiError(
        f"fleet answered {response.status_code} to {method} {path}: {said}. {advice}", response.status_code
    )


def _message(response: requests.Response) -> str:
    """fleet's own words; they are often empty."""
    try:
        return str(response.json()["error"]["message"]) or "no reason given"
    except (ValueError, KeyError, TypeError):
        return response.text.strip()[:200] or "no reason given"
