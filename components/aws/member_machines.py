"""The machines of all members, in the order in which they may come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import pulumi_aws as aws

from components.aws.joined_member import JoinedMember
from components.aws.launch_context import Launch, LaunchContext
from components.aws.members import MemberNetwork, make_member
from components.aws.ssh_connection import endpoint_of_members, guarded, hosts_of
from components.aws.topology import MemberSlot

__all__ = ["make_members"]


def make_members(
    context: LaunchContext,
    members: Sequence[MemberSlot],
    networks: Mapping[str, MemberNetwork],
    launch_of: Callable[[MemberSlot], Launch],
    *,
    ami: str,
    joined: Collection[str],
) -> dict[str, aws.ec2.Instance]:
    """Name -> machine. *joined*: the members that join an etcd which is there, each after those before it."""
    settings, identity = context.settings, context.scope.identity
    machines: dict[str, aws.ec2.Instance] = {}
    # The member to renew comes last, because it depends on the health of all others.
    for place in sorted(members, key=lambda place: place.name == settings.renew):
        launch = launch_of(place)
        if place.name in joined:
            there = {name: machine for name, machine in machines.items() if name not in joined}
            upto = members[: members.index(place) + 1]
            listed = JoinedMember(
                context.scope.named(place.name),
                {
                    "connection": endpoint_of_members(
                        settings, identity, hosts_of(settings, {name: networks[name] for name in there}, there)
                    ),
                    "members": [[one.name, one.address] for one in upto],
                },
                context.scope.child(depends_on=[machines[one.name] for one in upto if one.name in machines]),
            )
            launch = replace(launch, before=(*launch.before, listed))
        others = hosts_of(
            settings, {name: network for name, network in networks.items() if name != place.name}, machines
        )
        is_renewed = settings.renew == place.name
        machines[place.name] = make_member(
            context,
            place,
            networks[place.name],
            launch,
            ami=guarded(ami, settings, identity, others) if is_renewed else ami,
        )
    return machines
