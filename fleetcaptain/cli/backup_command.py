"""``captain backup``: the data of a service, as a stream."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Service
from fleetcaptain.cli.data_target import DataMachine, Stop, Volume, backup_of, ended_in_order
from fleetcaptain.cli.one_off_options import TrailingCommand, trailing
from fleetcaptain.cli.printer import bytes_output, progress
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("backup", cls=TrailingCommand)
    def back_up(
        context: typer.Context,
        service: Service,
        *,
        output: Annotated[
            Path | None, typer.Option("--output", help="The file. Default: standard output.", metavar="FILE")
        ] = None,
        volume: Volume = "",
        stop: Stop = False,
        before: Annotated[
            str,
            typer.Option(
                "--before", help="Makes the program stop writing: runs first, in its container.", metavar="COMMAND"
            ),
        ] = "",
        after: Annotated[
            str,
            typer.Option("--after", help="Makes it write again: runs at the end, whatever happens.", metavar="COMMAND"),
        ] = "",
        machine: DataMachine = "",
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Write a backup of a service's data to a file or pipe.

        The command after `--` runs in the service's container, and its output is the backup. Without one the backup is
        a tar of the volume, which is refused while the service writes to it: add --stop, or --before with a command
        that makes the program stop writing. FILE is written only when the backup is whole.

        Exits with 1 when the backup failed, with 2 when it is refused, and with 3 for an unknown service or volume.

        Example: captain backup db --output db.dump -- pg_dump -U app -Fc app
        """
        from fleetcaptain.data.backup import whole_file

        command = trailing(context)
        if output is None and os.isatty(1):
            raise typer.BadParameter("is required on a terminal", param_hint="--output")
        if command and (before or after or stop):
            raise typer.BadParameter(
                "--stop, --before and --after apply only without a command after `--`; remove them or the command"
            )
        if stop and (before or after):
            raise typer.BadParameter("have no container to run in with --stop", param_hint="--before and --after")
        backup = backup_of(service, volume, machine, stop, stack, ssh, key, app)
        with ended_in_order():
            if output is None:
                backup.take(bytes_output(), command, before, after)
                return
            with whole_file(output) as target:
                backup.take(target, command, before, after)
        progress(f"wrote {output}")
