"""``captain ssh``: a shell or a command on a machine of the cluster."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("ssh")
    def open_shell(
        machine: Annotated[str, typer.Argument(help="Its name, its address, or the beginning of its id.")],
        command: Annotated[
            list[str] | None, typer.Argument(help="The command, after `--`. Default: a shell.", metavar="COMMAND")
        ] = None,
        *,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Open a shell on a machine, or run a command there.

        Each word of the command reaches the program as it is; for a pipe write: -- sh -c '... | ...'

        Exits with the command's exit code, with 255 if the connection fails, and with 3 for an unknown machine, after a
        list of the machines.

        Example: captain ssh m1 -- journalctl -u fleet
        """
        from fleetcaptain.fleet.machine_lookup import machine_named
        from fleetcaptain.fleet.ssh import session_argv
        from fleetcaptain.oneoff.preparation import ssh_endpoint
        from fleetcaptain.oneoff.remote_session import become
        from fleetcaptain.rollout.connect import open_cluster

        where = site(app, stack, ssh, key, any_app=True)
        endpoint = ssh_endpoint(where.endpoint)
        found = machine_named(machine, open_cluster(endpoint, where.app).fleet.machines())
        terminal = os.isatty(0) and os.isatty(1)
        become(session_argv(endpoint, endpoint.to(found.ip), command or (), terminal=terminal))
