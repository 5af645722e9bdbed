"""What a machine is, as frozen values."""

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
    """A program that the machine fetches to *path* from *source* (a URL) and checks against *sha512* (hex)."""

    path: str
    source: str
    sha512: str


@dataclass(frozen=True)
class Forward:
    """The registry as every machine sees it: 127.0.0.1:*port*, passed on to *target* (``host:port``).

    Docker trusts registries on the loopback without TLS, and an image has the same name everywhere.
    """

    port: int
    target: str


@dataclass(frozen=True)
class File:
    """A further file at *path*: *text* itself, or what Ignition fetches from *source* at the first boot."""

    path: str
    text: str = ""
    source: str = ""
    mode: int = 0o644


@dataclass(frozen=True)
class Unit:
    """A further systemd unit; one that is not *enabled* is started by another one."""

    name: str
    text: str
    enabled: bool = True


@dataclass(frozen=True)
class Machine:
    """One machine of a cluster.

    *members* are all machines with etcd's data; a machine that is not among them gets a gateway to them.
    *agent_ttl_sec*: fleet takes a silent machine's units elsewhere after so many seconds.
    *etcd_state*: ``existing`` for a member that joins a cluster that runs, else ``new``.
    *name* and *address* are empty where only the machine itself can know them: then one of *units* has to write
    `/etc/environment`.
    *advertised*: the address that fleet and etcd tell clients, when that is not *address*.
    *discovery_url*: where the members find each other, instead of by *members*.
    *tls*: machines speak to etcd over TLS, with the files of `fleetcaptain.machine.tls`.
    *files* and *units* are what only this carrier needs, beside those of every machine.
    """

    name: str
    address: str
    members: tuple[Member, ...]
    ssh_keys: tuple[str, ...]
    binaries: tuple[Binary, ...]
    registry: Forward | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    etcd_token: str = "fleetcaptain"  # noqa: S105  it tells clusters apart, and keeps nobody out
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
