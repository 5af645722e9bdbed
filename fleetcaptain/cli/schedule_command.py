"""``captain schedule``: when windows open and close, and what really happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.completion import services
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site
from fleetcaptain.cli.terminal_output import show_lines, width
from fleetcaptain.cli.written_page import Html, write_page
from fleetcaptain.errors import ClusterUnreachable, NotAvailable

if TYPE_CHECKING:
    from fleetcaptain.rollout.cluster import Cluster

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def schedule(
        service: Annotated[
            str | None,
            typer.Argument(help="Only this service. Default: all with windows.", autocompletion=services),
        ] = None,
        *,
        html: Html = None,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Show the windows: the next 24 hours, and the last 24.

        Of the next 24 hours it shows when each service goes from how many to how many instances, and of the last 24
        what happened: when a window was opened and ready, how long before its ready_by, and by which machine. `!` marks
        what was late or missed. --html draws it: planned against real instances.

        Exits with 0, also when a window was late (`captain status` tells by its exit code), with 3 for a service
        without windows, and with 10 when the cluster does not answer. Example: captain schedule web --html web.html
        """
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.rollout.service_policy import current_services
        from fleetcaptain.schedule.forecast import timezones_of
        from fleetcaptain.schedule.schedule_page import schedule_page
        from fleetcaptain.schedule.schedule_view import lines_of
        from fleetcaptain.schedule.service_schedule import as_json, schedule_of
        from fleetcaptain.schedule.stored_windows import read_windows

        where = site(app, stack, ssh, key)
        cluster = open_cluster(where.endpoint, where.app)
        windows, ignored = read_windows(cluster.store, where.app)
        for value in ignored:
            echo(f"left out: {value}", error=True)
        plans = {name: one.plan for name, one in sorted(windows.items()) if one.plan and service in (None, name)}
        if service is not None and not plans:
            raise NotAvailable(_none(service, [name for name, one in sorted(windows.items()) if one.plan]))
        now = int(time.time())
        zones = {name: timezones_of(release.windows) for name, release in current_services(cluster).items()}
        found = [schedule_of(name, plan, windows[name], now, zones.get(name, {})) for name, plan in plans.items()]
        addresses = _addresses(cluster)
        if json_wanted:
            echo_json([as_json(one, addresses) for one in found])
        elif html is not None:
            write_page(html, schedule_page(f"Windows of {where.app}", found, addresses))
        elif found:
            show_lines(lines_of(found, addresses, width()))
        else:
            echo(f"No service of {where.app} has windows. Give one scale=[Window(...)] in the Fleetfile.", error=True)


def _addresses(cluster: Cluster) -> dict[str, str]:
    """Machine's id -> its address; empty when fleet does not answer: ids are shown then."""
    try:
        return {machine.id: machine.ip for machine in cluster.fleet.machines()}
    except ClusterUnreachable:
        return {}


def _none(service: str, others: list[str]) -> str:
    known = f"Services with windows: {', '.join(others)}." if others else "No service of the app has windows."
    return f"The service {service} has no windows on the cluster. {known}"
