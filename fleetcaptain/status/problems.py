"""Everything that is wrong with an app, one sentence each, with what to do where that is not obvious. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from fleetcaptain.status.machine_status import EtcdStatus, MachineStatus
from fleetcaptain.status.periodic_task_status import PeriodicTaskStatus
from fleetcaptain.status.service_status import ServiceStatus
from fleetcaptain.status.window_status import window_problems
from fleetcaptain.untrusted import Ignored

__all__ = ["problems_of"]


def problems_of(
    services: Sequence[ServiceStatus],
    machines: Sequence[MachineStatus],
    etcd: EtcdStatus,
    *,
    tasks: Sequence[PeriodicTaskStatus] = (),
    pending: str,
    failed_tasks: Sequence[str] = (),
    strays: Sequence[str],
    ignored: Sequence[Ignored],
) -> tuple[str, ...]:
    """The sentences, the whole cluster's first. A rollout under way is no problem, and neither is what it changes.
    *failed_tasks* say how tasks of the *pending* deployment failed."""
    away = {machine.address for machine in machines if machine.state in ("silent", "missing") and machine.address}
    return (
        *_cluster(etcd, machines, services),
        *(sentence for service in services for sentence in _service(service, away)),
        *_deployment(pending, services, failed_tasks),
        *(sentence for task in tasks for sentence in _task(task)),
        *(f"{name} is a stray: no release declares it" for name in strays),
        *([f"{len(ignored)} values in etcd are invalid: see `captain doctor`"] if ignored else []),
    )


def _cluster(etcd: EtcdStatus, machines: Sequence[MachineStatus], services: Sequence[ServiceStatus]) -> Iterator[str]:
    if etcd.quorum is False:
        yield "etcd has no quorum: nothing can be changed, and running containers go on"
    for machine in machines:
        name = machine.address or machine.id
        instances = [one for service in services for one in service.instances if one.address == machine.address]
        lost = ", ".join(one.unit for one in instances if machine.address and not one.healthy)
        on_it = f". On it: {lost}" if lost else ""
        if machine.state == "silent":
            yield f"{name} is silent: its agent sends no heartbeat{on_it}"
        elif machine.state == "missing":
            yield f"{name} is missing: fleet does not list it{on_it}"
    for member in etcd.members or ():
        if member.lost:
            yield f"etcd's member {member.name or member.address} is on a machine that does not answer"


def _service(service: ServiceStatus, away: Collection[str]) -> Iterator[str]:
    """*away*: the addresses of machines that do not answer; what they had is named with them."""
    name, rollout = service.name, service.rollout
    rolling = rollout is not None and not rollout.stopped
    if rollout is not None and rollout.stopped:
        yield (
            f"{name}: the rollout to {rollout.to} that {rollout.who} began was interrupted at {rollout.done} of "
            f"{rollout.of} instances; `pulumi up` resumes it"
        )
    for instance in service.instances:
        where = f"{name}: {instance.unit}{f' on {instance.address}' if instance.address else ''}"
        if instance.failing:
            yield f"{where}: its alive check fails: {instance.failing}"
        elif instance.trouble and not rolling and instance.address not in away:
            yield f"{where}: {instance.trouble}"
    if rolling:
        return
    if len(service.instances) != service.wanted:
        whose = "the release has" if not service.windows else "its windows and the release require"
        yield f"{name}: {len(service.instances)} instances, and {whose} {service.wanted}"
    if len(service.versions) > 1:
        mixed = ", ".join(f"{version} x{count}" for version, count in service.versions.items())
        yield f"{name}: mixed versions: {mixed}"
    elif service.drift:
        yield f"{name}: {', '.join(service.drift)}: another text than the current release's"
    if service.windows is not None:
        yield from window_problems(name, service.windows, service.healthy, service.standby)


def _task(task: PeriodicTaskStatus) -> Iterator[str]:
    if task.trouble:
        yield f"the periodic task {task.name} will not run: {task.trouble}; `pulumi up` repairs it"
    # A corrected text has its own next run.
    if task.state == "failed" and task.is_current:
        yield f"the last run of {task.name} on {task.address} failed: {task.reason}; see `captain logs {task.name}`"
    elif task.state == "unknown":
        why = f"its machine {task.address} ended meanwhile, or could not write it"
        yield f"the result of the last run of {task.name} is unknown: {why}"


def _deployment(pending: str, services: Sequence[ServiceStatus], failed_tasks: Sequence[str]) -> Iterator[str]:
    if pending and not any(service.state == "rolling" for service in services):
        why = "; ".join(failed_tasks) or "it is between two services, or it failed"
        yield f"the deployment of {pending} is not complete: {why}"
