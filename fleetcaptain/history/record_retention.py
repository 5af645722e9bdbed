"""The retention of records: the last fifty rollouts of each service. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

__all__ = ["KEPT", "kept", "record_name"]

KEPT = 50


def record_name(moment: datetime, names: Sequence[str] = ()) -> str:
    """The name of the record of a rollout that began at *moment* (UTC), which none of *names* has."""
    name = f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}Z"
    return name if name not in names else f"{name}-{len(names)}"


def kept(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the *names* of a service's records, the newest last: those to keep, and those to remove."""
    return tuple(names[-KEPT:]), tuple(names[:-KEPT])
