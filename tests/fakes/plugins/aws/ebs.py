"""Volumes, and the machines that they are attached to."""

from __future__ import annotations

import zlib
from typing import Any

from tests.fakes.plugins.aws.aws_api import api, arn, ec2_tags, found
from tests.fakes.plugins.aws.refused import check_volume_free
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]


def _volume(given: Given) -> Made:
    params = given.params("availabilityZone", "size", "encrypted", "iops", "throughput", "snapshotId", "kmsKeyId")
    made = api("ec2").create_volume(**params, **given.params(type="VolumeType"), **given.tags("volume"))
    return Made(made["VolumeId"], {"arn": arn("ec2", f"volume/{made['VolumeId']}")})


def _grown(given: Given) -> None:
    params = given.params("size", "iops", "throughput", type="VolumeType")
    api("ec2").modify_volume(VolumeId=given.id, **params)


def _read(had: Given) -> dict[str, Any] | None:
    volume = found(api("ec2").describe_volumes, "Volumes", VolumeIds=[had.id])
    return None if volume is None else {"size": volume["Size"], "type": volume["VolumeType"]}


def _attached(had: Given) -> dict[str, Any] | None:
    """As the real plugin: an attachment is gone when the volume is another instance's, or of none."""
    volume = found(api("ec2").describe_volumes, "Volumes", VolumeIds=[had["volumeId"]])
    owners = [one["InstanceId"] for one in volume["Attachments"]] if volume else []
    return {} if had["instanceId"] in owners else None


def _attachment(given: Given) -> Made:
    params = {"Device": given["deviceName"], **given.params("instanceId", "volumeId")}
    check_volume_free(params["VolumeId"], params["InstanceId"])
    api("ec2").attach_volume(**params)
    return Made(f"vai-{zlib.crc32(' '.join(params.values()).encode())}")


def _detached(had: Given) -> None:
    if had.get("stopInstanceBeforeDetaching"):
        api("ec2").stop_instances(InstanceIds=[had["instanceId"]])
    api("ec2").detach_volume(VolumeId=had["volumeId"], InstanceId=had["instanceId"], Device=had["deviceName"])


KINDS = {
    "aws:ebs/volume:Volume": Kind(
        _volume,
        lambda had: api("ec2").delete_volume(VolumeId=had.id),
        replaces=words("availabilityZone encrypted kmsKeyId multiAttachEnabled outpostArn snapshotId"),
        updates={"tags": ec2_tags, **dict.fromkeys(words("size type iops throughput"), _grown)},
        unmet=words("finalSnapshot"),
        read=_read,
    ),
    "aws:ec2/volumeAttachment:VolumeAttachment": Kind(
        _attachment,
        _detached,
        replaces=words("deviceName instanceId volumeId"),
        unmet=words("forceDetach skipDestroy stopInstanceBeforeDetaching"),
        read=_attached,
    ),
}
