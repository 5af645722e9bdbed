"""Decides what to do when a compare-and-swap renewal of a registration fails. Pure.

An app keeps running while its unit stops and has removed the registration, and after a rollout has marked it as
draining. So a registration that was removed on purpose is not written again; one that was lost is.
"""

from __future__ import annotations

from enum import Enum, auto

from fleetcaptain.discovery.documents import Registration

__all__ = ["RenewalStep", "next_step"]


class RenewalStep(Enum):
    """CREATE the registration again, REPLACE the value at its key, RENEW that value, or WAIT."""

    CREATE = auto()
    REPLACE = auto()
    RENEW = auto()
    WAIT = auto()


def next_step(own: Registration, found: Registration | None, *, shared: bool, lapsed: bool) -> RenewalStep:
    """The app's next step when the key of its registration *own* holds *found*, or None.

    *shared*: the unit uses the same key. *lapsed*: the app could not renew in time, so the key may have expired.

    A shared key that is missing earlier was removed by the unit, which is stopping. If another program removed it, the
    machine agent writes the unit's own value, as the unit is active, and the app replaces that. The agent's own mark is
    taken back with its reason, so a marked value is renewed meanwhile. Any other value was written on purpose: a
    rollout's mark, a unit on another machine, a later registration.
    """
    if found is None:
        return RenewalStep.CREATE if lapsed or not shared else RenewalStep.WAIT
    if own in (found, found.without_agents_mark):
        return RenewalStep.RENEW
    of_the_unit = not found.lease and not found.draining and found.machine == own.machine
    return RenewalStep.REPLACE if of_the_unit else RenewalStep.WAIT
