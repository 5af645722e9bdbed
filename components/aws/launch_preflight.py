"""The preflight of a cluster: asks AWS and this computer whether the machines that are missing can be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.aws.account_facts import ask_account
from components.aws.client_facts import ClientFacts
from components.aws.launch_findings import PROVIDER_KEYS, Made, findings, provider_only, usable_zones
from components.aws.recorded_cluster import workers_in
from components.aws.recorded_types import ADDRESS, READY
from components.aws.settings import Settings
from components.engine import diagnostics

__all__ = ["Preflight", "made_in", "preflight"]


@dataclass(frozen=True)
class Preflight:
    """The *zones* of the cluster, and the *errors* that stop the deployment."""

    zones: tuple[str, ...]
    errors: tuple[str, ...]


def preflight(
    name: str,
    settings: Settings,
    resources: Mapping[tuple[str, str], Mapping[str, Any]],
    ask_client: Callable[[Settings], ClientFacts],
    *,
    has_zones: bool,
) -> Preflight:
    """The preflight of the cluster *name*, of which the state has *resources*, by (type, name). Until all machines are
    made, the account and this computer are asked; *ask_client* gives the facts of this computer. *has_zones*: the
    zones in *settings* are those of the state. Warnings are logged."""
    ready = resources.get((READY, name))
    errors, warnings = provider_only(settings, _provider_keys()), []
    if ready is not None and not ready.get("allow_ssh_from"):
        # Sessions of the AWS CLI led to this cluster before, so it has credentials of its own.
        errors, warnings = [], errors
    made = made_in(resources, name, has_zones=has_zones)
    zones = settings.zones
    if ready is None or made.members < settings.members or made.workers < settings.workers:
        account = ask_account(settings)
        found = findings(settings, account, ask_client(settings), made)
        errors += found.errors
        warnings += found.warnings
        if found.notes:
            diagnostics.info(f"Not checked before the machines are made: {'; '.join(found.notes)}")
        zones = settings.zones if has_zones else usable_zones(settings, account)
    for warning in warnings:
        diagnostics.warn(warning)
    return Preflight(zones, tuple(errors))


def made_in(resources: Mapping[tuple[str, str], Mapping[str, Any]], name: str, *, has_zones: bool) -> Made:
    """The machines of the cluster *name* in the state's *resources*, by (type, name). Pure."""
    members = sum(type_ == ADDRESS and resource.startswith(f"{name}-m") for type_, resource in resources)
    return Made(members, workers_in(resources, name), has_zones)


def _provider_keys() -> list[str]:
    config = pulumi.Config("aws")
    return [key for key in PROVIDER_KEYS if config.get(key)]
