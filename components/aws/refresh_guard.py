"""Guards workers: none is replaced while a window is open, or so shortly before one that it would not be over."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pulumi

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.schedule.window import WindowSpec, intervals

__all__ = ["GUARD", "guard_of", "next_gap", "refuse_in_window"]

GUARD = "workers-and-windows"
"""The name of the hook."""

_AHEAD_SEC = 14 * 24 * 3600


def next_gap(windows: Sequence[WindowSpec], now: float, lead_sec: int, work_sec: int) -> int | None:
    """The first moment from *now* on at which *work_sec* seconds are left until any of *windows* opens, *lead_sec*
    before its ``ready_by``. None: not within two weeks. Pure."""
    at, last = int(now), int(now) + _AHEAD_SEC
    for interval in intervals(windows, at, last + lead_sec + work_sec):
        if interval.start - lead_sec - work_sec >= at:
            break
        at = max(at, interval.end)
    return at if at < last else None


def refuse_in_window(windows: Sequence[WindowSpec], now: float, lead_sec: int, work_sec: int) -> None:
    """Raise ClusterRefused unless `next_gap` is *now*. Pure."""
    gap = next_gap(windows, now, lead_sec, work_sec)
    if gap == int(now):
        return
    when = f"from {datetime.fromtimestamp(gap, UTC):%Y-%m-%d %H:%M} UTC on" if gap else "not within two weeks"
    raise ClusterRefused(
        "Cannot replace the workers now. They were not changed:",
        [
            "a window is open, or opens before all of them are replaced, which takes about "
            f"{-(-work_sec // 60)} minutes. It is possible {when}",
            "To replace them now, run `pulumi config set fleetcaptain:windows ignore`. To keep them, undo the change "
            "of their image, instance type, key pair or version of FleetCaptain",
        ],
    )


def guard_of(windows: Sequence[WindowSpec], lead_sec: int, work_sec: int) -> pulumi.ResourceHookBinding:
    """The hook of the workers' launch template, an update of which replaces the workers: with `refuse_in_window` the
    update fails, and its preview too."""

    def check(_args: pulumi.ResourceHookArgs) -> None:
        refuse_in_window(windows, time.time(), lead_sec, work_sec)

    hook = pulumi.ResourceHook(GUARD, check, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_update=[hook])
