"""The preview's warnings of data that services may lose: in volumes that images declare and services do not mount, and
in volumes of the same name on several machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pulumi

from components.engine import diagnostics
from fleetcaptain.fleetfile.values import Build, ServiceSpec
from fleetcaptain.mode import Mode
from fleetcaptain.release.service_release import Part
from fleetcaptain.units.image_volumes import dockerfile_volumes, loss_warning, unmounted

__all__ = ["declared_volumes", "warn_of_lost_volumes", "warn_of_spread_volumes"]


def declared_volumes(root: Path, build: Build) -> tuple[str, ...]:
    """The volumes in the Dockerfile of *build*, below *root*; none if it is unreadable, which its build reports."""
    try:
        return dockerfile_volumes((root / build.context / build.dockerfile).read_text(errors="replace"), build.target)
    except OSError:
        return ()


def warn_of_lost_volumes(app: str, declared: Mapping[ServiceSpec, pulumi.Input[Sequence[str]]]) -> None:
    """In a preview, warn once of all services that lose data; *declared* are the volumes of each one's image."""

    def warn(known: Sequence[Sequence[str]]) -> None:
        lost = {spec.name: unmounted(spec, volumes) for spec, volumes in zip(declared, known, strict=True)}
        warning = loss_warning(app, {service: paths for service, paths in lost.items() if paths})
        if warning:
            diagnostics.warn(warning)

    if pulumi.runtime.is_dry_run():
        pulumi.Output.all(*declared.values()).apply(warn)


def warn_of_spread_volumes(parts: Sequence[Part]) -> None:
    """In a preview, warn once of all services whose instances find other data on another machine. One on every machine
    has its own data there."""
    several = [part for part in parts if part.mode is not Mode.PER_MACHINE and (part.instances > 1 or part.windows)]
    spread = {part.service: part.unit.kept_volumes for part in several}
    listed = [f"  {service}: {', '.join(volumes)}" for service, volumes in spread.items() if volumes]
    if listed and pulumi.runtime.is_dry_run():
        diagnostics.warn(
            "\n".join(
                [
                    "These services do not stay with the data of their named volumes. Each machine has its own volume "
                    "of that name, and fleet starts an instance on any machine:",
                    *listed,
                    "A service with instances=1 stays on the machine with its data.",
                ]
            )
        )
