"""The report of a reading: services, machines, etcd, strays, and everything that is wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fleetcaptain.release.rollback import obstacles
from fleetcaptain.rollout.cordon import in_maintenance
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.strays import find_strays
from fleetcaptain.status.machine_status import EtcdStatus, MachineStatus, etcd_status, machine_statuses
from fleetcaptain.status.periodic_task_status import PeriodicTaskStatus, periodic_task_statuses
from fleetcaptain.status.picture import AppKeys, Picture
from fleetcaptain.status.problems import problems_of
from fleetcaptain.status.service_status import ServiceStatus, service_status
from fleetcaptain.status.task_run_status import TaskRunStatus, failed_runs, task_run_statuses
from fleetcaptain.status.window_status import WindowStatus, window_status
from fleetcaptain.units.agent_calls import agent_name, proxy_name
from fleetcaptain.units.mark import Ownership, is_auxiliary
from fleetcaptain.units.public_address import public_urls, routes_of

__all__ = ["ReleaseStatus", "Report", "report_of"]


@dataclass(frozen=True)
class ReleaseStatus:
    """The current release's *tag*, *since* when (ISO 8601, UTC) and by *who*; the *pending* release, and the *previous*
    one. *why_not*: why that cannot be rolled back to, empty when it can; None if the texts of its units were not read.
    Images are not checked."""

    tag: str = ""
    since: str = ""
    who: str = ""
    pending: str = ""
    previous: str = ""
    why_not: tuple[str, ...] | None = ()


@dataclass(frozen=True)
class Report:
    """The status of *app*, deployed by *stack*, *at* a moment. *strays* are orphaned units that are ours, or may be.
    *problems* has a sentence for each fault, and *unanswered* one for each part of the cluster that did
    not answer. *fleet_version* is "" when fleet did not answer. *task_runs* are those of deployments."""

    app: str
    stack: str
    at: str
    release: ReleaseStatus
    services: tuple[ServiceStatus, ...]
    machines: tuple[MachineStatus, ...]
    etcd: EtcdStatus
    strays: tuple[str, ...]
    problems: tuple[str, ...]
    unanswered: tuple[str, ...]
    fleet_version: str = ""
    periodic_tasks: tuple[PeriodicTaskStatus, ...] = ()
    task_runs: tuple[TaskRunStatus, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether everything is as the current release wants it, or is being rolled out."""
        return not self.problems and not self.unanswered


def report_of(picture: Picture) -> Report:
    """The report of *picture*."""
    keys, snapshot = picture.keys or AppKeys(), picture.snapshot
    release = _release(keys, picture.has_texts, Ownership(picture.app, picture.stack) if picture.stack else None)
    units = _units_by_service(picture, snapshot)
    strays = _strays(picture, keys, snapshot)
    public = _public(units.get(proxy_name(picture.app), ()), snapshot)
    services = tuple(
        replace(
            service_status(
                name,
                units.get(name, ()),
                snapshot,
                keys,
                registered_known=picture.keys is not None,
                windows=_windows(name, keys, picture.at),
            ),
            public=tuple(public.get(name, ())),
        )
        for name in sorted(_declared(keys) or units)
    )
    ownership = _ownership(picture, snapshot)
    closed = {machine.id for machine in in_maintenance(ownership, snapshot)}
    machines = tuple(replace(one, maintenance=one.id in closed) for one in machine_statuses(picture, snapshot))
    etcd = etcd_status(picture)
    periodic_tasks = periodic_task_statuses(picture, snapshot, ownership)
    task_runs = task_run_statuses(ownership, snapshot)
    return Report(
        picture.app,
        picture.stack,
        picture.at,
        release,
        services,
        machines,
        etcd,
        strays,
        problems_of(
            services,
            machines,
            etcd,
            tasks=periodic_tasks,
            # A task that runs is a part of its deployment.
            pending="" if any(run.state in ("running", "waiting") for run in task_runs) else release.pending,
            failed_tasks=failed_runs(keys.tasks, snapshot),
            strays=strays,
            ignored=keys.ignored,
        ),
        picture.unanswered,
        picture.fleet.version if picture.fleet else "",
        periodic_tasks,
        task_runs,
    )


def _windows(service: str, keys: AppKeys, at: str) -> WindowStatus | None:
    """The status of the windows of *service*; None if it has none."""
    found = keys.windows.get(service)
    if found is None:
        return None
    current = keys.releases.named(keys.releases.current)
    release = current.services.get(service) if current else None
    records = keys.records.get(service, ())
    return window_status(service, found, release, records, int(datetime.fromisoformat(at).timestamp()))


def _release(keys: AppKeys, has_texts: bool, ownership: Ownership | None) -> ReleaseStatus:
    releases = keys.releases
    current, previous = releases.named(releases.current), releases.named(releases.previous)
    why_not: tuple[str, ...] | None = None
    if previous is None:
        why_not = (f"the record of {releases.previous} is missing",) if releases.previous else ()
    elif has_texts:
        why_not = obstacles(previous, releases.texts, {}, releases.secrets, ownership)
    since, who = (current.when, current.who) if current else ("", "")
    pending = releases.pending if releases.pending != releases.current else ""
    return ReleaseStatus(releases.current, since, who, pending, releases.previous, why_not)


def _declared(keys: AppKeys) -> set[str]:
    """The services of the current and of the pending release."""
    manifests = [keys.releases.named(tag) for tag in (keys.releases.current, keys.releases.pending)]
    return {name for manifest in manifests if manifest for name in manifest.services}


def _ownership(picture: Picture, snapshot: Snapshot) -> Ownership:
    """The units of the stack; of every stack of the app when the stack is unknown."""
    if picture.stack:
        return Ownership(picture.app, picture.stack)
    stacks = {unit.mark.stack for unit in snapshot.units.values() if unit.mark and unit.mark.app == picture.app}
    return Ownership(picture.app, "", frozenset(stacks))


def _units_by_service(picture: Picture, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Service -> its units, without the machine agent, tasks and the units of a machine in maintenance. Of a fleet that
    did not answer, those that are registered."""
    found: dict[str, set[str]] = {}
    ownership = _ownership(picture, snapshot)
    for name, unit in snapshot.units.items():
        mark = unit.mark
        other = name == agent_name(picture.app) or unit.file.of_task or is_auxiliary(mark)
        if mark is not None and ownership.owns(name, mark) and not other:
            found.setdefault(mark.service, set()).add(name)
    if picture.fleet is None:
        for entry in snapshot.registrations.values():
            found.setdefault(entry.service, set()).add(entry.unit)
    return {service: _in_order(names) for service, names in found.items()}


def _public(units: Sequence[str], snapshot: Snapshot) -> dict[str, list[str]]:
    """Service -> the URLs of its public address; *units* are those of the proxy."""
    found = [snapshot.units[name] for name in units if name in snapshot.units]
    addresses = [machine.ip for one in found if (machine := snapshot.machines.get(one.machine_id or ""))]
    return public_urls(routes_of(found[0].file), sorted(addresses)) if found else {}


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    """By name, and ``web@2`` before ``web@10``."""
    return tuple(sorted(names, key=lambda name: (name.partition("@")[0], len(name), name)))


def _strays(picture: Picture, keys: AppKeys, snapshot: Snapshot) -> tuple[str, ...]:
    declared = _declared(keys)
    if not declared:
        return ()
    units = {name: unit for name, unit in snapshot.units.items() if name != agent_name(picture.app)}
    found = find_strays(units, _ownership(picture, snapshot), declared, own_cluster=picture.managed)
    return (*found.own, *found.suspect)
