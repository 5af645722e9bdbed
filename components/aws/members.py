"""The members: plain machines, each with an address and a volume that survive its replacement."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.launch_context import Launch, LaunchContext
from components.aws.snapshots import snapshot_tag
from components.aws.topology import MemberSlot

__all__ = ["MemberNetwork", "make_member", "make_member_network"]

# Inputs whose change would stop or replace a machine.
_KEPT = ["ami", "user_data", "instance_type", "key_name"]


@dataclass(frozen=True)
class MemberNetwork:
    """The parts of a member that outlive its instance: its network *interface*, its *volume_id*, and its *public*
    address."""

    interface: aws.ec2.NetworkInterface
    volume_id: pulumi.Output[str]
    address: aws.ec2.Eip

    @property
    def public(self) -> pulumi.Output[str]:
        """The address on the Internet."""
        address: pulumi.Output[str] = self.address.public_ip
        return address


def make_member_network(context: LaunchContext, place: MemberSlot) -> MemberNetwork:
    """The address and the volume of the member at *place*."""
    scope, network, groups = context.scope, context.network, context.groups
    tags = scope.tags(place.name)
    interface = aws.ec2.NetworkInterface(
        scope.named(place.name),
        subnet_id=network.subnet_ids[place.subnet.name],
        private_ips=[place.address],
        security_groups=[groups.machines, groups.members],
        description=f"etcd member {place.name}",
        tags=tags,
        # The address is free only after the old interface is deleted.
        opts=scope.child(delete_before_replace=True),
    )
    address = aws.ec2.Eip(
        scope.named(place.name),
        domain="vpc",
        network_interface=interface.id,
        tags=tags,
        opts=scope.child(depends_on=[*network.before_machines]),
    )
    volume = aws.ebs.Volume(
        scope.named(f"{place.name}-etcd"),
        availability_zone=place.subnet.zone,
        size=context.settings.data_gib,
        type="gp3",
        encrypted=True,
        tags=scope.tags(f"{place.name}-etcd") | snapshot_tag(scope),
        opts=scope.child(protect=context.settings.protect_data),
    )
    return MemberNetwork(interface, volume.id, address)


def make_member(
    context: LaunchContext, place: MemberSlot, network: MemberNetwork, launch: Launch, *, ami: pulumi.Input[str]
) -> aws.ec2.Instance:
    """The member at *place*, with the volume of its *network* and the image *ami*."""
    scope, settings = context.scope, context.settings
    machine = aws.ec2.Instance(
        scope.named(place.name),
        ami=ami,
        instance_type=settings.instance_type,
        key_name=settings.key_pair,
        iam_instance_profile=launch.identity.profile,
        primary_network_interface={"network_interface_id": network.interface.id},
        root_block_device={
            "volume_type": "gp3",
            "volume_size": settings.root_gib,
            "encrypted": True,
            "delete_on_termination": True,
            # Not volume_tags, which would also be those of etcd's volume, again and again.
            "tags": scope.tags(place.name),
        },
        # One hop: a container cannot use the role of its machine.
        metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
        user_data=launch.user_data,
        # It is read only at the first boot.
        user_data_replace_on_change=True,
        tags=scope.tags(place.name),
        opts=scope.child(
            delete_before_replace=True,
            ignore_changes=None if settings.renew == place.name else _KEPT,
            depends_on=[*launch.needs, network.address],
        ),
    )
    aws.ec2.VolumeAttachment(
        scope.named(place.name),
        device_name="/dev/sdf",
        volume_id=network.volume_id,
        instance_id=machine.id,
        # etcd stops before its disk is detached.
        stop_instance_before_detaching=True,
        opts=scope.child(delete_before_replace=True),
    )
    return machine
