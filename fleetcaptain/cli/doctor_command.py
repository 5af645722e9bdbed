"""``captain doctor``: values in etcd that FleetCaptain ignores."""

from __future__ import annotations

import typer

from fleetcaptain.cli.common_options import App, Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, site
from fleetcaptain.discovery.keys import CURL, path_of
from fleetcaptain.printable import one_line

__all__ = ["add"]

_ETCD = "http://127.0.0.1:2379"
_RUN = "Run `captain secure`."
_MAKE = "A new cluster has it, unless `fleetcaptain:tls` is false; for this one run `captain secure`."


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def doctor(
        *,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: App = None,
    ) -> None:
        """List values in etcd that FleetCaptain ignores.

        They are neither a registration nor a release, or stand at the wrong key: someone else wrote them, or a newer
        version did. Exits with 1 when there are any.
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
            echo("Delete those that do not belong there, on a machine:")
            echo("\n".join(f"  {CURL} -X DELETE '{_ETCD}{path_of(entry.key)}?recursive=true'" for entry in ignored))
        else:
            echo(f"All values in etcd of the app {where.app} can be read.")
        # Not an exit code: a cluster is meant to be so, or is not this app's to change.
        if not json_wanted and not Access(cluster.store.request).enforced():
            is_made = isinstance(where.endpoint, Endpoint) and where.endpoint.managed
            what = "etcd has no authentication: every container on the cluster can run anything as root."
            echo(f"{what} {_MAKE if is_made else _RUN}")
        if ignored:
            raise typer.Exit(1)
