"""``captain doctor``: lists values in etcd that FleetCaptain ignores, and instances whose alive checks fail."""

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
        """List ignored values in etcd, and failing instances.

        Ignored values are neither a registration nor a release, or are stored at the wrong key: another program or a
        newer version wrote them. Exits with 1 when there are any. Instances are listed when they are out of discovery
        because their alive checks fail; with --json on standard error.
        """
        from fleetcaptain.discovery.access import Access
        from fleetcaptain.discovery.failing_instances import failing_services
        from fleetcaptain.fleet.ssh import Endpoint
        from fleetcaptain.release.repository import read_releases
        from fleetcaptain.rollout.connect import open_cluster

        where = site(app, stack, ssh, key)
        cluster = open_cluster(where.endpoint, where.app)
        snapshot = cluster.snapshot()
        ignored = (*snapshot.ignored, *read_releases(cluster.store, where.app).ignored)
        if json_wanted:
            echo_json([{"key": entry.key, "why": entry.why} for entry in ignored])
        elif ignored:
            echo("\n".join(f"ignored: {one_line(str(entry))}" for entry in ignored))
            echo("On a machine, delete the values that do not belong there:")
            echo("\n".join(f"  {CURL} -X DELETE '{_ETCD}{path_of(entry.key)}?recursive=true'" for entry in ignored))
        else:
            echo(f"Every value of the app {where.app} in etcd is valid.")
        for failing in failing_services(snapshot.registrations.values()):
            for entry in failing.instances:
                line = f"{entry.unit} on {entry.host} is out of discovery: its alive check fails: {entry.failing}"
                echo(one_line(line), error=json_wanted)
            if failing.explanation:
                echo(f"{failing.service}: {failing.explanation}.", error=json_wanted)
        # Not an exit code: the cluster may be open on purpose, or belong to another team.
        if not json_wanted and not Access(cluster.store.request).enforced():
            is_made = isinstance(where.endpoint, Endpoint) and where.endpoint.managed
            what = "etcd has no authentication: every container on the cluster can run anything as root."
            echo(f"{what} {_MAKE if is_made else _RUN}")
        if ignored:
            raise typer.Exit(1)
