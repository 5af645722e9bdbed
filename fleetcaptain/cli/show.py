"""Prints instances, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.instances import Instance
from fleetcaptain.printable import one_line

__all__ = ["as_json", "show", "show_key"]


def as_json(instance: Instance) -> dict[str, Any]:
    """An instance as JSON: its registration, its address, and whether it is of the caller's own release (``own``)."""
    where = {"own": instance.own, "address": instance.address, "host": instance.host, "port": instance.port}
    registration = instance.registration
    return {
        **where,
        "service": registration.service,
        "unit": registration.unit,
        "content": registration.unit_hash,
        "machine": registration.machine,
        "connection": dict(registration.connection),
        "ports": dict(registration.ports),
        "versions": list(registration.versions),
        "since": registration.since,
    }


def show(instances: Sequence[Instance], json_wanted: bool) -> None:
    """Print one line per instance (unit, address, release), or one line with a JSON list."""
    if json_wanted:
        echo_json([as_json(instance) for instance in instances])
        return
    lines = [tuple(map(one_line, _cells(instance))) for instance in instances]
    unit, address = (max((len(line[column]) for line in lines), default=0) for column in (0, 1))
    for line in lines:
        echo(f"{line[0]:{unit}}  {line[1]:{address}}  {line[2]}".rstrip())


def _cells(instance: Instance) -> tuple[str, str, str]:
    served = f"serves {', '.join(instance.versions)}" if instance.versions else "of no release"
    return instance.unit, instance.address, "own release" if instance.own else served


def show_key(discovery: Discovery, service: str, json_wanted: bool) -> None:
    """Print the key of the registration that was written, only as JSON."""
    if json_wanted:
        echo_json({"service": service, "key": discovery.identity.key(service)})
