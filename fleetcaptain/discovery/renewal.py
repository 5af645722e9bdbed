"""Decides what to do when a compare-and-swap renewal of a registration fails. Pure.

An app keeps running while its unit stops and has removed the registration, and after a rollout has marked it as
draining. So a registration that was removed on purpose is not written again; one that was lost is.
"""

from __future__ import annotations

from enum import Enum, auto

from fleetcaptain.discovery.documents import Registration

__all__ = ["RenewalStep", "next_step"]


class RenewalStep(Enum):
    """CREATE the registration again, REPLACE the value at its key, or WAIT."""

    CREATE = auto()
    REPLACE = auto()
    WAIT = auto()


def next_step(found: Registration | None, machine: str, *, shared: bool, lapsed: bool) -> RenewalStep:
    """The app's next step when its registration's key holds *found*, or None.

    *shared*: the unit uses the same key. *lapsed*: the app could not renew in time, so the key may have expired.

    A shared key that is missing earlier was removed by the unit, which is stopping. If another program removed it, the
    machine agent writes the unit's own value, as the unit is active, and the app replaces that. Any other value was
    written on purpose: a rollout's mark, a unit on another machine, a later registration.
    """
    if found is None:
        return RenewalStep.CREATE if lapsed or not shared else RenewalStep.WAIT
    of_the_unit = not found.lease and not found.draining and found.machine == machine
    return RenewalStep.REPLACE if of_the_unit else RenewalStep.WAIT
