"""The repositories that images are pushed to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleetcaptain.fleetfile.values import App, Build
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["BuiltImage", "build_secrets", "built_images", "repositories"]


@dataclass(frozen=True)
class BuiltImage:
    """The names of a build: its *resource*, and the *repository* that it is pushed to, without the registry."""

    resource: str
    repository: str


def built_images(app: App, files: Mapping[str, UnitFile]) -> dict[Build, BuiltImage]:
    """The images of *app* that are built; *files* maps services to their units. The app's own has the app's name and
    the Fleetfile's ``image``, any other the name of the first service that has it. No two have the same name."""
    services: dict[Build, str] = {}
    for spec in app.services:
        if isinstance(spec.image, Build) and files[spec.name].needs_image:
            services.setdefault(spec.image, spec.name)
    has_own = app.image is not None and Build() in services
    pushed = {build: f"{app.app}/{service}" for build, service in services.items()}
    # A name that is taken gets a dot, which no app or service has in its name.
    if has_own:
        pushed = {build: f"{name}.image" if name == app.image else name for build, name in pushed.items()}
        pushed[Build()] = str(app.image)
    found = {}
    for build, service in services.items():
        resource = app.app if pushed[build] == app.image else service
        is_taken = resource == service == app.app and app.image in pushed.values() and pushed[build] != app.image
        found[build] = BuiltImage(f"{app.app}.{service}" if is_taken else resource, pushed[build])
    return found


def build_secrets(app: App, files: Mapping[str, UnitFile]) -> dict[str, tuple[str, ...]]:
    """The name of each secret that a build of *app* may read -> these builds, as a message calls them."""
    found: dict[str, tuple[str, ...]] = {}
    for build, named in built_images(app, files).items():
        for secret in build.secrets:
            found[secret] = (*found.get(secret, ()), f"the build of {named.resource}")
    return found


def repositories(app: App, files: Mapping[str, UnitFile]) -> tuple[str, ...]:
    """Every name that an image of *app* is pushed to."""
    return tuple(sorted(image.repository for image in built_images(app, files).values()))
