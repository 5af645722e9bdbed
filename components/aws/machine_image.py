"""The machines' image: Flatcar's newest stable one, or the one of the settings; and how old the present one is."""

from __future__ import annotations

from datetime import datetime

import pulumi_aws as aws

__all__ = ["FLATCAR", "age_notices", "find_image"]

FLATCAR = "075585003325"
"""The account that publishes Flatcar. Any account may use the name of its images; this number is unique."""

# Flatcar's images are unpublished nine months after their release; this leaves time.
_OLD_DAYS = 180
_DAY_SEC = 24 * 3600


def find_image(wanted: str) -> str:
    """The id of the image *wanted*, or of the newest stable one for amd64."""
    if wanted:
        return wanted
    criteria = {"name": "Flatcar-stable-*", "architecture": "x86_64", "virtualization-type": "hvm"}
    filters = [aws.ec2.GetAmiFilterArgs(name=name, values=[value]) for name, value in criteria.items()]
    return str(aws.ec2.get_ami(owners=[FLATCAR], most_recent=True, filters=filters).id)


def age_notices(image: str, newest: str, now: float) -> list[str]:
    """What the operator has to know of the workers' *image*: that it is old, or not published any more, so that no
    machine can be launched from it. *newest*: one that needs no such check. *now*: seconds of the Unix clock."""
    if image == newest:
        return []
    filters = [aws.ec2.GetAmiIdsFilterArgs(name="image-id", values=[image])]
    owners = [FLATCAR, "self"]
    remedy = "Run `pulumi config set fleetcaptain:renewWorkers true`, `pulumi up`, and remove the setting"
    # Without this AWS leaves out deprecated images of other accounts, which can still be launched.
    if not aws.ec2.get_ami_ids(owners=owners, filters=filters, include_deprecated=True).ids:
        return [f"the workers' image {image} is not published any more: no worker can be launched from it. {remedy}"]
    created = aws.ec2.get_ami(
        owners=owners,
        filters=[aws.ec2.GetAmiFilterArgs(name="image-id", values=[image])],
        include_deprecated=True,
    ).creation_date
    days = int((now - datetime.fromisoformat(created).timestamp()) // _DAY_SEC)
    if days < _OLD_DAYS:
        return []
    return [f"the workers' image {image} is {days} days old, and is unpublished after nine months. {remedy}"]
