"""FleetCaptain deploys an app of several services to a fleet cluster without downtime.

For a Fleetfile: its classes; see docs/fleetfile.md. For the app itself: `register`, `unregister`, `discover` and
`ensure_available`; see docs/discovery.md. Each name is imported at first use, so an app loads, and its image requires,
only the modules that it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleetcaptain.discovery.api import discover, ensure_available, register, unregister
    from fleetcaptain.discovery.instances import Instance
    from fleetcaptain.discovery.lease import Lease
    from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError, NotAvailable
    from fleetcaptain.fleetfile.dsl import Fleetfile, Service, Task
    from fleetcaptain.fleetfile.values import (
        Alive,
        BlueGreen,
        Build,
        Command,
        Expand,
        Http,
        HttpRoute,
        Literal,
        Plain,
        Rolling,
        SecretFile,
        Tcp,
        TcpRoute,
        Window,
    )

__all__ = [
    "Alive",
    "BlueGreen",
    "Build",
    "ClusterUnreachable",
    "Command",
    "Expand",
    "FleetCaptainError",
    "Fleetfile",
    "Http",
    "HttpRoute",
    "Instance",
    "Lease",
    "Literal",
    "NotAvailable",
    "Plain",
    "Rolling",
    "SecretFile",
    "Service",
    "Task",
    "Tcp",
    "TcpRoute",
    "Window",
    "__version__",
    "discover",
    "ensure_available",
    "register",
    "unregister",
]

__version__ = "0.2.0"
"""The version of the package. pyproject.toml reads it from here, so a clone that is not installed has it too."""

_IN = {
    "fleetcaptain.discovery.api": ("discover", "ensure_available", "register", "unregister"),
    "fleetcaptain.discovery.instances": ("Instance",),
    "fleetcaptain.discovery.lease": ("Lease",),
    "fleetcaptain.errors": ("ClusterUnreachable", "FleetCaptainError", "NotAvailable"),
    "fleetcaptain.fleetfile.values": (
        "Alive",
        "BlueGreen",
        "Build",
        "Command",
        "Expand",
        "Http",
        "HttpRoute",
        "Literal",
        "Plain",
        "Rolling",
        "SecretFile",
        "Tcp",
        "TcpRoute",
        "Window",
    ),
    "fleetcaptain.fleetfile.dsl": ("Fleetfile", "Service", "Task"),
}


def __getattr__(name: str) -> Any:
    for module, names in _IN.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
