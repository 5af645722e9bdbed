"""The definition of a machine as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Binary", "File", "Forward", "Machine", "Member", "Unit"]


@dataclass(frozen=True)
class Member:
    """A machine that keeps etcd's data: its *name* and *address*."""

    name: str
    address: str


@dataclass(frozen=True)
class Binary:
    """A program that the machine downloads to *path* from *source* (a URL) and verifies against *sha512* (hex)."""

    path: str
    source: str
    sha512: str


@dataclass(frozen=True)
class Forward:
    """The registry on every machine: 127.0.0.1:*port*, forwarded to *target* (``host:port``).

    Docker trusts registries on the loopback without TLS, and an image has the same name on every machine.
    """

    port: int
    target: str


@dataclass(frozen=True)
class File:
    """A further file at *path*: *text*, or the content that Ignition downloads from *source* at the first boot."""

    path: str
    text: str = ""
    source: str = ""
    mode: int = 0o644


@dataclass(frozen=True)
class Unit:
    """A further systemd unit; if it is not *enabled*, another unit starts it."""

    name: str
    text: str
    enabled: bool = True


@dataclass(frozen=True)
class Machine:
    """One machine of a cluster.

    *members* are all machines with etcd's data; any other machine gets a gateway to them.
    *agent_ttl_sec*: after so many seconds without a heartbeat fleet moves the machine's units.
    *etcd_state*: ``existing`` for a member that joins a running cluster, else ``new``.
    *name* and *address* are empty if only the machine itself can know them: then one of *units* must write
    `/etc/environment`.
    *advertised*: the address that fleet and etcd give to clients, if not *address*.
    *discovery_url*: the discovery service of the members, instead of *members*.
    *tls*: machines use TLS to etcd, with the files of `fleetcaptain.machine.tls`.
    *files* and *units* are those of this kind of cluster, in addition to those of every machine.
    """

    name: str
    address: str
    members: tuple[Member, ...]
    ssh_keys: tuple[str, ...]
    binaries: tuple[Binary, ...]
    registry: Forward | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    etcd_token: str = "fleetcaptain"  # noqa: S105  it distinguishes clusters and is not a secret
    agent_ttl_sec: int = 30
    etcd_state: str = "new"
    advertised: str = ""
    discovery_url: str = ""
    tls: bool = False
    files: tuple[File, ...] = ()
    units: tuple[Unit, ...] = ()

    @property
    def is_member(self) -> bool:
        """Whether this machine keeps etcd's data."""
        return any(member.name == self.name for member in self.members)
