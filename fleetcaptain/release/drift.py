"""The services that a failed deployment left different from the current release. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fleetcaptain.discovery.documents import Release
from fleetcaptain.release.rollback import rollback_command

__all__ = ["format_drift", "services_ahead", "services_changed"]


def services_ahead(current: Release, running: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The services with an instance that is not of *current*. *running* maps each service to the unit hashes of its
    units."""
    return tuple(
        service
        for service, unit_hashes in sorted(running.items())
        if set(unit_hashes) - {current.unit_hashes.get(service, "")}
    )


def services_changed(current: Release, running: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Those of `services_ahead`, and the services of *current* that have no unit."""
    missing = [service for service in current.services if not running.get(service)]
    return tuple(sorted({*services_ahead(current, running), *missing}))


def format_drift(current: Release, services: Collection[str], stack: str) -> str:
    """The last lines of a failed deployment's error; *services* are those of `services_ahead`. *stack*: that was
    deployed."""
    if not services:
        return f"{current.tag} is still the current release, and every unit has its text."
    verb = "runs" if len(services) == 1 else "run"
    return (
        f"{current.tag} is still the current release. {', '.join(services)} already {verb} the new version. "
        f"To roll everything back, run `{rollback_command(current.tag, stack)}`."
    )
