"""``captain logs``: the logs of a service or a task from all machines."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.completion import services
from fleetcaptain.cli.printer import echo
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site
from fleetcaptain.cli.terminal_output import LogOutput
from fleetcaptain.discovery.keys import task_key
from fleetcaptain.errors import ClusterUnreachable, FleetApiError, NotAvailable
from fleetcaptain.fleet.address import Address
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.printable import one_line

if TYPE_CHECKING:
    from fleetcaptain.fleet.fleet_client import FleetClient
    from fleetcaptain.logs.journal_process import JournalProcess
    from fleetcaptain.logs.journal_query import JournalQuery
    from fleetcaptain.logs.log_entry import LogEntry
    from fleetcaptain.logs.log_sources import LogSources, Selection

__all__ = ["add"]

_LINES = 100
_LINES_DIGITS = 9

Run = Callable[[str, "JournalQuery"], "JournalProcess"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def logs(
        service: Annotated[
            str,
            typer.Argument(
                help="The service or task, or one instance.", metavar="SERVICE[@INSTANCE]", autocompletion=services
            ),
        ],
        *,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines, until ^C.")] = False,
        since: Annotated[
            str, typer.Option("--since", help="Only lines since then: 10m, 2h, 1d, or a time.", metavar="TIME")
        ] = "",
        grep: Annotated[
            str, typer.Option("--grep", help="Only lines that match this regular expression.", metavar="REGEX")
        ] = "",
        lines: Annotated[
            str,
            typer.Option("--lines", "-n", help="How many lines, or all. Default: 100; with --since all.", metavar="N"),
        ] = "",
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Show the logs of a service or a task.

        They are merged from all machines, and each line begins with its instance. A machine that does not answer is
        named on standard error. Exits with 3 when there is no such service, and with 10 when no machine answers.

        Example: captain logs app_server -f --since 10m
        """
        from fleetcaptain.logs.journal_process import JournalProcess
        from fleetcaptain.logs.log_sources import guessed_sources, sources_of

        selection, query = _parsed(service, lines, since, grep)
        where = site(app, stack, ssh, key)
        endpoint = where.endpoint
        if not isinstance(endpoint, Endpoint):
            raise ClusterUnreachable(
                "Cannot read the machines' journals: the stack reaches its cluster without SSH. Name a machine with "
                "--ssh core@address --app name."
            )
        fleet, has_key, command = _connected(endpoint)
        hosts = [Address.of(host).host for host in endpoint.hosts]

        def sources() -> LogSources:
            units, machines = fleet.units(), fleet.machines()
            try:
                return sources_of(selection, where.app, units, machines, hosts=hosts)
            except NotAvailable:
                # Of a run that is over only etcd knows.
                if not has_key(task_key(where.app, selection.service)):
                    raise
                return sources_of(selection, where.app, units, machines, hosts=hosts, is_task=True)

        def run(address: str, query: JournalQuery) -> JournalProcess:
            return JournalProcess(address, query, lambda argv: command(endpoint.to(address), argv))

        guess = guessed_sources(selection, [] if endpoint.inside else hosts)

        def find() -> LogSources:
            try:
                return sources()
            except FleetApiError as error:
                if not guess.addresses:
                    raise
                echo(one_line(f"{error} Shown are the machines that the connection names."), error=True)
                return guess

        output = LogOutput(json_wanted=json_wanted)
        try:
            with suppress(KeyboardInterrupt):
                if follow:
                    _follow(query, find(), run, sources, output)
                else:
                    _show(query, guess, find, run, output)
        except BrokenPipeError:
            output.abandon()


def _connected(
    endpoint: Endpoint,
) -> tuple[FleetClient, Callable[[str], bool], Callable[[str, Sequence[str]], list[str]]]:
    """fleet, which is asked with few tries; whether etcd has a key; and the ssh command for a command on a host."""
    from fleetcaptain.discovery.keys_api import KeysApi
    from fleetcaptain.fleet.fleet_client import FleetClient
    from fleetcaptain.fleet.retry import Retry
    from fleetcaptain.fleet.transport import Transport
    from fleetcaptain.fleet.tunnel import Tunnel

    tunnel = Tunnel(endpoint)
    few = Retry(fault_tries=3, restart_sec=3)
    fleet = FleetClient(Transport(tunnel.fleet_url, few, mark_unreachable=tunnel.mark_unreachable))
    etcd = KeysApi(tunnel.etcd_url, mark_unreachable=tunnel.mark_unreachable)
    return fleet, lambda key: not etcd.get(key).gone, tunnel.command


def _parsed(service: str, lines: str, since: str, grep: str) -> tuple[Selection, JournalQuery]:
    """What is to be shown, and what is asked of each machine; its units come later. Raises typer.BadParameter."""
    from fleetcaptain.logs.journal_query import JournalQuery, pattern_of, since_of
    from fleetcaptain.logs.log_sources import Selection

    def checked(option: str, parse: Callable[[str], Any], text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=option) from error

    selection = checked("SERVICE", Selection.parse, service)
    if lines not in ("", "all") and not (lines.isdecimal() and len(lines) <= _LINES_DIGITS):
        raise typer.BadParameter(f"must be all, or a number of at most {_LINES_DIGITS} digits", param_hint="--lines")
    most = None if lines == "all" or (since and not lines) else int(lines or _LINES)
    if grep:
        checked("--grep", pattern_of, grep)
    return selection, JournalQuery((), most, checked("--since", since_of, since) if since else "", grep)


def _show(query: JournalQuery, guess: LogSources, find: Callable[[], LogSources], run: Run, output: LogOutput) -> None:
    """What the machines have, to its end. Those of *guess* are asked while fleet is asked (*find*)."""
    from fleetcaptain.logs.log_merge import merged

    def asked(sources: LogSources) -> JournalQuery:
        return replace(query, units=(*sources.units, *sources.globs))

    early: dict[str, JournalProcess] = {}
    journals: list[JournalProcess] = []
    try:
        for address in guess.addresses:
            early[address] = run(address, asked(guess))
        found = find()
        usable = early if guess.includes(found.units) else {}
        journals += [usable.get(address) or run(address, asked(found)) for address in found.addresses]
        entries: Iterable[LogEntry] = merged(journal.entries() for journal in journals)
        if query.lines is not None:
            entries = deque(entries, maxlen=query.lines)
        for entry in entries:
            output.show(entry)
        output.flush()
    finally:
        for journal in (*early.values(), *journals):
            journal.end()
    silent = [journal for journal in journals if journal.problem]
    for journal in silent:
        echo(one_line(f"{journal.address} does not answer: {journal.problem}"), error=True)
    if silent and len(silent) == len(journals):
        raise ClusterUnreachable(
            "No machine answered. Check that the machines are running and that the SSH key is correct, then run the "
            "same command again."
        )


def _follow(
    query: JournalQuery, found: LogSources, run: Run, look: Callable[[], LogSources], output: LogOutput
) -> None:
    """What the machines have, then new lines without an end."""
    from fleetcaptain.logs.log_follower import LogFollower

    asked = replace(query, units=(*found.units, *(found.globs if found.guessed else ())), follow=True)
    begun = f"@{int(time.time())}"
    follower = LogFollower(asked, found, run, look, lambda line: echo(one_line(line), error=True), begun=begun)
    for entry in follower.entries():
        if entry is None:
            output.flush()
        else:
            output.show(entry)
