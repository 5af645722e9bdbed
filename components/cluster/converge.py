"""From whatever there is of a local cluster to what it shall be. May be called again at any time."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from components.cluster.boot import boot
from components.cluster.certificates import ensure_authority, has_authority
from components.cluster.data import remove_container, remove_machine, with_data
from components.cluster.engine import docker_errors, find, image_of
from components.cluster.etcd import ask
from components.cluster.layout import SIZES, Layout
from components.cluster.leaving import drain
from components.cluster.machines import (
    binaries,
    ensure_key,
    ensure_machine,
    ensure_network,
    ensure_registry,
    machine_config,
)
from components.cluster.membership import known_members, remember, settle_members
from components.cluster.metadata import apply_metadata
from components.cluster.ready import wait_ready
from components.cluster.stale import forget_stale
from components.dynamic_resource import status
from fleetcaptain.discovery.access import Access
from fleetcaptain.machine.values import Machine

__all__ = ["IMAGE_FOLDER", "converge"]

IMAGE_FOLDER = Path(__file__).parent / "machine_image"
_READY_SEC = 180


def converge(layout: Layout) -> None:
    """Bring the computer from whatever is there to *layout*. Raises QuorumLost, DeadlineExceeded, FleetCaptainError."""
    if layout.tls and not has_authority(layout.certificates):
        # Of two authorities neither knows the other's machines, so all change at once. Data stays, in volumes.
        for container in find(layout.identity, "machine"):
            remove_container(container)
        ensure_authority(layout.certificates, layout.prefix)
    key, programs = ensure_key(layout), binaries(layout)
    machines = {name: machine_config(layout, name, key, programs) for name in layout.names}
    there = {_name(layout, container): container for container in find(layout.identity, "machine")}
    status_of = {name: container.status for name, container in there.items()}
    begin = boot(layout, status_of, with_data(layout), known_members(layout))
    status(f"building the machines' image {layout.image}")
    image_of(IMAGE_FOLDER, layout.image)
    status("starting the machines")
    ensure_network(layout)
    ensure_registry(layout)
    for name in begin.resumed:
        with docker_errors(f"start {name}"):
            there[name].start()
    started = _ensure_all(layout, begin.now, machines, programs)
    leaving = {name: container for name, container in there.items() if name not in machines}
    if not begin.fresh:
        # Without etcd a fleetd can tell nobody that it goes: it goes before its member does.
        for name in sorted({*leaving, *_relieved(layout, there)}):
            status(f"units leave {name}")
            drain(there[name])
        started += settle_members(layout, key, programs, status)
    started += _ensure_all(layout, [name for name in machines if not _runs(layout, name)], machines, programs)
    if started:
        wait_ready(layout, _READY_SEC, status)
        _forget_stale(layout, started)
    remember(layout)
    # Machines that run are changed one after the other, so that etcd keeps its quorum.
    for name, machine in machines.items():
        if name not in started and ensure_machine(layout, machine, programs):
            wait_ready(layout, _READY_SEC, status)
            _forget_stale(layout, [name])
    wait_ready(layout, _READY_SEC, status)
    for container in leaving.values():
        remove_machine(container)
    apply_metadata(layout, _READY_SEC)
    if layout.tls:
        # Only now has every machine its certificates.
        status("securing etcd")
        _secure(layout)


def _secure(layout: Layout) -> None:
    machine = next(found for found in find(layout.identity, "machine") if _name(layout, found) in layout.names)
    Access(functools.partial(ask, machine)).enforce(layout.open_dirs)


def _relieved(layout: Layout, names: Collection[str]) -> frozenset[str]:
    """Those of *names* that have data of etcd's, and shall have none."""
    return (with_data(layout) & set(names)) - {member.name for member in layout.members}


def _ensure_all(
    layout: Layout, names: Sequence[str], machines: Mapping[str, Machine], programs: Mapping[str, bytes]
) -> list[str]:
    """Make, or start, the machines *names*, all at once."""
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
