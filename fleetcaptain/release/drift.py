"""What a failed deployment leaves: the services that are not what the current release says. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fleetcaptain.discovery.documents import Manifest

__all__ = ["ahead", "told"]


def ahead(current: Manifest, running: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The services with an instance that is not of *current*. *running* maps each service to the contents that its
    units have."""
    return tuple(
        service for service, contents in sorted(running.items()) if set(contents) - {current.contents.get(service, "")}
    )


def told(current: Manifest, services: Collection[str]) -> str:
    """What the error of a failed deployment says at its end."""
    if not services:
        return f"{current.tag} still is the current release, and every unit has its text."
    verb = "is" if len(services) == 1 else "are"
    return (
        f"{current.tag} still is the current release. Ahead of it {verb} {', '.join(services)}. "
        f"`pulumi up -c fleetcaptain:rollbackTo={current.tag}` brings everything back."
    )
