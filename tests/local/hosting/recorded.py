"""A program that declares what a recorded state has, with the inputs of the time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from components.engine.dynamic_resource import Resource
from components.host.provider_registry import PROVIDERS

__all__ = ["PROVIDERS", "STATE", "declare", "dynamic"]

STATE = Path(__file__).with_name("state_with_pickles.json")
"""What `pulumi stack export` gave of a stack of an earlier version, whose resources carry pickled providers. Long texts
were cut, and `ClusterReady` was put together from what a stack on AWS has."""


def dynamic(state: str) -> dict[str, dict[str, Any]]:
    """URN -> the dynamic resource, of an exported *state*."""
    resources = json.loads(state)["deployment"]["resources"]
    return {one["urn"]: one for one in resources if one["type"].startswith("pulumi-python:dynamic/")}


def declare() -> None:
    """Declare each of them. What a provider adds was no input of the program."""
    for resource in dynamic(STATE.read_text()).values():
        *_, kind, name = resource["urn"].replace("::", ":").split(":")
        Resource(kind, name, {key: value for key, value in resource["inputs"].items() if key != "__provider"})
