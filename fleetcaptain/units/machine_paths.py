"""The paths on a machine that the registration lines use. Only tests change them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MACHINE", "TTL_SEC", "MachinePaths"]

# A registration expires after this time without a renewal; the beacon renews it three times within it.
TTL_SEC = 60


@dataclass(frozen=True)
class MachinePaths:
    """*run* contains the tree of registrations, *units* fleet's unit files; *etcd* is the URL of the v2 keys API."""

    run: str = "/run"
    units: str = "/run/fleet/units"
    etcd: str = "http://127.0.0.1:2379/v2/keys"

    def folder(self, app: str, service: str) -> str:
        """The folder that holds the registrations of *service* on this machine, one file a unit."""
        return f"{self.run}/{_path(app, service)}"

    def keys(self, app: str, service: str) -> str:
        """The URL of the keys that mirror `folder`."""
        return f"{self.etcd}/{_path(app, service)}"


MACHINE = MachinePaths()


def _path(app: str, service: str) -> str:
    return f"fleetcaptain/{app}/services/{service}"
