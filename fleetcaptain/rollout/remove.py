"""Taking units away: stop first, delete when dead. fleet's own DELETE forgets the unit's stop time-out, and says
"gone" while the process still runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.fleet.values import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.instance import Instance
from fleetcaptain.rollout.observed import observe
from fleetcaptain.rollout.poller import TICK_SEC

__all__ = ["Step", "remove", "step"]


class Step(Enum):
    """What removing an instance needs next."""

    STOP = "stop"
    DELETE = "delete"
    WAIT = "wait"
    NOTHING = "nothing"


def step(instance: Instance) -> Step:
    """The next step of removing *instance*."""
    if instance.gone:
        return Step.NOTHING
    if instance.content is None:
        return Step.WAIT
    return Step.DELETE if instance.stopped else Step.STOP


def remove(
    cluster: Cluster,
    service: str,
    names: Iterable[str],
    timeout_sec: float,
    report: Callable[[str], None] = lambda _line: None,
) -> None:
    """Remove units and their registrations, all side by side, and return when fleet and systemd know them no more.

    Raises DeadlineExceeded, naming what is left, after *timeout_sec* seconds.
    """
    names = tuple(names)
    deadline = cluster.clock() + timeout_sec
    while True:
        snapshot = cluster.look()
        steps = {name: step(observe(name, snapshot)) for name in names}
        left = [name for name, next_step in steps.items() if next_step is not Step.NOTHING]
        if not left:
            break
        if cluster.clock() > deadline:
            raise DeadlineExceeded(
                f"{', '.join(left)} did not go away within {timeout_sec:.0f} s. Look at them on their machines with "
                "`systemctl status`, then run the same command again."
            )
        report(f"removing {', '.join(left)}")
        for name in left:
            if steps[name] is Step.STOP:
                # Said again at each tick on purpose: it wakes fleet's agents, which else act every 5 s.
                cluster.fleet.set_desired(name, DesiredState.LOADED)
            elif steps[name] is Step.DELETE:
                cluster.fleet.delete(name)
        cluster.sleep(TICK_SEC)
    for name in names:
        cluster.unregister(service, name)
