"""A program that declares the example's services with the product's own resource and provider, on a local cluster that
does not exist yet."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from components.fleet_unit import FleetUnit, RollingUpdateProvider
from fleetcaptain.fleetfile import load
from fleetcaptain.release.service_release import parts_of_app
from fleetcaptain.units.render import render_app

__all__ = ["EXAMPLE", "PROVIDERS", "declare"]

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "behavioral"
PROVIDERS = {"Unit": RollingUpdateProvider}

_CONNECTION = {
    "kind": "local",
    "stack": "fleetcaptain/dev/1f0c3a9d",
    "ssh": ["core@10.67.85.11", "core@10.67.85.12", "core@10.67.85.13"],
    "key": ".fleetcaptain/dev/id_ed25519",
    "known_hosts": ".fleetcaptain/dev/known_hosts",
}

# Docker is not asked, here and in the host's process: it has no machine of this stack.
mock.patch("components.cluster.local_handle.machines_running", return_value=None).start()


def declare() -> None:
    """Declare them, with images that are built already: known ones take most room."""
    app = load(EXAMPLE)
    for part in parts_of_app(app, render_app(app, "fleetcaptain/dev")):
        FleetUnit(
            part.service,
            app=app.app,
            service=part.service,
            unit=part.unit.text,
            image=f"127.0.0.1:27726/{app.app}/{part.service}@sha256:{'4f' * 32}",
            instances=part.instances,
            mode=part.mode.value,
            rollout=part.rollout,
            adopt=[],
            cluster=_CONNECTION,
        )
