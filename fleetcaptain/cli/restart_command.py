"""``captain restart``: restarts a service in a rolling update, with its present unit text."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Service
from fleetcaptain.cli.printer import echo
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("restart")
    def restart_service(
        service: Service,
        *,
        max_parallel: Annotated[
            str, typer.Option("--max-parallel", help="How many instances restart at once: a number or a share (25%).")
        ] = "1",
        min_healthy: Annotated[
            float,
            typer.Option("--min-healthy", help="How long each instance must stay healthy.", metavar="SECONDS", min=0),
        ] = 10,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Restart all instances of a service, a few at a time.

        Exits with 2 for a task, with 3 when there is no such service, with 4 when an instance does not come back, and
        with 6 while another rollout of the service runs.

        Example: captain restart app_server --max-parallel 2
        """
        # Imported here: in an app's image the other commands work without the packages of a deployment.
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.rollout.journal import ensure_free, guarded
        from fleetcaptain.rollout.model import Policy, parallel
        from fleetcaptain.rollout.strategies.restart import RestartDriver, refuse_changed, restart, stack_on, to_restart

        at_once = _parsed(max_parallel)
        where = site(app, stack, ssh, key, changes=True)
        cluster = open_cluster(where.endpoint, where.app)
        ensure_free(cluster, service, echo)
        snapshot = cluster.snapshot()
        cluster = cluster.owned_by(where.stack or stack_on(where.app, service, snapshot))
        target = to_restart(cluster.ownership, service, snapshot)
        whose = f"the app {where.app}, stack {cluster.ownership.stack}"
        echo(f"restarting {service} of {whose}: {', '.join(target.names)}")
        policy = Policy(max_parallel=parallel(at_once, len(target.names)), min_healthy_sec=min_healthy)
        policy = policy.for_file(target.file)
        count = len(target.names)
        with guarded(
            cluster,
            service,
            target.unit_hash,
            echo,
            check=partial(refuse_changed, cluster.ownership, target),
            strategy="restart",
            wanted=lambda _snapshot: count,
        ) as (fenced, _):
            restart(RestartDriver(fenced, echo), target, policy)


def _parsed(max_parallel: str) -> int | str:
    number = max_parallel.removesuffix("%")
    if not number.isdecimal() or int(number) < 1:
        raise typer.BadParameter("must be a positive integer or a share such as 25%", param_hint="--max-parallel")
    return max_parallel if max_parallel.endswith("%") else int(number)
