"""Which failed calls are made again, and when. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Retry", "pause_before"]

_DROPPED = 0
_UNAVAILABLE = 503
_SERVER_ERROR = 500


@dataclass(frozen=True)
class Retry:
    """How long to go on: *faults_sec* for dropped connections and errors of the server, *restart_sec* for 503.

    After a crash fleetd answers 503 until its old key in etcd has expired, which takes 30 s by default.
    """

    faults_sec: float = 15
    restart_sec: float = 60


def pause_before(attempt: int, status: int, waited: float, retry: Retry) -> float | None:
    """Seconds to wait before trying again after the *attempt*-th try (from 1) ended with *status* (0: no answer).

    None when trying again is of no use, or *waited* seconds are enough.
    """
    if status == _UNAVAILABLE:
        limit = retry.restart_sec
    elif status in (_DROPPED, _SERVER_ERROR):
        limit = retry.faults_sec
    else:
        return None
    pause = float(min(4.0, 0.25 * 2.0**attempt))
    return pause if waited + pause <= limit else None
