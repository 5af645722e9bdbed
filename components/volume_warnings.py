"""The preview's warning of volumes that images declare and services do not mount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pulumi

from components.engine import diagnostics
from fleetcaptain.fleetfile.values import Build, ServiceSpec
from fleetcaptain.units.image_volumes import dockerfile_volumes, loss_warning, unmounted

__all__ = ["declared_volumes", "warn_of_lost_volumes"]


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
