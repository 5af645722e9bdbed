"""Going step by step until the members are those that are wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.machine.definition import Member
from fleetcaptain.members.member import Seen, Step, Wait
from fleetcaptain.members.next_change import next_step

__all__ = ["reconcile"]

_PAUSE_SEC = 0.5


def reconcile(
    wanted: Sequence[Member],
    look: Callable[[], Seen | None],
    do: Callable[[Step], str],
    report: Callable[[str], None],
    *,
    step_sec: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when etcd's members are *wanted*.

    *look* gives None while no etcd answers. *do* does a step, or says why that cannot be done yet; it is told of the
    same one again until it shows. Each step, and each wait, may take *step_sec* seconds. Raises QuorumLost, and
    DeadlineExceeded with what was waited for.
    """
    last, since, why = "", clock(), ""
    while True:
        seen = look()
        step = next_step(wanted, seen) if seen is not None else Wait(tuple(member.name for member in wanted))
        if step is None:
            return
        told = _told(step)
        if told != last:
            last, since, why = told, clock(), ""
            report(told)
        elif clock() - since > step_sec:
            raise DeadlineExceeded(
                f"etcd's members do not settle: {told}, for {step_sec:.0f} s{why and f' ({why})'}. Look at `journalctl "
                "--unit etcd` on that machine, then run the same command again: it goes on from here."
            )
        if isinstance(step, Step):
            # etcd refuses any change until all members have been connected for five seconds.
            why = do(step)
        sleep(_PAUSE_SEC)


def _told(step: Step | Wait) -> str:
    if isinstance(step, Wait):
        return f"waiting for etcd on {', '.join(step.names)}"
    return f"etcd: {step.verb} member {step.member.name}"
