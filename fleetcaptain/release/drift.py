"""The services that a failed deployment left different from the current release. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fleetcaptain.discovery.documents import Release

__all__ = ["format_drift", "services_ahead"]


def services_ahead(current: Release, running: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The services with an instance that is not of *current*. *running* maps each service to the unit hashes of its
    units."""
    return tuple(
        service
        for service, unit_hashes in sorted(running.items())
        if set(unit_hashes) - {current.unit_hashes.get(service, "")}
    )


def format_drift(current: Release, services: Collection[str]) -> str:
    """The last lines of a failed deployment's error; *services* are those of `services_ahead`."""
    if not services:
        return f"{current.tag} is still the current release, and every unit has its text."
    verb = "runs" if len(services) == 1 else "run"
    return (
        f"{current.tag} is still the current release. {', '.join(services)} already {verb} the new version. "
        f"To roll everything back, run `pulumi up -c fleetcaptain:rollbackTo={current.tag}`."
    )
