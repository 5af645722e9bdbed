"""What images are pushed to. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fleetcaptain.fleetfile.values import App, Build
from fleetcaptain.units.image import needs_image

__all__ = ["repositories", "repository_of"]


def repository_of(app: App, service: str, build: Build) -> str:
    """The name that the image of *service* is pushed to, without the registry's."""
    return app.image if build == Build() and app.image else f"{app.app}/{service}"


def repositories(app: App, texts: Mapping[str, str]) -> tuple[str, ...]:
    """Every name that an image of *app* is pushed to; *texts* maps services to their units. An image that several
    services share has the name of the first."""
    built: dict[Build, str] = {}
    for spec in app.services:
        if isinstance(spec.image, Build) and needs_image(texts[spec.name]) and spec.image not in built:
            built[spec.image] = repository_of(app, spec.name, spec.image)
    return tuple(sorted(built.values()))
