"""``captain secrets``: the secrets of an app, and the machines that can open them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site

__all__ = ["add"]


class _What(StrEnum):
    CHECK = "check"


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def secrets(
        what: Annotated[
            _What | None, typer.Argument(help="check: whether each machine can open them, instead of the list.")
        ] = None,
        *,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """List an app's secrets, or check who can open them.

        Shows the secrets of the kept releases, never their values. Set a value with
        pulumi config set --secret fleetcaptain:secrets.NAME. With check: exits with 1 when a machine cannot open the
        secrets.

        Example: captain secrets check
        """
        from fleetcaptain.release.repository import read_releases
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.secrets.key_distribution import MachineKeys, can_open, verdicts
        from fleetcaptain.secrets.secret_listing import secret_json, secret_rows, secret_table, unnamed
        from fleetcaptain.secrets.secret_store import SecretStore

        where = site(app, stack, ssh, key)
        cluster = open_cluster(where.endpoint, where.app)
        releases = read_releases(cluster.store, where.app)
        rows = secret_rows(releases)
        if what is None:
            if others := unnamed(releases):
                rows = secret_rows(releases, SecretStore(cluster).names(others))
            if json_wanted:
                echo_json([secret_json(row) for row in rows])
            elif rows:
                echo("\n".join(secret_table(rows)))
            else:
                echo("No kept release has secrets. Declare one with secrets= in the Fleetfile.", error=True)
            return
        example = next((row for row in rows if row.kept and releases.current in row.releases), None)
        encrypted, header = SecretStore(cluster).example(example.name, example.digest) if example else ("", "")
        states = MachineKeys(cluster).states(encrypted, header)
        if json_wanted:
            echo_json([{"machine": state.address, "says": says} for state, says in verdicts(states)])
        else:
            echo("\n".join(f"{state.address}  {says}" for state, says in verdicts(states)))
        if not can_open(states):
            raise typer.Exit(1)
