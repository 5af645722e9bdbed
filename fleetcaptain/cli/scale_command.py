"""``captain scale``: changes the number of instances of a service until the next deployment."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json, Service
from fleetcaptain.cli.printer import echo, echo_json, progress
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("scale")
    def scale_service(
        service: Service,
        instances: Annotated[
            int, typer.Argument(min=1, max=100, metavar="N", help="How many instances it is to have, 1 to 100.")
        ],
        *,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Set a service's instances until the next deployment.

        New instances start with the deployed text; of too many the ones with the highest numbers are removed. Of a
        service with windows the machine agents stop these, within a minute, unless a window needs them. The next
        preview shows the difference to the Fleetfile, and the next `pulumi up` takes it back.

        Exits with 2 for a task and a service that has no number of instances (blue/green, global), with 3 when there is
        no such service, with 4 when a new instance does not become healthy (all new ones are then removed), and with 6
        while a rollout of it runs.

        Example: captain scale app_server 6
        """
        from fleetcaptain.errors import FleetCaptainError
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.rollout.driver import Driver
        from fleetcaptain.rollout.journal import ensure_free, guarded
        from fleetcaptain.rollout.service_policy import current_services, one_at_a_time
        from fleetcaptain.rollout.strategies.restart import stack_on, to_restart
        from fleetcaptain.rollout.strategies.scaling import refuse_unscalable, scale, scaled
        from fleetcaptain.rollout.window_plans import rebase_windows
        from fleetcaptain.rollout.window_record import record_running

        where = site(app, stack, ssh, key, changes=True)
        cluster = open_cluster(where.endpoint, where.app)
        ensure_free(cluster, service, progress)
        snapshot = cluster.snapshot()
        cluster = cluster.owned_by(where.stack or stack_on(where.app, service, snapshot))
        present = to_restart(cluster.ownership, service, snapshot)
        refuse_unscalable(present, snapshot)
        policy = one_at_a_time(current_services(cluster).get(service), instances).for_file(present.file)
        with guarded(
            cluster, service, present.unit_hash, progress, strategy="scale", wanted=lambda _snapshot: instances
        ) as (fenced, locked):
            present = to_restart(cluster.ownership, service, locked)
            target = scaled(present, instances, locked)
            try:
                scale(Driver(fenced, progress), locked, target, policy)
            except FleetCaptainError:
                record_running(fenced, service)
                raise
            rebase_windows(fenced, service, instances)
        before, running = len(present.names), len(target.running.names)
        if json_wanted:
            echo_json({"service": service, "before": before, "after": instances, "running": running})
        elif before == instances:
            echo(f"{service} has {instances} instances already.")
        else:
            stop = f"{running} still run: the machine agents stop those that no window needs within a minute. "
            keep = (
                f"To keep it, set instances={instances} in the Fleetfile; the next `pulumi up` takes it back otherwise."
            )
            echo(f"{service}: {before} -> {instances} instances. {stop if running > instances else ''}{keep}")
