"""Waits until a load balancer on AWS sends to the proxies of public services. Deciding is pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetcaptain.errors import DeadlineExceeded, Interrupted
from fleetcaptain.machine.machine_ports import HEALTH
from fleetcaptain.waiting import wait_until

__all__ = ["PublicTarget", "pending_targets", "wait_balanced"]

_PAUSE_SEC = 2.0
_HEALTHY = "healthy"


@dataclass(frozen=True)
class PublicTarget:
    """The target group *arn* of a public port, of which so many *machines* are to be healthy."""

    arn: str
    machines: int


def pending_targets(
    public: Mapping[str, PublicTarget], health: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Mapping[str, list[str]]:
    """Port of *public* with too few healthy targets -> a line for each target that is not healthy. *health*: port ->
    its ``TargetHealthDescriptions``. Pure."""
    found = {}
    for port, target in public.items():
        states = [(one["Target"]["Id"], one["TargetHealth"]) for one in health[port]]
        if sum(state["State"] == _HEALTHY for _, state in states) < target.machines:
            found[port] = [_line(id_, state) for id_, state in sorted(states, key=lambda one: one[0])]
    return found


def _line(id_: str, state: Mapping[str, str]) -> str:
    why = ": ".join(state[key] for key in ("Reason", "Description") if key in state)
    return f"{id_}: {state['State']}{f' ({why})' if why else ''}"


def wait_balanced(
    public: Mapping[str, PublicTarget],
    health: Callable[[], Mapping[str, Sequence[Mapping[str, Any]]]],
    timeout_sec: float,
    report: Callable[[str], None],
    *,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when every port of *public* has enough healthy targets, by `pending_targets` of *health*.

    Raises DeadlineExceeded with each target's reason, and Interrupted.
    """
    last: Mapping[str, list[str]] = {}

    def pending() -> str:
        nonlocal last
        last = pending_targets(public, health())
        line = f"waiting until the load balancer sends to the machines: port {', '.join(last)}" if last else ""
        if line and cancelled():
            raise Interrupted(f"stopped on request: {line}. To continue waiting, run `pulumi up`")
        return line

    def timed_out(_line: str) -> DeadlineExceeded:
        lines = [f"the load balancer does not send to all machines after {timeout_sec:.0f} s:"]
        for port, states in last.items():
            lines.append(f"port {port}: {public[port].machines} of its targets must be healthy")
            lines += [f"  {state}" for state in states]
        lines.append(
            f"On a machine, `curl -i http://127.0.0.1:{HEALTH}/APP-proxy` shows what its agent answers. The release is "
            "current. To continue waiting, run `pulumi up`."
        )
        return DeadlineExceeded("\n  ".join(lines))

    wait_until(pending, timeout_sec, report, timed_out, pause_sec=_PAUSE_SEC, clock=clock, sleep=sleep)
