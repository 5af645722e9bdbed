"""The replacement of workers by their Auto Scaling group (instance refresh). Pulumi starts it and does not wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from components.cluster.aws_client import aws_errors
from fleetcaptain.errors import ClusterRefused, DeadlineExceeded, Interrupted
from fleetcaptain.waiting import wait_until

__all__ = [
    "BOOT_SEC",
    "LAUNCH_SEC",
    "MOST_HEALTHY_PERCENT",
    "WorkerGroup",
    "pending_refresh",
    "refresh_sec",
    "wait_replaced",
]

BOOT_SEC = 180
"""How long a new machine has until its health counts."""

LAUNCH_SEC = 900
"""How long a machine has until fleet has it: Ignition may fail once for rights that are not known everywhere yet, and
tries again after five minutes."""

MOST_HEALTHY_PERCENT = 110
"""A new machine is launched before an old one is terminated, so the app always has enough of them."""

_PAUSE_SEC = 10.0
# AWS launches another machine when the hook abandons one, and ends the refresh with the reason some time later. How
# long that takes is not documented: this allows for an hour, and for the attempt that begins just before.
_GIVE_UP_SEC = 3600 + LAUNCH_SEC
# Of AWS's states of a refresh; all others are under way.
_ENDED_WELL = "Successful"
_ENDED_BADLY = {"Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"}
# The preferences with which the provider starts a refresh too (`components.aws.workers`). There is no rollback: AWS's
# goes back to what the group had when the refresh began, and the provider gives it the new definition before that.
_PREFERENCES = {
    "MinHealthyPercentage": 100,
    "MaxHealthyPercentage": MOST_HEALTHY_PERCENT,
    "InstanceWarmup": BOOT_SEC,
    "SkipMatching": True,
}


class WorkerGroup:
    """The Auto Scaling group *name*, which boto3's *client* asks. All methods raise FleetCaptainError."""

    def __init__(self, client: Callable[[], Any], name: str) -> None:
        self._client, self.name = client, name
        self._started: str | None = None

    def refresh(self) -> Mapping[str, Any] | None:
        """The refresh that `start` started, else the newest one; None if there was none."""
        which = {"InstanceRefreshIds": [self._started]} if self._started else {"MaxRecords": 1}
        with aws_errors("ask Auto Scaling how far the workers are replaced"):
            found = self._client().describe_instance_refreshes(AutoScalingGroupName=self.name, **which)
        return next(iter(found["InstanceRefreshes"]), None)

    def outdated(self, version: str) -> list[str]:
        """The ids of machines that another version of the launch template made, and that are not about to end."""
        with aws_errors("ask Auto Scaling for the workers"):
            found = self._client().describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        return [
            machine["InstanceId"]
            for group in found["AutoScalingGroups"]
            for machine in group["Instances"]
            if machine.get("LaunchTemplate", {}).get("Version") != version
            and not machine["LifecycleState"].startswith("Terminat")
        ]

    def start(self) -> None:
        """Start a refresh."""
        with aws_errors("start the replacement of the workers"):
            answer = self._client().start_instance_refresh(AutoScalingGroupName=self.name, Preferences=_PREFERENCES)
        self._started = answer["InstanceRefreshId"]


def refresh_sec(workers: int, drain: int) -> int:
    """How long the replacement of so many *workers* may take, one after the other, until AWS says how it ended.
    *drain*: the most seconds between the termination notice and the end of a machine. Pure."""
    return workers * (LAUNCH_SEC + BOOT_SEC + drain) + _GIVE_UP_SEC


def _activities(group: str) -> str:
    return (
        f"`aws autoscaling describe-scaling-activities --auto-scaling-group-name {group}` shows each machine. One that "
        f"fleet does not have after {LAUNCH_SEC // 60} minutes is terminated"
    )


def pending_refresh(refresh: Mapping[str, Any] | None) -> str:
    """What *refresh* (see ``DescribeInstanceRefreshes``) still does; "" if it is over, or if there was none. Pure.
    Raises ClusterRefused if it failed, with AWS's reason."""
    if refresh is None or refresh["Status"] == _ENDED_WELL:
        return ""
    status, reason = refresh["Status"], refresh.get("StatusReason", "")
    if status in _ENDED_BADLY:
        group = str(refresh["AutoScalingGroupName"])
        raise ClusterRefused(
            f"The workers were not replaced: the instance refresh {refresh['InstanceRefreshId']} ended as {status}. "
            "Workers that it had not come to run as before. The app was not changed:",
            [
                reason or "AWS gives no reason",
                f"{_activities(group)}. The group launches all new machines from the new definition",
                "Correct the cause, or undo the change of the workers, and run `pulumi up`: it replaces the others",
            ],
        )
    return f"replacing the workers: {refresh.get('PercentageComplete', 0)} % ({status})"


def wait_replaced(
    group: WorkerGroup,
    version: str,
    guard: Callable[[], None],
    report: Callable[[str], None],
    timeout_sec: float,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the machines of *group* have the *version* of its launch template. If none of its refreshes is under
    way and some do not have it, because an earlier refresh failed, start another one, unless *guard* raises.

    Raises as `pending_refresh` and *guard*, DeadlineExceeded, Interrupted, and FleetCaptainError."""
    found = group.refresh()
    if found is None or found["Status"] in {_ENDED_WELL, *_ENDED_BADLY}:
        if not group.outdated(version):
            return
        guard()
        group.start()

    def pending() -> str:
        line = pending_refresh(group.refresh())
        if line and cancelled():
            raise Interrupted(f"stopped on request: {line}. AWS goes on. To continue waiting, run `pulumi up`")
        return line

    def timed_out(line: str) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"the workers are not replaced after {timeout_sec:.0f} s: {line}. The app was not changed. "
            f"{_activities(group.name)}. To continue waiting, run `pulumi up`."
        )

    wait_until(pending, timeout_sec, report, timed_out, pause_sec=_PAUSE_SEC, clock=clock, sleep=sleep)
