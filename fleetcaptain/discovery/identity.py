"""The caller's identity, read from the environment of its container or unit."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleetcaptain.discovery.instances import Caller
from fleetcaptain.discovery.keys import registration_key
from fleetcaptain.errors import UnknownApp

__all__ = ["UNITS", "Identity"]

# fleet's unit files; a program sees them only if it runs on the machine itself and not in a container.
UNITS = Path("/run/fleet/units")
_LOCAL_ETCD = "http://127.0.0.1:2379"


@dataclass(frozen=True)
class Identity:
    """The *app*; the *service*, *unit*, *unit_hash* (SHA1) and *run* of the caller, its *machine*'s id and *host*, the
    machine's address; *etcd*, the URL of etcd; *versions*, the releases that its service declares to serve too. All
    but the app and etcd are empty outside of any unit.
    """

    app: str
    service: str = ""
    unit: str = ""
    unit_hash: str = ""
    run: str = ""
    machine: str = ""
    host: str = ""
    etcd: str = _LOCAL_ETCD
    versions: tuple[str, ...] = ()

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] = os.environ,
        units: Path = UNITS,
        *,
        app: str | None = None,
        etcd: str | None = None,
    ) -> Identity:
        """Read the caller's identity from ``FLEETCAPTAIN_...``; *app* and *etcd* take precedence. Raises UnknownApp.

        On the machine itself etcd is on the loopback, the host in COREOS_PRIVATE_IPV4, and the hash is computed from
        the unit's file in *units*.
        """

        def variable(name: str) -> str:
            return environ.get(f"FLEETCAPTAIN_{name}", "")

        name = app or variable("APP")
        if not name:
            raise UnknownApp(
                "Cannot determine the app: FLEETCAPTAIN_APP is not set. FleetCaptain sets it in every container that "
                "it starts. Set it to the app's name in the Fleetfile, or add --app."
            )
        unit = variable("UNIT")
        return cls(
            app=name,
            service=variable("SERVICE"),
            unit=unit,
            unit_hash=variable("CONTENT") or _hash_of_file(units, unit),
            run=variable("RUN") or (environ.get("INVOCATION_ID", "") if unit else ""),
            machine=variable("MACHINE"),
            host=variable("HOST") or environ.get("COREOS_PRIVATE_IPV4", ""),
            etcd=etcd or variable("ETCD") or _LOCAL_ETCD,
            versions=tuple(json.loads(variable("VERSIONS") or "[]")),
        )

    @property
    def caller(self) -> Caller:
        """The caller of a lookup."""
        return Caller(self.unit_hash, self.service)

    def key(self, service: str) -> str:
        """The key at which the caller registers *service*. Outside of any unit the host name replaces the unit."""
        return registration_key(self.app, service, self.name)

    def owns(self, service: str) -> bool:
        """Whether *service* is the one that the caller's unit registers itself."""
        return bool(self.unit and self.machine) and service == self.service

    @property
    def name(self) -> str:
        """The unit, or the host name outside of any unit."""
        return self.unit or socket.gethostname()


def _hash_of_file(units: Path, unit: str) -> str:
    try:
        return hashlib.sha1((units / unit).read_bytes()).hexdigest() if unit else ""  # noqa: S324 - fleet's own hash
    except OSError:
        return ""
