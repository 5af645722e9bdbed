"""Who we are: what FleetCaptain tells each container, and each line of a unit, in its environment."""

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

# fleet's unit files; only a program that runs on the machine itself, and not in a container, sees them.
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
        """The caller, from ``FLEETCAPTAIN_...``; *app* and *etcd* count more. Raises UnknownApp.

        On the machine itself etcd is on the loopback, the host in COREOS_PRIVATE_IPV4, and the content that of the
        unit's file in *units*.
        """

        def told(name: str) -> str:
            return environ.get(f"FLEETCAPTAIN_{name}", "")

        known = app or told("APP")
        if not known:
            raise UnknownApp(
                "The app is not known: FLEETCAPTAIN_APP is not set, as it is in every container that FleetCaptain "
                "starts. Set it to the app's name in the Fleetfile, or give --app."
            )
        unit = told("UNIT")
        return cls(
            app=known,
            service=told("SERVICE"),
            unit=unit,
            unit_hash=told("CONTENT") or _content(units, unit),
            run=told("RUN") or (environ.get("INVOCATION_ID", "") if unit else ""),
            machine=told("MACHINE"),
            host=told("HOST") or environ.get("COREOS_PRIVATE_IPV4", ""),
            etcd=etcd or told("ETCD") or _LOCAL_ETCD,
            versions=tuple(json.loads(told("VERSIONS") or "[]")),
        )

    @property
    def asker(self) -> Caller:
        """The caller as one who looks services up."""
        return Caller(self.unit_hash, self.service)

    def key(self, service: str) -> str:
        """Where the caller registers *service*. Outside of any unit, its computer's name stands for the unit."""
        return registration_key(self.app, service, self.name)

    def owns(self, service: str) -> bool:
        """Whether the key of *service* is the one at which the caller's unit registers itself."""
        return bool(self.unit and self.machine) and service == self.service

    @property
    def name(self) -> str:
        """The unit, or the computer's name outside of any."""
        return self.unit or socket.gethostname()


def _content(units: Path, unit: str) -> str:
    try:
        return hashlib.sha1((units / unit).read_bytes()).hexdigest() if unit else ""  # noqa: S324 - fleet's own hash
    except OSError:
        return ""
