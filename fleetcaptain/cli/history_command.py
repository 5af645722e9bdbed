"""``captain history``: who deployed what, when, how long it took, and how it ended."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site
from fleetcaptain.cli.terminal_output import is_terminal

__all__ = ["OfService", "add"]

_WIDTH = 80

OfService = Annotated[
    str | None,
    typer.Option("--service", help="Only the rollouts of this service. Default: all services.", metavar="NAME"),
]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def history(
        *,
        service: OfService = None,
        limit: Annotated[int, typer.Option("--limit", help="How many rollouts to list.", metavar="N", min=1)] = 20,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """List the rollouts: who, what, when, and how they ended.

        The last one comes first. etcd keeps the last 50 rollouts of each service. A rollout whose process was killed is
        `interrupted`, at most 30 s later.

        Exits with 0, and with 10 when the cluster does not answer. Example: captain history --service web --limit 5
        """
        from fleetcaptain.history.history_table import history_table
        from fleetcaptain.history.stored_records import read_records
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.rollout.journal import under_way

        where = site(app, stack, ssh, key)
        cluster = open_cluster(where.endpoint, where.app)
        ended, ignored = read_records(cluster.store, where.app, service or "")
        rolling = [record for record in under_way(cluster) if service in (None, record.service)]
        found = sorted((*ended, *rolling), key=lambda record: record.since, reverse=True)[:limit]
        for value in ignored:
            echo(f"left out: {value}", error=True)
        if json_wanted:
            echo_json([record.to_data() for record in found])
        elif found:
            # What reads a pipe cuts for itself.
            width = max(_WIDTH, shutil.get_terminal_size().columns) if is_terminal() else None
            echo("\n".join(history_table(found, width)))
        else:
            echo("No rollouts are recorded. Deploy with `pulumi up`.", error=True)
