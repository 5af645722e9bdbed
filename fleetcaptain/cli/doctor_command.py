"""``captain doctor``: what is wrong with the machines, this computer's tools, the values in etcd and the instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site
from fleetcaptain.discovery.failing_instances import failing_services
from fleetcaptain.discovery.keys import CURL, path_of
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.address import Address
from fleetcaptain.fleet.local_endpoint import LocalEndpoint
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.printable import one_line
from fleetcaptain.untrusted import is_address

if TYPE_CHECKING:
    from fleetcaptain.discovery.maintenance import Maintenance
    from fleetcaptain.doctor.findings import ClusterFacts, Finding
    from fleetcaptain.rollout.cluster import Cluster
    from fleetcaptain.rollout.observe import Snapshot

__all__ = ["add"]

_ETCD = "http://127.0.0.1:2379"
_RUN = "Run `captain secure`."
_MAKE = "Run `captain secure`. A new cluster has authentication unless `fleetcaptain:tls` is false."


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def doctor(
        *,
        json_wanted: Json = False,
        aws: Annotated[
            bool, typer.Option("--aws", help="Check what the machines assume of Flatcar and EC2, too.")
        ] = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Find problems of machines, tools, etcd and instances.

        Asks all machines at once for their clock, disks, etcd, fleet and docker, and compares the machine agents with
        the deployed program. A machine that does not answer is one finding. Each finding has its cure.

        Ignored values are no registration, release or plan of windows, or are stored at the wrong key: another program
        or a newer version wrote them. Instances are listed when they are out of discovery because their alive checks
        fail, and services that are under maintenance; with --json on standard error.

        With --aws each machine is compared with what its scripts assume of Flatcar and EC2: programs and versions, the
        metadata service, etcd's volume, timers, the updater and the clock. There is one line for each assumption; one
        that differs is a finding.

        Exits with 1 when there are findings or ignored values, with 10 when no machine answers, and with 0 otherwise.

        Example: captain doctor --json
        """
        from fleetcaptain.discovery.access import Access
        from fleetcaptain.doctor.examine import examine, local_tools
        from fleetcaptain.doctor.findings import findings_of, tool_findings
        from fleetcaptain.release.repository import read_releases
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.rollout.service_maintenance import maintained_services
        from fleetcaptain.schedule.stored_windows import read_windows

        where = site(app, stack, ssh, key)
        cluster = open_cluster(where.endpoint, where.app)
        over_ssh = isinstance(where.endpoint, Endpoint)
        found = tool_findings(local_tools(["ssh"] if ssh else ["ssh", "docker", "pulumi"] if over_ssh else []))
        try:
            snapshot = cluster.snapshot()
            releases, windows = read_releases(cluster.store, where.app), read_windows(cluster.store, where.app)[1]
            # The snapshot has the plans and states of windows too.
            ignored = list({entry.key: entry for entry in (*snapshot.ignored, *releases.ignored, *windows)}.values())
            facts = examine(cluster, snapshot, _addresses(where.endpoint)) if over_ssh else None
        except ClusterUnreachable as error:
            facts = examine(cluster, str(error), _addresses(where.endpoint)) if over_ssh else None
            if facts is None or not any(facts.machines.values()):
                raise
            _show(
                [*found, *findings_of(facts), *(_differences(cluster, facts, json_wanted) if aws else [])], json_wanted
            )
            raise typer.Exit(1) from error
        found += findings_of(facts) if facts else []
        found += _differences(cluster, facts, json_wanted) if aws and facts else []
        if json_wanted:
            echo_json([{"key": entry.key, "why": entry.why} for entry in ignored] + [asdict(one) for one in found])
        elif ignored:
            echo("\n".join(f"ignored: {one_line(str(entry))}" for entry in ignored))
            echo("On a machine, delete the values that do not belong there:")
            echo("\n".join(f"  {CURL} -X DELETE '{_ETCD}{path_of(entry.key)}?recursive=true'" for entry in ignored))
        else:
            echo(f"Every value of the app {where.app} in etcd is valid.")
        if not json_wanted:
            _show(found, json_wanted)
            if facts is None:
                echo("The machines were not examined: the cluster is reached without SSH.")
            elif not found:
                echo(f"No problem found on {_machines(facts)}.")
        for line in (*_failing(snapshot), *_maintained(maintained_services(cluster))):
            echo(line, error=json_wanted)
        # Not an exit code: the cluster may be open on purpose, or belong to another team.
        if not json_wanted and not Access(cluster.store.request).enforced():
            is_made = isinstance(where.endpoint, Endpoint) and where.endpoint.managed
            what = "etcd has no authentication: every container on the cluster can run anything as root."
            echo(f"{what} {_MAKE if is_made else _RUN}")
        if ignored or found:
            raise typer.Exit(1)


def _differences(cluster: Cluster, facts: ClusterFacts, json_wanted: bool) -> list[Finding]:
    """What differs from Flatcar and EC2 as they are assumed, on the machines that answer. Prints what does not."""
    from fleetcaptain.doctor.examine import examine_flatcar
    from fleetcaptain.doctor.flatcar_facts import FlatcarFacts
    from fleetcaptain.doctor.flatcar_verdicts import differences, verdicts_of

    answering = sorted(address for address, machine in facts.machines.items() if machine is not None)
    known = examine_flatcar(cluster, answering)
    verdicts = [one for address in answering for one in verdicts_of(address, known[address] or FlatcarFacts())]
    for verdict in verdicts:
        if verdict.holds and not json_wanted:
            echo(one_line(f"{verdict.address}: ok: {verdict}"))
    return differences(verdicts)


def _show(found: Sequence[Finding], json_wanted: bool) -> None:
    """Print each finding with its cure."""
    if json_wanted:
        echo_json([asdict(one) for one in found])
    else:
        for one in found:
            echo(f"{one_line(f'{one.where}: {one.what}')}\n  {one_line(one.cure)}")


def _failing(snapshot: Snapshot) -> Iterator[str]:
    """The instances that are out of discovery because their alive checks fail, and why none of them is restarted."""
    for failing in failing_services(snapshot.registrations.values()):
        for entry in failing.instances:
            yield one_line(f"{entry.unit} on {entry.host} is out of discovery: its alive check fails: {entry.failing}")
        if failing.explanation:
            yield f"{failing.service}: {failing.explanation}."


def _maintained(services: Mapping[str, Maintenance | None]) -> Iterator[str]:
    """The services that are out of discovery on purpose."""
    for service, known in services.items():
        by = f" {known}" if known else ""
        yield one_line(f"{service} is out of discovery: maintenance{by}. `captain maintenance off {service}` ends it.")


def _addresses(endpoint: Endpoint | LocalEndpoint) -> list[str]:
    """The machines that the connection names by their addresses; a bastion's machines are known to fleet alone."""
    if not isinstance(endpoint, Endpoint) or endpoint.inside:
        return []
    hosts = [Address.of(host).host for host in endpoint.hosts]
    return [host for host in hosts if is_address(host)]


def _machines(facts: ClusterFacts) -> str:
    """How many machines there are, and what they run."""
    known = [one for one in facts.machines.values() if one is not None]
    count = "1 machine" if len(known) == 1 else f"{len(known)} machines"
    versions = [f"{name} {getattr(known[0], name)}" for name in ("etcd", "fleet", "docker")] if known else []
    return f"{count} ({', '.join(versions)})"
