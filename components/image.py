"""``AppImage``: builds an image from a folder, pushes it to the cluster's registry, and names it by its digest."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_docker_build as docker_build

from fleetcaptain.fleetfile.values import Build

__all__ = ["AppImage"]


class AppImage(pulumi.ComponentResource):
    """An image of the app. *ref* is ``<registry>/<name>@sha256:...``: a tag would be no difference to fleet.

    *build* names the folder and Dockerfile below *root*. An unchanged folder is no change.
    """

    ref: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        root: Path,
        build: Build,
        image: str,
        registry: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("fleetcaptain:index:AppImage", name, None, opts)
        context = (root / build.context).resolve()
        repository = pulumi.Output.format("{0}/{1}", registry, image)
        built = docker_build.Image(
            name,
            context=docker_build.BuildContextArgs(location=str(context)),
            dockerfile=docker_build.DockerfileArgs(location=str(context / build.dockerfile)),
            tags=[pulumi.Output.format("{0}:latest", repository)],
            push=True,
            build_on_preview=False,
            # The engine's own BuildKit: another builder would first have to be fetched from a public registry.
            exec_=True,
            builder=docker_build.BuilderConfigArgs(name="default"),
            # The registry goes with its cluster, and a deleted tag would take the digest that units still run.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        self.ref = pulumi.Output.format("{0}@{1}", repository, built.digest)
        self.register_outputs({"ref": self.ref})
