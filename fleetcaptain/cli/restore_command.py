"""``captain restore``: brings the data of a service back from a backup."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from fleetcaptain.cli.common_options import Service
from fleetcaptain.cli.data_target import DataMachine, Stop, Volume, backup_of, ended_in_order
from fleetcaptain.cli.one_off_options import TrailingCommand, trailing
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp
from fleetcaptain.errors import FleetCaptainError

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("restore", cls=TrailingCommand)
    def restore(
        context: typer.Context,
        service: Service,
        file: Annotated[str, typer.Argument(help="The backup; - for standard input.", metavar="FILE|-")],
        *,
        volume: Volume = "",
        stop: Stop = False,
        machine: DataMachine = "",
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Bring the data of a service back from a backup.

        The backup is passed to the command after `--`, which runs in the service's container. Without one it is a tar
        of the volume: its files replace all files of the volume at once, when it arrived whole. That is refused while
        the service runs; --stop stops it meanwhile.

        Exits with 1 when the restore failed, with 2 when it is refused, and with 3 for an unknown service or volume.

        Example: captain restore db db.dump -- pg_restore -U app -d app --clean
        """
        from fleetcaptain.data.backup import check_tar

        command = trailing(context)
        if command and stop:
            raise typer.BadParameter("--stop applies only without a command after `--`; remove it or the command")
        with ExitStack() as stack_of_files:
            source = sys.stdin.buffer if file == "-" else stack_of_files.enter_context(_opened(file))
            size = 0
            if not command:
                if file == "-":
                    spooled = stack_of_files.enter_context(tempfile.TemporaryFile())
                    _spool(source, spooled)
                    source = spooled
                size = check_tar(source, file)
            backup = backup_of(service, volume, machine, stop, stack, ssh, key, app)
            with ended_in_order():
                backup.restore(source, size, command)


def _spool(source: BinaryIO, file: BinaryIO) -> None:
    """Copy *source* to *file*, where it can be checked before anything changes."""
    try:
        shutil.copyfileobj(source, file)
    except OSError as error:
        raise FleetCaptainError(
            f"Could not store the backup in {tempfile.gettempdir()}: {error.strerror}. Nothing was changed. Make room "
            "there, set TMPDIR to a folder with more, or pass the name of a file instead of `-`."
        ) from error
    file.seek(0)


def _opened(file: str) -> BinaryIO:
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from error
