"""``captain status``: the app on one screen."""

from __future__ import annotations

import signal
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site
from fleetcaptain.cli.terminal_output import height, is_terminal, screen, show_lines, width
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.fleet.address import Address
from fleetcaptain.fleet.local_endpoint import LocalEndpoint
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.printable import one_line
from fleetcaptain.styled import Span, cut

if TYPE_CHECKING:
    from fleetcaptain.status.status_reader import StatusReader
    from fleetcaptain.status.status_report import Report

__all__ = ["add", "reader_of"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def status(
        *,
        watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until ^C.")] = False,
        every: Annotated[
            float,
            typer.Option("--every", help="With --watch: the pause between two looks.", metavar="SECONDS", min=0.5),
        ] = 2,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Show release, services, machines and what is wrong.

        Exits with 0 when everything is as the current release wants it, or is being rolled out; with 1 when something
        is wrong or does not answer; with 10 when nothing answers. With --watch it exits with 0 at ^C.

        Example: captain status --watch
        """
        where = site(app, stack, ssh, key)
        reader = reader_of(where.endpoint, where.app, where.stack)
        if watch:
            _watch(reader, every, json_wanted=json_wanted)
            return
        report = _read(reader)
        _show(report, json_wanted=json_wanted)
        if not report.fine:
            raise typer.Exit(1)


def _read(reader: StatusReader) -> Report:
    from fleetcaptain.status.status_report import report_of

    return report_of(reader.read())


def _show(report: Report, *, json_wanted: bool) -> None:
    from fleetcaptain.status.report_json import as_json
    from fleetcaptain.status.status_view import lines_of

    if json_wanted:
        echo_json(as_json(report))
    else:
        show_lines(lines_of(report, width()))


def _watch(reader: StatusReader, every_sec: float, *, json_wanted: bool) -> None:
    from fleetcaptain.status.status_view import lines_of
    from fleetcaptain.status.watching import watched

    looks = watched(lambda: _read(reader), every_sec)
    # What ends a process by its group or a shell restores the terminal, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        first = next(looks)
        if json_wanted or not is_terminal():
            for look in chain([first], looks):
                if look.silence:
                    echo(look.silence, error=True)
                else:
                    _show(look.report, json_wanted=json_wanted)
            return
        with screen() as drawn:
            for look in chain([first], looks):
                silence = [(Span(cut(one_line(look.silence), width()), "bad"),)] if look.silence else []
                drawn.draw([*silence, *lines_of(look.report, width(), height=height() - len(silence))])


def reader_of(endpoint: Endpoint | LocalEndpoint, app: str, stack: str) -> StatusReader:
    """Reads the cluster at *endpoint* through one connection, each request with few tries: the reading as a whole has a
    limit."""
    from fleetcaptain.fleet.fleet_client import FleetClient
    from fleetcaptain.fleet.retry import Retry
    from fleetcaptain.fleet.transport import Transport
    from fleetcaptain.fleet.tunnel import Tunnel
    from fleetcaptain.status.status_reader import StatusReader

    few = Retry(fault_tries=3, restart_sec=3)
    if isinstance(endpoint, LocalEndpoint):
        return StatusReader(
            app, FleetClient(Transport(lambda: endpoint.fleet, few)), KeysApi(endpoint.etcd), stack=stack
        )
    tunnel = Tunnel(endpoint)
    fleet = FleetClient(Transport(tunnel.fleet_url, few, mark_unreachable=tunnel.mark_unreachable))
    etcd = KeysApi(tunnel.etcd_url, mark_unreachable=tunnel.mark_unreachable)
    hosts = [Address.of(host).host for host in endpoint.hosts]
    return StatusReader(app, fleet, etcd, stack=stack, hosts=hosts, managed=endpoint.managed)
