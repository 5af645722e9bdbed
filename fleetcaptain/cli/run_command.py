"""``captain run``: runs a one-off command in a fresh container of a service."""

from __future__ import annotations

import os
import stat
from typing import Annotated

import typer

from fleetcaptain.cli.one_off_options import Entrypoint, MachineName, ReleaseTag, before_the_command
from fleetcaptain.cli.printer import echo
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site

__all__ = ["add"]

_LIMIT_HOURS = 4.0
_HOUR_SEC = 3600


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("run")
    def run_one_off(
        command: Annotated[list[str], typer.Argument(help="The command, after `--`.", metavar="COMMAND")],
        *,
        service: Annotated[
            str, typer.Option("--service", help="The service. Default: the only one of the app.", metavar="NAME")
        ] = "",
        release: ReleaseTag = "",
        machine: MachineName = "",
        entrypoint: Entrypoint = None,
        detach: Annotated[bool, typer.Option("--detach", help="Leave it running, and print its unit's name.")] = False,
        timeout: Annotated[
            float, typer.Option("--timeout", help="With --detach: ends it after so long.", metavar="HOURS", min=0.01)
        ] = _LIMIT_HOURS,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Run a one-off command in a fresh container.

        The container has the service's image, environment, volumes and networks, and is removed with the command.
        Standard input is passed if it is a pipe or a file. The machine stops the container when this command is
        interrupted or killed, or the connection is lost for 30 s.

        Exits with the command's exit code; 125 if it was not started, 126 and 127 if the image cannot run it, 255 if
        the connection was lost, 130 after ^C and 143 after SIGTERM.

        Example: captain run --service app_server -- python3 -m behavioral.report
        """
        from fleetcaptain.oneoff.machine_scripts import detach_argv
        from fleetcaptain.oneoff.one_off import Streams
        from fleetcaptain.oneoff.preparation import Wish, client_of, one_off, session_of, ssh_endpoint
        from fleetcaptain.oneoff.remote_session import guarded_session, start_detached
        from fleetcaptain.rollout.connect import open_cluster

        with before_the_command():
            where = site(app, stack, ssh, key, changes=True)
            endpoint = ssh_endpoint(where.endpoint)
            cluster = open_cluster(endpoint, where.app)
            streams = Streams(stdin=not detach and _is_passed())
            wish = Wish(service, tuple(command), streams, release, machine, entrypoint)
            one = one_off(cluster, where.stack, wish)
            if detach:
                unit = f"{one.app}-{one.service}-run-{one.id}.service"
                script = client_of(one)
                argv = detach_argv(one.id, script, one.name, unit, round(timeout * _HOUR_SEC))
                start_detached(endpoint, endpoint.to(one.machine.ip), argv, script)
                echo(unit)
                echo(f"Its output: captain ssh {one.machine.ip} -- sudo journalctl -fu {unit}", error=True)
                echo(f"Stop it:    captain ssh {one.machine.ip} -- sudo systemctl stop {unit}", error=True)
                return
            session = session_of(endpoint, one)
            if os.isatty(2):
                echo(f"{one.service} on {one.machine.ip}, in a fresh container", error=True)
            ended = guarded_session(endpoint, session)
        if ended.lost:
            echo(f"captain: the connection to {session.host} was lost; the machine stops {one.name}.", error=True)
        raise typer.Exit(ended.exit_code)


def _is_passed() -> bool:
    """Whether standard input is a pipe, a file or a socket."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
