"""Decides which failed calls are repeated, and when. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["DROPPED", "UNAVAILABLE", "Retry", "pause_before_next", "repeatable"]

DROPPED = 0
UNAVAILABLE = 503
_FAULTS = (DROPPED, 500)


@dataclass(frozen=True)
class Retry:
    """The limits: *fault_tries* dropped connections and errors 500, or *restart_sec* seconds of 503.

    503 has its own limit: after a crash fleetd answers it until its old key in etcd has expired, 30 s by default.
    """

    fault_tries: int = 5
    restart_sec: float = 45


def repeatable(method: str, body: Mapping[str, Any] | None) -> bool:
    """Whether a call that may have succeeded can be repeated with the same outcome.

    A PUT without a desired state cannot: if it replaced a text, fleet refuses it the second time.
    """
    return method in ("GET", "DELETE") or (method == "PUT" and "desiredState" in (body or {}))


def pause_before_next(failures: Sequence[int], retry: Retry) -> float | None:
    """Seconds to wait before the next try, None for no further try.

    *failures* are the HTTP statuses of all tries so far, including the last (`DROPPED`: no answer).
    """
    last = failures[-1]
    if last == UNAVAILABLE:
        pauses = [_pause(number) for number in range(failures.count(UNAVAILABLE))]
        return pauses[-1] if sum(pauses) <= retry.restart_sec else None
    if last in _FAULTS:
        faults = sum(status in _FAULTS for status in failures)
        return _pause(faults - 1) if faults < retry.fault_tries else None
    return None


def _pause(number: int) -> float:
    return min(4.0, 0.5 * 2.0**number)
