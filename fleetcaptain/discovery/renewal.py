"""What to do about a registration that can no longer be renewed by comparing. Pure.

An app goes on running after its unit has taken its registration back, while it stops, and after a rollout has marked it
as about to go. So what somebody took away on purpose is not put there again; what was lost is.
"""

from __future__ import annotations

from enum import Enum, auto

from fleetcaptain.discovery.documents import Registration

__all__ = ["Step", "next_step"]


class Step(Enum):
    """CREATE it anew; REPLACE what is there; WAIT for what comes."""

    CREATE = auto()
    REPLACE = auto()
    WAIT = auto()


def next_step(found: Registration | None, machine: str, *, shared: bool, lapsed: bool) -> Step:
    """What the app does that finds *found* at its registration's key, or nothing.

    *shared*: the key is also its unit's own. *lapsed*: it could not renew in time, so etcd may have let it run out.

    A key that is gone before that was taken back by the unit, which is stopping. Where something else took it, the
    beacon puts the unit's own value there, for the unit is active: that one the app replaces. All other values are a
    decision of somebody: a rollout's mark, another machine's unit, a later registration.
    """
    if found is None:
        return Step.CREATE if lapsed or not shared else Step.WAIT
    of_the_unit = not found.lease and not found.draining and found.machine == machine
    return Step.REPLACE if of_the_unit else Step.WAIT
