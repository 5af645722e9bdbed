"""Instances as a person reads them, and as a program does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer

from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.instances import Instance

__all__ = ["as_json", "show", "show_key"]


def as_json(instance: Instance) -> dict[str, Any]:
    """What its registration says, where it answers, and whether it is of the caller's own release."""
    where = {"own": instance.own, "address": instance.address, "host": instance.host, "port": instance.port}
    registration = instance.registration
    return {
        **where,
        "service": registration.service,
        "unit": registration.unit,
        "content": registration.content,
        "machine": registration.machine,
        "connection": dict(registration.connection),
        "ports": dict(registration.ports),
        "versions": list(registration.versions),
        "since": registration.since,
    }


def show(instances: Sequence[Instance], json_wanted: bool) -> None:
    """One line an instance: its unit, its address, and what it is to the caller; or one line with a JSON list."""
    if json_wanted:
        typer.echo(json.dumps([as_json(instance) for instance in instances]))
        return
    unit = max((len(instance.unit) for instance in instances), default=0)
    address = max((len(instance.address) for instance in instances), default=0)
    for instance in instances:
        whose = "own release" if instance.own else f"serves {', '.join(instance.versions)}".removesuffix("serves ")
        typer.echo(f"{instance.unit:{unit}}  {instance.address:{address}}  {whose or 'of no release'}".rstrip())


def show_key(discovery: Discovery, service: str, json_wanted: bool) -> None:
    """What a program may want to know of a registration that was written; a person sees nothing."""
    if json_wanted:
        typer.echo(json.dumps({"service": service, "key": discovery.identity.key(service)}))
