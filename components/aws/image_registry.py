"""The registry of the app's images: an ECR repository for each, scanned, with a limit on its size. Its name begins with
the stack, so that several stacks of one app can be in one account."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.recorded_types import REPOSITORY
from components.aws.scope import Scope

__all__ = ["KEPT_IMAGES", "ImageRegistry", "lifecycle", "make_registry", "prefix_of"]

# Of each part of a repository's name.
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_HASH_CHARS = 6

KEPT_IMAGES = 200
"""The number of pushed images that a repository keeps. Units name images by digest. Ten releases are kept, and the
current and the previous one: they need at most twelve images. The rest is room for those of failed deployments."""


@dataclass(frozen=True)
class ImageRegistry:
    """Its *host*; *base*, the host with what the names of all repositories begin with; and the *arns* of these."""

    host: pulumi.Output[str]
    base: pulumi.Output[str]
    arns: tuple[pulumi.Output[str], ...]


def lifecycle() -> Mapping[str, object]:
    """The rule by which ECR deletes images: by number, not by age, because the current release may be old."""
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES}
    what = f"Keep the last {KEPT_IMAGES} images"
    return {"rules": [{"rulePriority": 1, "description": what, "selection": selection, "action": {"type": "expire"}}]}


def prefix_of(identity: str, recorded: Collection[str]) -> str:
    """What the names of the repositories of the stack *identity* (``project/stack``) begin with: it, as far as ECR
    permits its letters. "" for a stack of an earlier version, whose repositories have other names, in *recorded*: its
    machines run images from there. Pure."""
    prefix = "".join(f"{_permitted(part)}/" for part in identity.split("/"))
    return prefix if all(name.startswith(prefix) for name in recorded) else ""


def _permitted(text: str) -> str:
    if _NAME.fullmatch(text):
        return text
    # Two names that differ in what is left out must not become the same.
    words = [*re.findall("[a-z0-9]+", text.lower()), hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARS]]
    return "-".join(words)


def make_registry(
    scope: Scope, repositories: Sequence[str], resources: Mapping[tuple[str, str], Mapping[str, Any]]
) -> ImageRegistry:
    """A repository for each of *repositories*, the names that images are pushed to below the registry's base.
    *resources* are those of the state, by (type, name)."""
    recorded = [str(outputs["name"]) for (type_, _), outputs in resources.items() if type_ == REPOSITORY]
    prefix = prefix_of(scope.identity, recorded)
    arns, hosts = [], []
    for name in repositories:
        part = name.replace("/", "-")
        made = aws.ecr.Repository(
            scope.named(part),
            name=f"{prefix}{name}",
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
    base = f"{host}/{prefix}".rstrip("/")
    # No image is pushed before all repositories exist.
    made_all = pulumi.Output.all(*hosts)
    return ImageRegistry(made_all.apply(lambda _: host), made_all.apply(lambda _: base), tuple(arns))
