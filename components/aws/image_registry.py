"""The registry of the app's images: an ECR repository for each, scanned, with a limit on its size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.scope import Scope

__all__ = ["KEPT_IMAGES", "ImageRegistry", "lifecycle", "make_registry"]

KEPT_IMAGES = 200
"""The number of pushed images that a repository keeps. Units name images by digest. Ten releases are kept, and the
current and the previous one: they need at most twelve images. The rest is room for those of failed deployments."""


@dataclass(frozen=True)
class ImageRegistry:
    """Its *host*, and the *arns* of its repositories."""

    host: pulumi.Output[str]
    arns: tuple[pulumi.Output[str], ...]


def lifecycle() -> Mapping[str, object]:
    """The rule by which ECR deletes images: by number, not by age, because the current release may be old."""
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES}
    what = f"Keep the last {KEPT_IMAGES} images"
    return {"rules": [{"rulePriority": 1, "description": what, "selection": selection, "action": {"type": "expire"}}]}


def make_registry(scope: Scope, repositories: Sequence[str]) -> ImageRegistry:
    """A repository for each of *repositories*, the names that images are pushed to."""
    arns, hosts = [], []
    for name in repositories:
        part = name.replace("/", "-")
        made = aws.ecr.Repository(
            scope.named(part),
            name=name,
            image_scanning_configuration={"scan_on_push": True},
            # Each push moves `latest`; units name images by digest, which cannot move.
            image_tag_mutability="MUTABLE",
            encryption_configurations=[{"encryption_type": "AES256"}],
            # The images are removed with the cluster that runs them.
            force_delete=True,
            tags=scope.tags(part),
            opts=scope.child(),
        )
        aws.ecr.LifecyclePolicy(
            scope.named(part), repository=made.name, policy=json.dumps(lifecycle()), opts=scope.child()
        )
        arns.append(made.arn)
        hosts.append(made.repository_url)
    region, account = aws.get_region().region, aws.get_caller_identity().account_id
    host = f"{account}.dkr.ecr.{region}.{aws.get_partition().dns_suffix}"
    # No image is pushed before all repositories exist.
    return ImageRegistry(pulumi.Output.all(*hosts).apply(lambda _: host), tuple(arns))
