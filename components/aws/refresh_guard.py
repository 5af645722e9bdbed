"""Guards workers: none is replaced while a window is open, or so shortly before one that it would not be over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pulumi

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.schedule.window import WindowSpec, intervals

__all__ = ["GUARD", "WindowGuard", "next_gap", "refuse_in_window"]

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


@dataclass(frozen=True)
class WindowGuard:
    """Refuses to replace workers, which takes *work_sec* seconds, while one of *windows* is open or about to open. See
    `next_gap`."""

    windows: tuple[WindowSpec, ...]
    lead_sec: int
    work_sec: int

    def check(self, now: float) -> None:
        """Raise as `refuse_in_window`. Pure."""
        refuse_in_window(self.windows, now, self.lead_sec, self.work_sec)

    def to_data(self) -> dict[str, Any]:
        """It as JSON data, for Pulumi's inputs."""
        windows = [window.to_data() for window in self.windows]
        return {"windows": windows, "lead_sec": self.lead_sec, "work_sec": self.work_sec}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> WindowGuard:
        """The guard that `to_data` wrote. Pulumi has all numbers as floats. Raises Unreadable."""
        windows = tuple(map(WindowSpec.from_data, data["windows"]))
        return cls(windows, int(data["lead_sec"]), int(data["work_sec"]))

    def hook(self) -> pulumi.ResourceHookBinding:
        """The hook of the workers' launch template, an update of which replaces the workers: the update fails where
        `check` does, and its preview too."""

        def check(_args: pulumi.ResourceHookArgs) -> None:
            self.check(time.time())

        hook = pulumi.ResourceHook(GUARD, check, pulumi.ResourceHookOptions(on_dry_run=True))
        return pulumi.ResourceHookBinding(before_update=[hook])
