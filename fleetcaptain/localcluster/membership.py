"""etcd's members of a local cluster: reads them from within their machines, adds and removes them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fleetcaptain.localcluster.docker_client import find
from fleetcaptain.localcluster.drain import forget_presence
from fleetcaptain.localcluster.etcd_exec import exec_request
from fleetcaptain.localcluster.layout import Layout
from fleetcaptain.localcluster.machines import ensure_machine, machine_config
from fleetcaptain.localcluster.volumes import forget_member, with_data
from fleetcaptain.members.member import ChangeKind, Listed, MemberChange, Seen
from fleetcaptain.members.members_api import MembersApi
from fleetcaptain.members.reconcile import reconcile

__all__ = ["known_members", "reconcile_members", "remember"]

_STEP_SEC = 90


def known_members(layout: Layout) -> tuple[str, ...]:
    """The names of etcd's members, now or when etcd last answered; none before its first answer."""
    for _, member, _ in _running(layout):
        listed = member.listed()
        if listed:
            return tuple(one.name for one in listed if one.name)
    path = layout.members_file
    return tuple(json.loads(path.read_text(errors="backslashreplace"))) if path.exists() else ()


def remember(layout: Layout) -> None:
    """Store the members' names for a time when none of them answers."""
    layout.members_file.write_text(json.dumps([member.name for member in layout.members]))


def reconcile_members(
    layout: Layout, key: str, programs: Mapping[str, bytes], report: Callable[[str], None]
) -> list[str]:
    """Reconcile etcd's members with *layout*, one at a time. Returns the machines that were created for that.

    Raises QuorumLost and DeadlineExceeded.
    """
    seen: list[Seen] = []
    made: dict[str, None] = {}

    def probe() -> Seen | None:
        found = _observe(layout)
        seen[:] = [found] if found else []
        return found

    def do(step: MemberChange) -> str:
        if step.verb is ChangeKind.START:
            joined = {one.address for one in seen[0].listed}
            members = tuple(member for member in layout.members if member.address in joined)
            machine = machine_config(layout, step.member.name, key, programs, members)
            ensure_machine(layout, machine, programs)
            made[machine.name] = None
            return ""
        healthy = next((found for found in _running(layout) if found[0] in seen[0].healthy), None)
        if healthy is None:
            return "no member is healthy"
        _, member, container = healthy
        if step.verb is ChangeKind.REMOVE:
            return member.remove(step.id)
        forget_member(layout, step.member.name)
        forget_presence(container, layout.machine_id(step.member.name))
        scheme = "https" if layout.tls else "http"
        return member.add(f"{scheme}://{step.member.address}:2380")

    reconcile(layout.members, probe, do, report, step_sec=_STEP_SEC)
    return list(made)


def _observe(layout: Layout) -> Seen | None:
    members = {address: member for address, member, _ in _running(layout)}
    healthy = frozenset(address for address, member in members.items() if member.healthy())
    # Only a healthy member has the present list.
    for address in sorted(members, key=lambda address: address not in healthy):
        listed: tuple[Listed, ...] | None = members[address].listed()
        if listed:
            return Seen(listed, healthy & {one.address for one in listed}, with_data(layout))
    return None


def _running(layout: Layout) -> Iterator[tuple[str, MembersApi, Any]]:
    """(address, etcd, container) of each running machine with etcd's data, including those that are to be removed."""
    data = with_data(layout)
    for container in find(layout.identity, "machine"):
        name = container.name.removeprefix(f"{layout.prefix}-")
        if container.status == "running" and name in data:
            yield layout.address_of(name), MembersApi(functools.partial(exec_request, container)), container
