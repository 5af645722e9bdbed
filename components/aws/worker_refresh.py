"""The replacement of workers by their Auto Scaling group (instance refresh). Pulumi starts it and does not wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from fleetcaptain.errors import ClusterRefused, DeadlineExceeded, Interrupted
from fleetcaptain.waiting import wait_until

__all__ = ["pending_refresh", "wait_refreshed"]

_PAUSE_SEC = 10.0
# Of AWS's states of a refresh; all others are ends.
_ENDED_WELL = "Successful"
_ENDED_BADLY = {"Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"}


def pending_refresh(refresh: Mapping[str, Any] | None) -> str:
    """What the newest *refresh* of a group (see ``DescribeInstanceRefreshes``) still does; "" if it is over, or if
    there was none. Pure. Raises ClusterRefused if it failed, with AWS's reason."""
    if refresh is None or refresh["Status"] == _ENDED_WELL:
        return ""
    status, reason = refresh["Status"], refresh.get("StatusReason", "")
    if status in _ENDED_BADLY:
        back = " The workers have their last definition again." if status == "RollbackSuccessful" else ""
        raise ClusterRefused(
            f"The workers were not replaced: the instance refresh {refresh['InstanceRefreshId']} ended as {status}."
            f"{back} The app was not changed:",
            [
                reason or "AWS gives no reason",
                "`aws autoscaling describe-scaling-activities --auto-scaling-group-name "
                f"{refresh['AutoScalingGroupName']}` shows each machine. One that fleet does not have after 15 minutes "
                "is terminated. To try again, run `pulumi up`",
            ],
        )
    return f"replacing the workers: {refresh.get('PercentageComplete', 0)} % ({status})"


def wait_refreshed(
    newest: Callable[[], Mapping[str, Any] | None],
    report: Callable[[str], None],
    timeout_sec: float,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the *newest* refresh is over. Raises as `pending_refresh`, DeadlineExceeded, and Interrupted."""

    def pending() -> str:
        line = pending_refresh(newest())
        if line and cancelled():
            raise Interrupted(f"stopped on request: {line}. AWS goes on. To continue waiting, run `pulumi up`")
        return line

    def timed_out(line: str) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"the workers are not replaced after {timeout_sec:.0f} s: {line}. The app was not changed. To continue "
            "waiting, run `pulumi up`."
        )

    wait_until(pending, timeout_sec, report, timed_out, pause_sec=_PAUSE_SEC, clock=clock, sleep=sleep)
