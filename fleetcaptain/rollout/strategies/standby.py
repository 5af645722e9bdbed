"""Instances that only a window needs: they have the service's text, and wait on a machine, or in fleet alone."""

from __future__ import annotations

from fleetcaptain.errors import RolloutFailed
from fleetcaptain.fleet.entities import DesiredState, UnitEntity
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.polling import LOOK_SEC

__all__ = ["keep_standby", "standby_lacks"]

# fleet places a unit within seconds; its agents look every five seconds.
_PLACED_SEC = 60.0


def keep_standby(driver: Driver, target: Target) -> None:
    """Give each standby unit of *target* its text and its desired state, and wait until fleet has placed it. None of
    them serves, so all change at once. Raises RolloutFailed when one finds no machine within a minute."""
    cluster = driver.cluster
    began = acted = cluster.clock()
    reported = False
    while True:
        snapshot = cluster.snapshot(acted)
        lacking = standby_lacks(target, snapshot)
        if not lacking:
            return
        for name in lacking:
            unit = snapshot.units.get(name)
            if unit is None or unit.unit_hash != target.unit_hash or unit.desired != target.standby[name]:
                cluster.put(name, target.file, target.standby[name])
                acted = cluster.clock()
        if not reported:
            driver.report(f"{target.service}: preparing {', '.join(lacking)} for its windows")
            reported = True
        if cluster.clock() - began > _PLACED_SEC:
            raise RolloutFailed(
                f"{target.service}: no machine took {', '.join(lacking)} within {_PLACED_SEC:.0f} s, which its windows "
                "need. The other instances run the new version. Add a machine or reduce at_least of the windows, then "
                "run `pulumi up` again."
            )
        cluster.nudge(lacking[0], target.standby[lacking[0]])
        cluster.sleep(LOOK_SEC)


def standby_lacks(target: Target, snapshot: Snapshot) -> list[str]:
    """The standby units of *target* that do not have its text, their desired state, or the machine that this needs."""
    return [name for name, desired in target.standby.items() if not _waits(snapshot.units.get(name), target, desired)]


def _waits(unit: UnitEntity | None, target: Target, desired: DesiredState) -> bool:
    if unit is None or unit.unit_hash != target.unit_hash or unit.desired != desired:
        return False
    return desired is DesiredState.INACTIVE or unit.machine_id is not None
