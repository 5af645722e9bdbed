"""The images of the app that the engine of this computer keeps after it pushed them to the cluster's registry."""

from __future__ import annotations

from contextlib import suppress

import docker.errors

from fleetcaptain.localcluster.docker_client import docker_errors, engine

__all__ = ["remove_pushed"]


def remove_pushed(registry: str) -> None:
    """Remove the images of *registry* (``127.0.0.1:25000``), which is gone. The engine keeps those that a container
    uses or that have another name, and the steps of their builds."""
    client = engine()
    with docker_errors("list the images"):
        found = client.api.images()
    for image in found:
        for name in (*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())):
            if name.startswith(f"{registry}/"):
                # An image goes with its last name, and its digest with its last tag.
                with suppress(docker.errors.APIError):
                    client.api.remove_image(name)
