"""The limits of a start and of a rollout, which follow each other if they are not set. Pure."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.fleetfile.validation_error import ValidationError
from fleetcaptain.fleetfile.values import Alive, Rollout

__all__ = ["LONGEST_SEC", "followed"]

LONGEST_SEC = 2 * 24 * 3600
"""The longest time in a Fleetfile. Sums of such times fit into the limit of a release's record, seven days."""
_START_SEC = 300
_PROGRESS_SEC = 600
_BAKE_SEC = 10
# The machine agent begins a check at most 4 s after it is due, and the check takes at most 6 s.
_CHECK_SEC = 10


def followed(start_sec: int | None, stop_sec: int, rollout: Rollout, alive: Alive | None) -> tuple[int, Rollout]:
    """*start_sec* and the times of *rollout*, each filled in so that no other one cuts it short.

    A start may take as long as the rollout waits for it; an instance becomes healthy after the stop of the old one and
    the start of the new one; and it counts when it has stayed so: long enough that the rollout sees an instance whose
    *alive* check fails from the start. Raises `ValidationError` if the times contradict each other for any service.
    """
    bake = rollout.min_healthy_sec
    if bake is None:
        bake = max(_BAKE_SEC, _shown_after(alive) if alive else 0)
    _refuse_never(rollout, bake)
    if start_sec is None:
        start_sec = max(_START_SEC, rollout.healthy_deadline_sec or 0)
    healthy = rollout.healthy_deadline_sec
    if healthy is None:
        healthy = stop_sec + start_sec
    progress = rollout.progress_deadline_sec
    if progress is None:
        progress = max(_PROGRESS_SEC, healthy + bake)
    filled = replace(rollout, min_healthy_sec=bake, healthy_deadline_sec=healthy, progress_deadline_sec=progress)
    return start_sec, filled


def _shown_after(alive: Alive) -> int:
    """So many seconds after its registration, at most, an instance whose check always fails is out of discovery."""
    return min(LONGEST_SEC, alive.grace_sec + (alive.failures - 1) * alive.every_sec + _CHECK_SEC)


def _refuse_never(rollout: Rollout, bake: int) -> None:
    healthy, progress = rollout.healthy_deadline_sec, rollout.progress_deadline_sec
    if progress is None or (progress > bake and progress >= (healthy or 0)):
        return
    least = bake + (_START_SEC if healthy is None else healthy)
    before = f"may become healthy within healthy_deadline_sec={healthy} and then " if healthy is not None else ""
    raise ValidationError(
        f"progress_deadline_sec={progress} is too short: an instance {before}must stay healthy for "
        f"min_healthy_sec={bake} before it counts; write progress_deadline_sec={least} or more, or remove it"
    )
