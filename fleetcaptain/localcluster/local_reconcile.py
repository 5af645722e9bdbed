"""Reconciles a local cluster with its layout. Safe to call again at any time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetcaptain.discovery.access import Access
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.localcluster.certificates import ensure_authority, has_authority
from fleetcaptain.localcluster.cluster_ready import apply_metadata, wait_ready
from fleetcaptain.localcluster.docker_client import docker_errors, find, image_of
from fleetcaptain.localcluster.drain import drain
from fleetcaptain.localcluster.etcd_exec import exec_request
from fleetcaptain.localcluster.layout import SIZES, Layout
from fleetcaptain.localcluster.machines import (
    binaries,
    ensure_key,
    ensure_machine,
    ensure_network,
    ensure_registry,
    machine_config,
)
from fleetcaptain.localcluster.membership import known_members, reconcile_members, remember
from fleetcaptain.localcluster.stale_registrations import forget_stale
from fleetcaptain.localcluster.volumes import remove_container, remove_machine, with_data
from fleetcaptain.machine.definition import Machine
from fleetcaptain.members.next_change import refuse_loss

__all__ = ["IMAGE_FOLDER", "BootPlan", "boot", "reconcile", "secure"]

IMAGE_FOLDER = Path(__file__).parent / "machine_image"
_READY_SEC = 180
_SECURE_TRIES = 3


@dataclass(frozen=True)
class BootPlan:
    """The machines to start first. *now*: created or started according to the layout. *resumed*: started unchanged, as
    members that are about to be removed. All others wait: a fleetd that loses etcd while its members change is away for
    half a minute. *fresh*: etcd starts empty, with all machines at once."""

    now: tuple[str, ...]
    resumed: tuple[str, ...]
    fresh: bool


def reconcile(layout: Layout, report: Callable[[str], None]) -> None:
    """Bring the computer from whatever is there to *layout*, and *report* each step.

    Raises QuorumLost, DeadlineExceeded, FleetCaptainError.
    """
    if layout.tls and not has_authority(layout.certificates):
        # Machines of two authorities do not trust each other, so all change at once. Data stays in volumes.
        for container in find(layout.identity, "machine"):
            remove_container(container)
        ensure_authority(layout.certificates, layout.prefix)
    key, programs = ensure_key(layout), binaries(layout)
    machines = {name: machine_config(layout, name, key, programs) for name in layout.names}
    there = {_name(layout, container): container for container in find(layout.identity, "machine")}
    status_of = {name: container.status for name, container in there.items()}
    begin = boot(layout, status_of, with_data(layout), known_members(layout))
    report(f"building the machines' image {layout.image}")
    image_of(IMAGE_FOLDER, layout.image)
    report("starting the machines")
    ensure_network(layout)
    ensure_registry(layout)
    for name in begin.resumed:
        with docker_errors(f"start {name}"):
            there[name].start()
    started = _ensure_all(layout, begin.now, machines, programs)
    leaving = {name: container for name, container in there.items() if name not in machines}
    if not begin.fresh:
        # Without etcd a fleetd cannot report that it stops: drain it before its member is removed.
        for name in sorted({*leaving, *_relieved(layout, there)}):
            report(f"draining {name}")
            drain(there[name])
        started += reconcile_members(layout, key, programs, report)
    started += _ensure_all(layout, [name for name in machines if not _runs(layout, name)], machines, programs)
    if started:
        wait_ready(layout, _READY_SEC, report)
        _forget_stale(layout, started)
    remember(layout)
    # Machines that run are changed one after the other, so that etcd keeps its quorum.
    for name, machine in machines.items():
        if name not in started and ensure_machine(layout, machine, programs):
            wait_ready(layout, _READY_SEC, report)
            _forget_stale(layout, [name])
    wait_ready(layout, _READY_SEC, report)
    for container in leaving.values():
        remove_machine(container)
    apply_metadata(layout, _READY_SEC)
    if layout.tls:
        # Every machine has its certificates only now.
        report("securing etcd")
        _secure(layout)


def boot(layout: Layout, status: Mapping[str, str], data: Collection[str], known: Collection[str]) -> BootPlan:
    """Decide which machines start first. *status*: Docker's status of each existing machine; *data*: the machines with
    a volume of etcd's data; *known*: etcd's last known members, none before its first start. Raises QuorumLost."""
    refuse_loss(known, data)
    down = [name for name in layout.names if status.get(name) != "running"]
    if not set(known) & set(data):
        return BootPlan(tuple(down), (), fresh=True)
    members = {member.name for member in layout.members}
    now = [name for name in down if name in members and name in data]
    stopped = [name for name in status if status[name] != "running" and name in data and name not in members]
    return BootPlan(tuple(now), tuple(stopped), fresh=False)


def _secure(layout: Layout) -> None:
    machine = next(found for found in find(layout.identity, "machine") if _name(layout, found) in layout.names)
    secure(Access(functools.partial(exec_request, machine)), layout.open_dirs)


def secure(access: Access, open_dirs: Collection[str]) -> None:
    """Turn etcd's authentication on, or reconcile it. On a busy computer a write may have no answer (see
    `exec_request`), so this begins again and reads what there is."""
    for tries_left in reversed(range(_SECURE_TRIES)):
        try:
            access.enforce(open_dirs)
            break
        except FleetCaptainError:
            if not tries_left:
                raise


def _relieved(layout: Layout, names: Collection[str]) -> frozenset[str]:
    """The machines of *names* that have etcd's data and are no longer to be members."""
    return (with_data(layout) & set(names)) - {member.name for member in layout.members}


def _ensure_all(
    layout: Layout, names: Sequence[str], machines: Mapping[str, Machine], programs: Mapping[str, bytes]
) -> list[str]:
    """Create or start the machines *names* in parallel."""
    with ThreadPoolExecutor(max_workers=len(SIZES)) as pool:
        list(pool.map(lambda name: ensure_machine(layout, machines[name], programs), names))
    return list(names)


def _runs(layout: Layout, name: str) -> bool:
    return any(
        _name(layout, container) == name and container.status == "running"
        for container in find(layout.identity, "machine")
    )


def _name(layout: Layout, container: Any) -> str:
    return str(container.name).removeprefix(f"{layout.prefix}-")


def _forget_stale(layout: Layout, started: Sequence[str]) -> None:
    names = {f"{layout.prefix}-{name}": layout.machine_id(name) for name in started}
    forget_stale([container for container in find(layout.identity, "machine") if container.name in names], names)
