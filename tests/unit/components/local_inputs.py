"""The inputs of a local cluster, as its provider gets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.fake_machines import write_programs

__all__ = ["IDENTITY", "NAME", "PREFIX", "cluster_inputs"]

NAME = "shop/dev"
IDENTITY = f"{NAME}/1"
PREFIX = "fc-shop-dev-1"


def cluster_inputs(home: Path, size: int = 3, **more: Any) -> dict[str, Any]:
    """The inputs of a cluster, with its subnet and port chosen."""
    inputs = {
        "identity": IDENTITY,
        "size": float(size),
        "subnet": "10.70.1.0/24",
        "registry_port": 25000,
        "home": str(home),
        "image": "machine:1",
        "tools": str(write_programs(home / "tools")),
        "agent_ttl_sec": 30,
        "metadata": {"disk": "ssd"},
        "tls": False,
        "open_dirs": [],
        "state": "running",
    }
    return {**inputs, **more}
