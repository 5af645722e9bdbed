"""``captain timeline``: a picture of the rollouts of one release."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.history_command import OfService
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site
from fleetcaptain.cli.written_page import Html, write_page
from fleetcaptain.errors import FleetCaptainError

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def timeline(
        tag: Annotated[str, typer.Argument(help="The release; `captain releases` lists them.", metavar="TAG")],
        *,
        service: OfService = None,
        html: Html = None,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Show the rollouts of a release: each instance over time.

        A line for each instance shows its states, and the line below how many instances served. --html writes one file
        that needs nothing else and opens in any browser.

        Exits with 1 when no rollout of the release is recorded, and with 10 when the cluster does not answer. Example:
        captain timeline v2 --service web --html v2.html
        """
        from fleetcaptain.history.stored_records import read_records
        from fleetcaptain.history.timeline import timeline as drawn
        from fleetcaptain.history.timeline_page import timeline_page
        from fleetcaptain.rollout.connect import open_cluster

        where = site(app, stack, ssh, key)
        cluster = open_cluster(where.endpoint, where.app)
        records, ignored = read_records(cluster.store, where.app, service or "")
        for value in ignored:
            echo(f"left out: {value}", error=True)
        found = [record for record in records if record.release == tag]
        if not found:
            raise FleetCaptainError(_none(tag, service))
        if json_wanted:
            echo_json([record.to_data() for record in found])
        elif html is not None:
            write_page(html, timeline_page(f"Release {tag} of {where.app}", found))
        else:
            echo("\n".join(drawn(found, shutil.get_terminal_size().columns)))


def _none(tag: str, service: str | None) -> str:
    of_service = f" of {service}" if service else ""
    return (
        f"No rollout{of_service} is recorded for the release {tag}: it changed nothing, or its rollouts are older than "
        "the last 50 of their services. `captain history` lists what is recorded."
    )
