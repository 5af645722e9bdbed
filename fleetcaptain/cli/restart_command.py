"""``captain restart``: a rolling restart of a service under the text it has."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.common_options import App, Service
from fleetcaptain.cli.printer import echo
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, site

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("restart")
    def restart_service(
        service: Service,
        *,
        max_parallel: Annotated[
            str, typer.Option("--max-parallel", help="How many at once: a number, or a share such as 25%.")
        ] = "1",
        min_healthy: Annotated[
            float, typer.Option("--min-healthy", help="How long each has to stay healthy.", metavar="SECONDS", min=0)
        ] = 10,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: App = None,
    ) -> None:
        """Restart every instance of a service, one window after the other, by the engine of a rolling update.

        Exits with 4 when an instance does not come back, with 6 while the service is being rolled out.
        """
        # Here, not above: in an app's image the other commands work without what a deployment needs.
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.rollout.journal import ensure_free, guarded
        from fleetcaptain.rollout.model import Policy, parallel
        from fleetcaptain.rollout.strategies.restart import RestartDriver, restart, stack_on, to_restart

        wanted = _wanted(max_parallel)
        where = site(app, stack, ssh, key, changes=True)
        cluster = open_cluster(where.endpoint, where.app)
        ensure_free(cluster, service, echo)
        snapshot = cluster.snapshot()
        cluster = cluster.owned_by(where.stack or stack_on(where.app, service, snapshot))
        target = to_restart(cluster.ownership, service, snapshot)
        whose = f"the app {where.app}, stack {cluster.ownership.stack}"
        echo(f"restarting {service} of {whose}: {', '.join(target.names)}")
        policy = Policy(max_parallel=parallel(wanted, len(target.names)), min_healthy_sec=min_healthy)
        policy = policy.for_file(target.file)
        with guarded(cluster, service, target.unit_hash, echo) as (fenced, _):
            restart(RestartDriver(fenced, echo), target, policy)


def _wanted(max_parallel: str) -> int | str:
    number = max_parallel.removesuffix("%")
    if not number.isdecimal() or int(number) < 1:
        raise typer.BadParameter("a number, or a share such as 25%", param_hint="--max-parallel")
    return max_parallel if max_parallel.endswith("%") else int(number)
