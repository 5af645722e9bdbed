"""``captain rebalance``: moves instances to machines that have fewer of them, one at a time."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json, progress
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, owned_cluster, site

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("rebalance")
    def rebalance_service(
        service: Annotated[str | None, typer.Argument(help="Only this service. Default: all of the app.")] = None,
        *,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the moves, and change nothing.")] = False,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Move instances to emptier machines, one at a time.

        fleet leaves a machine empty that was lost and came back. Each move stops one instance and starts it on the
        machine with the fewest units; the next one waits until it is healthy, as in a rollout of the service. Only
        moves that spread a service better, or the cluster without spreading a service worse, are made.

        Exits with 0 also when nothing is to move, with 4 when a moved instance does not become healthy, and with 6
        while a rollout of the service runs.

        Example: captain rebalance --dry-run
        """
        from fleetcaptain.rollout.journal import guarded
        from fleetcaptain.rollout.rebalance import plan_moves, why_fixed
        from fleetcaptain.rollout.service_policy import current_services, one_at_a_time
        from fleetcaptain.rollout.strategies.moving import MoveDriver, interrupted, rebalance
        from fleetcaptain.rollout.strategies.restart import refuse_changed, services_on, to_restart

        cluster, snapshot = owned_cluster(site(app, stack, ssh, key, changes=not dry_run))
        targets = [
            to_restart(cluster.ownership, name, snapshot)
            for name in ([service] if service else services_on(cluster.ownership, snapshot))
        ]
        fixed = {target.service: why_fixed(target.names, snapshot) for target in targets}
        for name, why in fixed.items():
            if why:
                progress(f"{name} stays: {why}")
        names = {target.service: target.names for target in targets if not fixed[target.service]}
        planned = plan_moves(snapshot, names)
        made = [] if not dry_run else planned
        current = {} if dry_run else current_services(cluster)
        for target in [] if dry_run else targets:
            if target.service in {move.service for move in planned} or interrupted(target, snapshot):
                # The moves of the service before took a while.
                latest = to_restart(cluster.ownership, target.service, cluster.snapshot())
                check = partial(refuse_changed, cluster.ownership, latest)
                policy = one_at_a_time(current.get(latest.service), len(latest.names)).for_file(latest.file)
                guard = guarded(cluster, latest.service, latest.unit_hash, progress, check=check, strategy="rebalance")
                with guard as (fenced, _):
                    made += rebalance(MoveDriver(fenced, progress), latest, policy, progress)
        addresses = {id_: machine.ip for id_, machine in snapshot.machines.items()}
        rows = [(move.unit, *(addresses.get(one, one) for one in (move.source, move.destination))) for move in made]
        if json_wanted:
            echo_json([{"unit": unit, "from": source, "to": destination} for unit, source, destination in rows])
        elif rows:
            width = max(len(unit) for unit, _, _ in rows)
            echo("\n".join(f"{unit:{width}}  {source} -> {destination}" for unit, source, destination in rows))
        else:
            echo("Nothing to move: fleet would choose no machine where an instance spreads the app better.")
