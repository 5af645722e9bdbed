"""Writes a Fleetfile and loads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.values import App, ServiceSpec

__all__ = ["HEAD", "app", "mistakes", "service"]

_NAMES = (
    "Alive, BlueGreen, Build, Command, Expand, Fleetfile, Http, HttpRoute, Literal, Plain, Rolling, Service, Task, "
    "Tcp, TcpRoute, Window"
)
HEAD = f"from fleetcaptain import {_NAMES}\n"


def app(folder: Path, services: str, more: str = 'app="shop", image="acme/shop"') -> App:
    """The app whose ``services=[...]`` are *services*."""
    (folder / "Dockerfile").touch()
    (folder / "Fleetfile.py").write_text(f"{HEAD}fleet = Fleetfile({more}, services=[\n{services}\n])\n")
    return load(folder)


def service(folder: Path, arguments: str = "") -> ServiceSpec:
    """The one service ``web`` with *arguments*."""
    return app(folder, f'Service("web", {arguments})').services[0]


def mistakes(folder: Path, services: str, more: str = 'app="shop", image="acme/shop"') -> tuple[str, ...]:
    """Everything that is said to be wrong with the services."""
    with pytest.raises(FleetfileError) as message:
        app(folder, services, more)
    return message.value.problems
