"""A small app's services as the inputs of their resources, and as the units that a cluster runs for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetcaptain.units.names import generation_names, instance_names, machine_names
from tests.fakes.fake_cluster import APP, STACK, text_of
from tests.fakes.fake_site import MACHINES
from tests.fakes.unit_texts import unit_hash, with_image

__all__ = ["CONNECTION", "IMAGE", "LOCAL", "STACK", "full", "names_of", "text_of", "unit_inputs", "units_of"]

IMAGE = "127.0.0.1:5000/shop@sha256:1"
CONNECTION: Mapping[str, Any] = {
    "kind": "existing",
    "stack": STACK,
    "ssh": ["core@10.0.0.1"],
    "key": "",
    "known_hosts": "",
}
LOCAL: Mapping[str, Any] = {**CONNECTION, "kind": "local", "ssh": [f"core@{machine.ip}" for machine in MACHINES]}
ROLLOUT = {
    "max_parallel": 1,
    "min_healthy_sec": 1,
    "healthy_deadline_sec": 20,
    "progress_deadline_sec": 40,
    "auto_revert": True,
    "keep_old_sec": 5,
}


def full(unit: str) -> str:
    """The text as it is on the cluster."""
    return with_image(unit, IMAGE)


def unit_inputs(service: str = "web", instances: int = 2, mode: str = "rolling", **more: Any) -> dict[str, Any]:
    """The inputs of a service's resource."""
    inputs = {
        "app": APP,
        "service": service,
        "unit": text_of(service, global_unit=mode == "global"),
        "image": IMAGE,
        "instances": instances,
        "mode": mode,
        "rollout": ROLLOUT,
        "state": "launched",
        "adopt": [],
        "cluster": CONNECTION,
    }
    return {**inputs, **more}


def names_of(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the units that these inputs ask for."""
    service, instances = inputs["service"], inputs["instances"]
    match inputs["mode"]:
        case "bluegreen":
            return generation_names(service, unit_hash(full(inputs["unit"])), instances)
        case "global":
            return machine_names(service, [machine.id for machine in MACHINES])
        case "everywhere":
            return (f"{service}.service",)
    return instance_names(service, instances)


def units_of(*inputs: Mapping[str, Any]) -> dict[str, str]:
    """Name -> text of all units that these inputs ask for."""
    return {name: full(one["unit"]) if one["image"] else one["unit"] for one in inputs for name in names_of(one)}
