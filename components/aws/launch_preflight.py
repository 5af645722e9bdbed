"""The preflight of a cluster that is made: asks AWS and looks at this computer, and reports all findings at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pulumi

from components.aws.account_facts import ask_account
from components.aws.client_facts import ClientFacts
from components.aws.launch_findings import Made, findings, provider_only, usable_zones
from components.aws.settings import Settings
from components.engine import diagnostics
from components.engine.recorded_state import recorded_resources
from fleetcaptain.errors import ClusterRefused

__all__ = ["checked_zones", "made_in"]

_ADDRESS, _GROUP = "aws:ec2/eip:Eip", "aws:autoscaling/group:Group"
_READY = "pulumi-python:dynamic/fleet:ClusterReady"
_SECRET_KEYS = ("accessKey", "secretKey", "token")
_OBJECT_KEYS = ("assumeRoles", "assumeRoleWithWebIdentity")


def checked_zones(
    name: str, settings: Settings, is_recorded: bool, look: Callable[[Settings], ClientFacts]
) -> tuple[str, ...]:
    """The zones of the cluster *name*; those in *settings* if the state has them: *is_recorded*. Until all of its
    machines are made, the account and this computer are checked first; *look* gives the facts of this computer.

    Raises ClusterRefused with all errors that were found. Warnings are logged.
    """
    errors = provider_only(settings, _provider_keys())
    resources = recorded_resources((_ADDRESS, _GROUP, _READY))
    made = made_in(resources, name, is_recorded=is_recorded)
    is_complete = (_READY, name) in resources and made.members >= settings.members and made.workers >= settings.workers
    zones = settings.zones
    if not is_complete:
        account = ask_account(settings)
        found = findings(settings, account, look(settings), made)
        errors += found.errors
        for warning in found.warnings:
            diagnostics.warn(warning)
        if found.notes:
            diagnostics.info(f"Not checked before the cluster is made: {'; '.join(found.notes)}")
        zones = settings.zones if is_recorded else usable_zones(settings, account)
    if errors:
        raise ClusterRefused("Cannot create the cluster. Nothing was changed:", errors)
    return zones


def made_in(resources: Mapping[tuple[str, str], Mapping[str, Any]], name: str, *, is_recorded: bool) -> Made:
    """The machines of the cluster *name* in the state's *resources*, by (type, name). Pure."""
    members = sum(type_ == _ADDRESS and resource.startswith(f"{name}-m") for type_, resource in resources)
    group = resources.get((_GROUP, f"{name}-workers"), {})
    return Made(members, int(group.get("desiredCapacity") or 0), is_recorded)


def _provider_keys() -> list[str]:
    config = pulumi.Config("aws")
    found = [key for key in _SECRET_KEYS if config.get(key)]
    return found + [key for key in _OBJECT_KEYS if config.get(key)]
