"""The wait for a load balancer's targets. Time is handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from components.cluster.balanced_targets import PublicTarget, pending_targets, wait_balanced
from fleetcaptain.errors import DeadlineExceeded, Interrupted

PUBLIC = {"80": PublicTarget("arn:80", 2), "8443": PublicTarget("arn:8443", 1)}
IDLE = {"State": "unhealthy", "Reason": "Target.ResponseCodeMismatch", "Description": "Health checks failed: [503]"}
FINE, NEW = {"State": "healthy"}, {"State": "initial", "Reason": "Elb.RegistrationInProgress"}


def states(*found: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """A target group, with a machine for each state."""
    return [{"Target": {"Id": f"i-{number}"}, "TargetHealth": one} for number, one in enumerate(found, 1)]


def waiting(
    *steps: tuple[Sequence[Mapping[str, str]], Sequence[Mapping[str, str]]], is_cancelled: bool = False
) -> list[str]:
    """What is reported while two ports have one of *steps* after the other, two seconds each, for ten seconds."""
    seen, messages, now = iter([*steps, *[steps[-1]] * 99]), list[str](), [0.0]

    def health() -> dict[str, Any]:
        one, other = next(seen)
        return {"80": states(*one), "8443": states(*other)}

    def sleep(seconds: float) -> None:
        now[0] += seconds

    wait_balanced(
        PUBLIC, health, 10, messages.append, cancelled=lambda: is_cancelled, clock=lambda: now[0], sleep=sleep
    )
    return messages


def test_it_is_over_when_every_proxy_gets_connections() -> None:
    """Machines without one stay unhealthy."""
    first, then, last = (
        ((NEW, NEW, IDLE), (NEW, IDLE)),
        ((FINE, NEW, IDLE), (FINE, IDLE)),
        ((FINE, IDLE, FINE), (FINE,)),
    )
    assert waiting(first, then, last) == [
        "waiting until the load balancer sends to the machines: port 80, 8443",
        "waiting until the load balancer sends to the machines: port 80",
    ]


def test_a_timeout_gives_the_reason_of_each_target() -> None:
    """In AWS's words, of the ports that wait only."""
    with pytest.raises(DeadlineExceeded) as raised:
        waiting(((FINE, IDLE, NEW), (FINE,)))
    text = str(raised.value)
    assert "not send to all machines after 10 s" in text
    assert "port 80: 2 of its targets must be healthy" in text
    assert "i-1: healthy" in text
    assert "i-2: unhealthy (Target.ResponseCodeMismatch: Health checks failed: [503])" in text
    assert "i-3: initial (Elb.RegistrationInProgress)" in text
    assert "8443" not in text


def test_it_stops_when_asked_to() -> None:
    """And says how to go on."""
    with pytest.raises(Interrupted, match=r"port 80, 8443. To continue waiting, run `pulumi up`"):
        waiting(((), ()), is_cancelled=True)


def test_a_group_without_targets_is_waited_for() -> None:
    """Machines are registered one after the other."""
    assert pending_targets(PUBLIC, {"80": [], "8443": states(FINE)}) == {"80": []}
