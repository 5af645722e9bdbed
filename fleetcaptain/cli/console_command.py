"""``captain console``: an interactive command in a fresh container of a service, or in a running instance."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from fleetcaptain.cli.one_off_options import (
    Entrypoint,
    MachineName,
    ReleaseTag,
    TrailingCommand,
    before_the_command,
    trailing,
)
from fleetcaptain.cli.printer import echo
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site

__all__ = ["add"]

_SHELL = ("/bin/sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("console", cls=TrailingCommand)
    def console(
        context: typer.Context,
        service: Annotated[
            str, typer.Argument(help="The service, or with --attach service@number. Default: the only service.")
        ] = "",
        *,
        attach: Annotated[bool, typer.Option("--attach", help="Use the container of a running instance.")] = False,
        release: ReleaseTag = "",
        machine: MachineName = "",
        entrypoint: Entrypoint = None,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Open a shell in a container of a service.

        The command after `--` runs in place of the shell, which is bash if the image has it. The container is a fresh
        one, which is removed at the end, or with --attach that of a running instance. What runs in the console ends
        with it, also when the connection is lost for 30 s. `~.` at the beginning of a line closes the connection.

        Exits with the command's exit code; 125 if it was not started, 126 and 127 if the image cannot run it, 255 if
        the connection was lost.

        Example: captain console app_server; captain console app_server@2 --attach -- python3
        """
        from fleetcaptain.oneoff.one_off import Streams
        from fleetcaptain.oneoff.preparation import Wish, attached_session, one_off, session_of, ssh_endpoint
        from fleetcaptain.oneoff.remote_session import guarded_session
        from fleetcaptain.rollout.connect import open_cluster

        if not os.isatty(0):
            raise typer.BadParameter("needs a terminal; use `captain run` in scripts", param_hint="standard input")
        if attach and (release or machine or entrypoint is not None):
            raise typer.BadParameter(
                "--release, --machine and --entrypoint are for fresh containers", param_hint="--attach"
            )
        command = trailing(context)
        words = command or _SHELL
        # The shell must not become an argument of the image's program.
        program = "" if not command and entrypoint is None else entrypoint
        with before_the_command():
            where = site(app, stack, ssh, key, changes=True)
            endpoint = ssh_endpoint(where.endpoint)
            cluster = open_cluster(endpoint, where.app)
            if attach:
                session, unit, on = attached_session(cluster, endpoint, where.stack, service, words)
                echo(f"{unit} on {on.ip}, in its running container", error=True)
            else:
                streams = Streams(stdin=True, terminal=True)
                one = one_off(cluster, where.stack, Wish(service, words, streams, release, machine, program))
                session = session_of(endpoint, one)
                echo(f"{one.service} on {one.machine.ip}, in a fresh container", error=True)
            ended = guarded_session(endpoint, session)
        if ended.lost:
            echo(f"captain: the connection to {session.host} was lost; the machine ends the console.", error=True)
        raise typer.Exit(ended.exit_code)
