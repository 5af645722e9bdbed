"""moto on the loopback, in the place of AWS."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

__all__ = ["ARM", "FLATCAR", "NEWER", "OLDER", "REGION", "Cloud", "running"]

REGION = "eu-west-1"
FLATCAR = "075585003325"
"""The account that publishes Flatcar's images."""
OLDER, NEWER, ARM = "ami-0f1a7ca4000000001", "ami-0f1a7ca4000000002", "ami-0f1a7ca4000000003"
_IMAGES = {
    OLDER: ("Flatcar-stable-4230.2.1-hvm", "x86_64", "2026-07-01T00:00:00.000Z"),
    NEWER: ("Flatcar-stable-4459.2.0-hvm", "x86_64", "2026-10-01T00:00:00.000Z"),
    ARM: ("Flatcar-stable-4459.2.0-arm64-hvm", "arm64", "2026-10-01T00:00:00.000Z"),
}


@dataclass(frozen=True)
class Cloud:
    """What answers for AWS at *url*. *environ*: what a process needs in its environment to ask it."""

    url: str

    @property
    def environ(self) -> dict[str, str]:
        """Settings that boto3 knows by itself; they are nobody's secrets."""
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        return {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", **keys}

    def api(self, service: str) -> Any:
        """boto3's client of *service*."""
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def close_ssh(self, block: str) -> None:
        """Remove the rule that opens ssh for *block*, behind Pulumi's back."""
        ec2 = self.api("ec2")
        rules = ec2.describe_security_group_rules()["SecurityGroupRules"]
        (rule,) = (one for one in rules if one.get("CidrIpv4") == block and not one["IsEgress"])
        ec2.revoke_security_group_ingress(GroupId=rule["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])

    def terminate(self, addresses: Collection[str]) -> None:
        """End the instances at private *addresses*, as a failure of their hosts would. AWS detaches their volumes."""
        ec2 = self.api("ec2")
        filters = [{"Name": "private-ip-address", "Values": [*addresses]}]
        for reservation in ec2.describe_instances(Filters=filters)["Reservations"]:
            for instance in reservation["Instances"]:
                identity = instance["InstanceId"]
                attached = [{"Name": "attachment.instance-id", "Values": [identity]}]
                for volume in ec2.describe_volumes(Filters=attached)["Volumes"]:
                    if any(tag["Key"] == "Name" for tag in volume.get("Tags", ())):  # no root disk
                        ec2.detach_volume(VolumeId=volume["VolumeId"], InstanceId=identity)
                ec2.terminate_instances(InstanceIds=[identity])


@contextmanager
def running(folder: Path) -> Iterator[Cloud]:
    """An empty account, in which Flatcar's images are for sale. *folder* is for the list of them."""
    images = folder / "images.json"
    images.write_text(json.dumps([_image(identity) for identity in _IMAGES]))
    # moto reads them when it is imported.
    os.environ["MOTO_AMIS_PATH"] = str(images)
    os.environ["MOTO_ENABLE_AMI_VALIDATION"] = os.environ["MOTO_ENABLE_KEYPAIR_VALIDATION"] = "true"
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    from moto.autoscaling.responses import AutoScalingResponse
    from moto.core.responses import ActionResult
    from moto.server import ThreadedMotoServer

    # moto has no instance refresh, and fails without an answer that boto3 can read. The program asks for the newest,
    # and starts one where workers keep an old version.
    AutoScalingResponse.describe_instance_refreshes = lambda _: ActionResult({"InstanceRefreshes": []})  # type: ignore[attr-defined]
    AutoScalingResponse.start_instance_refresh = lambda _: ActionResult({"InstanceRefreshId": "r-1"})  # type: ignore[attr-defined]
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    try:
        yield Cloud("http://{}:{}".format(*server.get_host_and_port()))
    finally:
        server.stop()


def _image(identity: str) -> dict[str, Any]:
    name, architecture, created = _IMAGES[identity]
    return {
        "ami_id": identity,
        "name": name,
        "description": "Flatcar Container Linux",
        "owner_id": FLATCAR,
        "public": True,
        "architecture": architecture,
        "creation_date": created,
        "virtualization_type": "hvm",
        "hypervisor": "xen",
        "state": "available",
        "platform": None,
        "image_type": "machine",
        "image_location": f"{FLATCAR}/{name}",
        "root_device_name": "/dev/xvda",
        "root_device_type": "ebs",
        "sriov": "simple",
    }
