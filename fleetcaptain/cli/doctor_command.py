"""``captain doctor``: lists values in etcd that FleetCaptain ignores."""

from __future__ import annotations

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site
from fleetcaptain.discovery.keys import CURL, path_of
from fleetcaptain.printable import one_line

__all__ = ["add"]

_ETCD = "http://127.0.0.1:2379"
_RUN = "Run `captain secure`."
_MAKE = "Run `captain secure`. A new cluster has authentication unless `fleetcaptain:tls` is false."


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def doctor(
        *,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """List values in etcd that FleetCaptain ignores.

        They are neither a registration nor a release, or are stored at the wrong key: another program or a newer
        version wrote them. Exits with 1 when there are any.
        """
        from fleetcaptain.discovery.access import Access
        from fleetcaptain.fleet.ssh import Endpoint
        from fleetcaptain.release.repository import read_releases
        from fleetcaptain.rollout.connect import open_cluster

        where = site(app, stack, ssh, key)
        cluster = open_cluster(where.endpoint, where.app)
        ignored = (*cluster.snapshot().ignored, *read_releases(cluster.store, where.app).ignored)
        if json_wanted:
            echo_json([{"key": entry.key, "why": entry.why} for entry in ignored])
        elif ignored:
            echo("\n".join(f"ignored: {one_line(str(entry))}" for entry in ignored))
            echo("On a machine, delete the values that do not belong there:")
            echo("\n".join(f"  {CURL} -X DELETE '{_ETCD}{path_of(entry.key)}?recursive=true'" for entry in ignored))
        else:
            echo(f"Every value of the app {where.app} in etcd is valid.")
        # Not an exit code: the cluster may be open on purpose, or belong to another team.
        if not json_wanted and not Access(cluster.store.request).enforced():
            is_made = isinstance(where.endpoint, Endpoint) and where.endpoint.managed
            what = "etcd has no authentication: every container on the cluster can run anything as root."
            echo(f"{what} {_MAKE if is_made else _RUN}")
        if ignored:
            raise typer.Exit(1)
