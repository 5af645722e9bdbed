"""Reconciles etcd's members step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.machine.definition import Member
from fleetcaptain.members.member import MemberChange, Seen, Wait
from fleetcaptain.members.next_change import next_step

__all__ = ["reconcile"]

_PAUSE_SEC = 0.5


def reconcile(
    wanted: Sequence[Member],
    observe: Callable[[], Seen | None],
    do: Callable[[MemberChange], str],
    report: Callable[[str], None],
    *,
    step_sec: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when etcd's members are *wanted*.

    *observe* returns None while no etcd answers. *do* takes a step, or returns why etcd refuses it now; it gets the
    same step again until the observed state shows it. Each step and each wait may take *step_sec* seconds. Raises
    QuorumLost, and DeadlineExceeded with the pending step.
    """
    last, since, why = "", clock(), ""
    while True:
        seen = observe()
        step = next_step(wanted, seen) if seen is not None else Wait(tuple(member.name for member in wanted))
        if step is None:
            return
        message = _format_step(step)
        if message != last:
            last, since, why = message, clock(), ""
            report(message)
        elif clock() - since > step_sec:
            raise DeadlineExceeded(
                f"Could not reconcile etcd's members: {message}, for {step_sec:.0f} s{why and f' ({why})'}. Look at "
                "`journalctl --unit etcd` on that machine, then run the same command again: it continues from here."
            )
        if isinstance(step, MemberChange):
            # etcd refuses any change until all members have been connected for five seconds.
            why = do(step)
        sleep(_PAUSE_SEC)


def _format_step(step: MemberChange | Wait) -> str:
    if isinstance(step, Wait):
        return f"waiting for etcd on {', '.join(step.names)}"
    return f"etcd: {step.verb} member {step.member.name}"
