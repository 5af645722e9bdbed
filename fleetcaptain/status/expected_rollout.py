"""How long a rollout under way takes by the records of earlier ones, and how much of that is left. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fleetcaptain.discovery.documents import ServiceRelease
from fleetcaptain.history.duration import format_duration
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.rollout.expected_duration import ExpectedUpdate, expected_sec
from fleetcaptain.rollout.model import parallel
from fleetcaptain.status.ages import seconds_between

__all__ = ["expected_rollout_sec", "format_left"]

_STEP_SEC = 5


def expected_rollout_sec(
    service: str, release: ServiceRelease | None, instances: int, records: Sequence[RolloutRecord]
) -> float:
    """How many seconds the rollout of *release* to so many *instances* takes by *records*, the oldest first; 0 when
    none of them tells."""
    if release is None:
        return 0
    try:
        at_once = parallel(release.rollout.get("max_parallel", 1), max(1, instances))
    except (ValueError, TypeError):
        return 0  # the release was written by another program
    update = ExpectedUpdate(service, release.mode, instances, instances, max(1, at_once), replaced=True)
    return expected_sec(update, records)[0]


def format_left(expected: float, since: str, now: str) -> str:
    """``about 40 s left`` of *expected* seconds; "" once they are over, and when they or the times are not known."""
    passed = seconds_between(since, now)
    if passed is None or passed >= expected:
        return ""
    return f"about {format_duration(_STEP_SEC * math.ceil((expected - passed) / _STEP_SEC))} left"
