"""A member that joins a running etcd: etcd lists it before its machine is launched."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider

from components.aws.replacement_guard import HEALTH
from components.cluster.handles import handle_of
from components.engine.dynamic_resource import Resource, cancelled, status
from fleetcaptain.errors import ClusterUnreachable, Interrupted
from fleetcaptain.machine.definition import Member
from fleetcaptain.machine.machine_ports import PEER
from fleetcaptain.members.joining import list_member
from fleetcaptain.members.member import Seen
from fleetcaptain.members.members_api import MembersApi, is_healthy
from fleetcaptain.rollout.cluster import Cluster

__all__ = ["JoinedMember", "JoinedMemberProvider"]

_STEP_SEC = 900
_HEALTH_SEC = 10


class JoinedMemberProvider(ResourceProvider):
    """Has etcd list a member. Inputs: ``connection``, to members that are there already; ``members``, name -> address
    of those before it and, last, itself. It never changes: etcd keeps its list itself."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Add it as soon as all others are healthy. Raises DeadlineExceeded and ClusterRefused; the next ``up``
        continues."""
        wanted = [Member(name, address) for name, address in props["members"]]
        cluster = handle_of(props["connection"]).connect("")
        api = MembersApi(cluster.store.request)
        list_member(
            wanted,
            lambda: _observe(cluster, api),
            lambda member: api.add(f"https://{member.address}:{PEER}"),
            status,
            step_sec=_STEP_SEC,
            sleep=_sleep,
        )
        return CreateResult(wanted[-1].name, props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """No difference: another connection adds no member again."""
        return DiffResult(changes=False)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """As it was added."""
        return ReadResult(id_, props, props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: etcd ends with its cluster."""


def _observe(cluster: Cluster, api: MembersApi) -> Seen | None:
    try:
        listed = api.listed()
    except ClusterUnreachable:
        return None
    if not listed:
        return None
    answers = {one.address: cluster.run(one.address, HEALTH, _HEALTH_SEC) for one in listed if one.name}
    healthy = frozenset(address for address, answer in answers.items() if is_healthy(answer or ""))
    return Seen(listed, healthy, frozenset(one.name for one in listed))


def _sleep(seconds: float) -> None:
    if cancelled():
        raise Interrupted("stopped on request while a member of etcd joins. To continue, run `pulumi up`")
    time.sleep(seconds)


class JoinedMember(Resource):
    """The place of a member on etcd's list; see `JoinedMemberProvider`. Its machine depends on it."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("JoinedMember", name, props, opts)
