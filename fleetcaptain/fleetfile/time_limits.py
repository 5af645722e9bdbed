"""The limits of a start and of a rollout, which follow each other if they are not set. Pure."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.fleetfile.validation_error import ValidationError
from fleetcaptain.fleetfile.values import Rollout

__all__ = ["LONGEST_SEC", "followed", "refuse_never"]

LONGEST_SEC = 2 * 24 * 3600
"""The longest time in a Fleetfile. Sums of such times fit into the limit of a release's record, seven days."""
_START_SEC = 300
_PROGRESS_SEC = 600


def followed(start_sec: int | None, stop_sec: int, rollout: Rollout) -> tuple[int, Rollout]:
    """*start_sec* and the deadlines of *rollout*, each filled in so that no other one cuts it short.

    A start may take as long as the rollout waits for it; an instance becomes healthy after the stop of the old one and
    the start of the new one; and it counts when it has stayed so.
    """
    if start_sec is None:
        start_sec = max(_START_SEC, rollout.healthy_deadline_sec or 0)
    healthy = rollout.healthy_deadline_sec
    if healthy is None:
        healthy = stop_sec + start_sec
    progress = rollout.progress_deadline_sec
    if progress is None:
        progress = max(_PROGRESS_SEC, healthy + rollout.min_healthy_sec)
    return start_sec, replace(rollout, healthy_deadline_sec=healthy, progress_deadline_sec=progress)


def refuse_never(rollout: Rollout) -> None:
    """Raise `ValidationError` if the times of *rollout* contradict each other for any service."""
    healthy, stays, progress = rollout.healthy_deadline_sec, rollout.min_healthy_sec, rollout.progress_deadline_sec
    if progress is None or (progress > stays and progress >= (healthy or 0)):
        return
    least = stays + (_START_SEC if healthy is None else healthy)
    before = f"may become healthy within healthy_deadline_sec={healthy} and then " if healthy is not None else ""
    raise ValidationError(
        f"progress_deadline_sec={progress} is too short: an instance {before}must stay healthy for "
        f"min_healthy_sec={stays} before it counts; write progress_deadline_sec={least} or more, or remove it"
    )
