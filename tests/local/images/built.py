"""A program with one image of an app, in the folder ``app`` of its project."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from components.app_image import AppImage
from components.configured_secrets import configured_secrets
from components.engine.dynamic_resource import Resource
from fleetcaptain.fleetfile.values import Build

__all__ = ["PROVIDERS", "SECRET", "declare"]

SECRET = "NPM_TOKEN"  # noqa: S105 - the name of one
"""The secret that the build reads, of the stack's configuration."""
PROVIDERS: dict[str, type[Resource]] = {}


def declare() -> None:
    """Declare the image, of the stage TARGET with the build argument NODE_VERSION, from two of the app's entries."""
    values = configured_secrets(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    image = AppImage(
        "shop",
        root=Path.cwd() / "app",
        build=Build(
            target=os.environ["TARGET"],
            args=(("NODE_VERSION", os.environ["NODE_VERSION"]),),
            secrets=(SECRET,),
            only=("nonce", "root"),
        ),
        image="acme/shop",
        registry=os.environ["REGISTRY"],
        secrets={name: pulumi.Output.secret(value) for name, value in values.items()},
    )
    pulumi.export("ref", image.ref)
