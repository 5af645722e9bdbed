"""What a failed deployment leaves: the services that are not what the current release says. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fleetcaptain.discovery.documents import Release

__all__ = ["services_ahead", "told"]


def services_ahead(current: Release, running: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The services with an instance that is not of *current*. *running* maps each service to the contents that its
    units have."""
    return tuple(
        service
        for service, unit_hashes in sorted(running.items())
        if set(unit_hashes) - {current.unit_hashes.get(service, "")}
    )


def told(current: Release, services: Collection[str]) -> str:
    """What the error of a failed deployment says at its end."""
    if not services:
        return f"{current.tag} still is the current release, and every unit has its text."
    verb = "is" if len(services) == 1 else "are"
    return (
        f"{current.tag} still is the current release. Ahead of it {verb} {', '.join(services)}. "
        f"`pulumi up -c fleetcaptain:rollbackTo={current.tag}` brings everything back."
    )
