"""What a cluster on AWS requires in addition to valid settings. Pure."""

from __future__ import annotations

from components.cluster.reserved_ports import reserved_ports
from fleetcaptain.fleetfile.values import App, Build

__all__ = ["PLATFORM", "unmet_preconditions"]

PLATFORM = "linux/amd64"
"""Of the machines, as docker calls it."""
_PARTITION = "aws"


def unmet_preconditions(app: App, *, stack: str, empty_passphrase: bool, partition: str) -> list[str]:
    """What is unmet. *empty_passphrase*: of the encryption of *stack*. *partition*: AWS's, of the stack's region."""
    problems = [*reserved_ports(app), *_other_platforms(app)]
    if empty_passphrase:
        problems.append(
            "the stack is encrypted with an empty passphrase, and its state will have the private keys of etcd. Use a "
            f"key of AWS: `pulumi stack change-secrets-provider 'awskms://alias/NAME?region=REGION' --stack {stack}`; "
            f"or choose a passphrase: `pulumi stack change-secrets-provider passphrase --stack {stack}`, and write it "
            "to a file that PULUMI_CONFIG_PASSPHRASE_FILE names. PULUMI_CONFIG_PASSPHRASE must then not be set: Pulumi "
            "prefers it, and `make` sets it to an empty text if neither is set. `pulumi login s3://BUCKET`, before the "
            "stack is created, keeps the state off this computer"
        )
    if partition != _PARTITION:
        problems.append(
            f"aws:region is in the partition {partition}. Only {_PARTITION} is supported: Flatcar's images and the "
            "addresses of AWS's services are others in China and in GovCloud"
        )
    return problems


def _other_platforms(app: App) -> list[str]:
    """The containers of *app* whose image is built for another processor than the machines have."""
    return [
        f"{spec.name}: Build(platforms={list(spec.image.platforms)}) is for another processor than the machines "
        f"have, which is {PLATFORM}. Remove platforms="
        for spec in app.containers
        if isinstance(spec.image, Build) and spec.image.platforms and PLATFORM not in spec.image.platforms
    ]
