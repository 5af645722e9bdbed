"""The machines' image: Flatcar Container Linux, the system that took CoreOS's place."""

from __future__ import annotations

import pulumi_aws as aws

__all__ = ["FLATCAR", "find_image"]

FLATCAR = "075585003325"
"""The account that publishes Flatcar. Anybody may call an image so; nobody else has this number."""


def find_image(wanted: str) -> str:
    """The id of the image *wanted*, or else of the newest stable one for amd64."""
    if wanted:
        return wanted
    asked = {"name": "Flatcar-stable-*", "architecture": "x86_64", "virtualization-type": "hvm"}
    filters = [aws.ec2.GetAmiFilterArgs(name=name, values=[value]) for name, value in asked.items()]
    return str(aws.ec2.get_ami(owners=[FLATCAR], most_recent=True, filters=filters).id)
