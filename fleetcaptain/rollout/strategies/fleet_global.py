"""Global units: one text on every machine that its metadata allows. fleet replaces them on all machines at once."""

from __future__ import annotations

from collections.abc import Callable

from fleetcaptain.errors import DeadlineExceeded, RolloutFailed
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import rows_of
from fleetcaptain.rollout.report import describe
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["run_fleet_global"]

# An agent reconciles every five seconds, even if it is not woken.
_AGENT_SEC = 7.0
# A unit that failed before is reported as failed until it has started.
_STALE_SEC = 15.0


def run_fleet_global(
    cluster: Cluster, target: Target, timeout_sec: float, report: Callable[[str], None] = lambda _line: None
) -> None:
    """Put the unit of a global service and wait until it runs on every machine that admits it. If it is halted with
    this text on any machine, fleet would not start it again, so it is stopped on all machines first.

    Raises RolloutFailed if systemd reports a failure on any machine, DeadlineExceeded after *timeout_sec* seconds.
    """
    name = target.names[0]
    deadline = cluster.clock() + timeout_sec
    rows = rows_of(name, cluster.snapshot(), target.file)
    down = [row for row in rows if row.unit_hash == target.unit_hash and (row.halted or row.active == "failed")]
    failed_before = {row.machine for row in down if row.active == "failed"}
    if down:
        _stop_everywhere(cluster, name, target.file, deadline)
    cluster.put(name, target.file)
    acted = cluster.clock()
    stale_until = acted + _STALE_SEC
    waiting: list[Instance] = []

    def pending() -> str:
        rows = rows_of(name, cluster.snapshot(acted), target.file)
        for row in rows:
            stale = row.machine in failed_before and cluster.clock() < stale_until
            if row.running == target.unit_hash and row.active == "failed" and not stale:
                reason = "systemd says that it failed"
                message = describe(name, row.machine, reason, cluster.facts(row), cluster.journal(row))
                raise RolloutFailed(f"{message}\nFix the service and run `pulumi up` again.")
        waiting[:] = [
            row for row in rows if (row.running, row.active, row.sub) != (target.unit_hash, "active", "running")
        ]
        if waiting:
            cluster.nudge(name, DesiredState.LAUNCHED)
        return f"{len(rows) - len(waiting)}/{len(rows)} machines" if waiting else ""

    def timed_out(_line: str) -> DeadlineExceeded:
        where = ", ".join(f"{row.machine} ({row.active or 'no state'}/{row.sub or 'reported'})" for row in waiting)
        return DeadlineExceeded(
            f"{name} does not run on all machines after {timeout_sec:.0f} s; missing: {where}. Check `systemctl "
            "status` on these machines, then run `pulumi up` again."
        )

    cluster.wait(pending, deadline - cluster.clock(), timed_out, report)


def _stop_everywhere(cluster: Cluster, name: str, file: UnitFile, deadline: float) -> None:
    """Stop the unit on all machines, since fleet cannot stop it on one, and wait until every agent has seen that."""
    cluster.set_desired_state(name, DesiredState.LOADED)
    acted = cluster.clock()

    def pending() -> str:
        rows = rows_of(name, cluster.snapshot(acted), file)
        running = ", ".join(str(row.machine) for row in rows if row.active not in ("", "inactive", "failed"))
        if not running and cluster.clock() - acted >= _AGENT_SEC:
            return ""
        cluster.nudge(name, DesiredState.LOADED)
        return running or "all machines"

    def timed_out(line: str) -> DeadlineExceeded:
        return DeadlineExceeded(f"{name} does not stop on {line}. Run `pulumi up` again.")

    cluster.wait(pending, deadline - cluster.clock(), timed_out)
