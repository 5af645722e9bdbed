"""A program with deploy hooks, whose resources have the kinds of the product's; to be run by the real Pulumi."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pulumi

from components.deploy_hooks import DeployHooks
from components.engine.abort import abort
from components.engine.dynamic_resource import Resource
from fleetcaptain.errors import FleetCaptainError
from tests.local.hosting.sample import SampleProvider

__all__ = ["PROVIDERS", "declare"]

PROVIDERS = dict.fromkeys(("LocalMachines", "Release", "Task", "Unit", "Readiness"), SampleProvider)


def declare() -> None:
    """A cluster, a task, two units and the gate. The environment says which steps they take, and which fails."""
    try:
        hooks = DeployHooks(Path.cwd(), "shop", "hostile/dev", float(os.environ.get("LIMIT", "60")))
    except FleetCaptainError as error:
        abort(error)
    hooks.attach()
    release = pulumi.Output.from_input(os.environ.get("RELEASE", "v1"))
    hooks.describe("v", release, ["db", "web"])
    _sample("LocalMachines", "machines", release="")
    record = _sample("Release", "record", release=release)
    task = _sample("Task", "migrate", release=os.environ.get("TASK", "v1"), after=[record])
    units = [_sample("Unit", name, release=release, after=[record, task]) for name in ("db", "web")]
    _sample("Readiness", "ready", release=release, after=units)


def _sample(kind: str, name: str, after: Sequence[pulumi.Resource] = (), **inputs: Any) -> Resource:
    half = os.environ.get("FAILS") == name
    props = {"name": name, "steps": int(os.environ.get("STEPS", "0")), "half": half, "out": None, **inputs}
    return Resource(kind, name, props, pulumi.ResourceOptions(depends_on=list(after)))
