"""The command lines of OpenSSH's client. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Self

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.address import Address

__all__ = [
    "HAS_PASSWORD",
    "HAS_ROOT_SOCKET",
    "PASSWORD_FILE",
    "Endpoint",
    "command_argv",
    "last_words",
    "password_in",
    "tunnel_argv",
]

HAS_ROOT_SOCKET = b"fleetcaptain: etcd has a socket for root\n"
"""What the machine says before all else when etcd has a socket for its superuser."""

HAS_PASSWORD = b"fleetcaptain: etcd has a password for root\n"
"""What the machine says before the password of etcd's superuser, which stands on the next line."""

PASSWORD_FILE = "/etc/fleetcaptain/etcd-root"  # noqa: S105 - a path
"""Where a machine has that password, for the group ``core``, who is root there anyway; see `captain secure`."""

_FLEET_SOCKET = "/run/fleet.sock"
_ETCD = "127.0.0.1:2379"
_ETCD_ROOT_SOCKET = "/run/etcd.sock"
_NOISE = ("Warning:", "**")
_WORDS_CHARS = 300
_PASSWORD = re.compile(re.escape(HAS_PASSWORD) + rb"([A-Za-z0-9_-]{20,128})\r?\n")


@dataclass(frozen=True)
class Endpoint:
    """The way into a cluster: *hosts* (see `Address`), the private *key* ("": the agent's), *known_hosts* ("": ssh's
    own), and what all of them are reached through: the bastion *jump*, or the command *proxy* (ssh_config(5),
    ProxyCommand). *inside*: the machines' own addresses are reached through one of *hosts*, and not from here.
    *managed*: the stack makes the machines, so each of them may have a host key that is not known.
    """

    hosts: tuple[str, ...]
    key: str = ""
    known_hosts: str = ""
    jump: str = ""
    proxy: str = ""
    inside: bool = False
    managed: bool = False

    @classmethod
    def of(cls, connection: Mapping[str, Any], *, managed: bool) -> Self:
        """The endpoint in the plain data of a *connection*. Raises KeyError when that is not through ssh."""
        more = {name: connection[name] for name in ("jump", "proxy", "inside") if name in connection}
        return cls(tuple(connection["ssh"]), connection["key"], connection["known_hosts"], managed=managed, **more)

    def to(self, address: str) -> str:
        """The machine whose *address* fleet gives, by the user and port of the first host. Raises ClusterUnreachable
        when that is no IP address: whoever can write etcd says what it is, and names may lead anywhere."""
        first = Address.of(self.hosts[0])
        return Address(first.user, str(self._machine(address)), first.port).written

    def accepts_new_key(self, host: str) -> bool:
        """Whether ssh believes the first host key that *host* shows: the configuration names it and no file of known
        keys, or the machines are the stack's own."""
        return self.managed or (host in self.hosts and not self.known_hosts)

    def _machine(self, address: str) -> IPv4Address | IPv6Address:
        try:
            ip = ip_address(address)
        except ValueError as error:
            raise _refused(address, "it is not an IP address") from error
        # Behind % a zone may be any text.
        if isinstance(ip, IPv6Address) and ip.scope_id:
            raise _refused(address, "it has a zone")
        if ip.is_multicast or ip.is_unspecified or (isinstance(ip, IPv6Address) and ip.ipv4_mapped):
            raise _refused(address, "it is not the address of one machine")
        if self.inside and ip.is_global:
            raise _refused(address, "the cluster's machines have private addresses")
        return ip


def tunnel_argv(endpoint: Endpoint, host: str, fleet_socket: str, etcd_socket: str, root_socket: str) -> list[str]:
    """Forwards sockets to fleet's socket, to etcd, and to etcd's socket for root, for as long as its input is open.

    Sockets, as ports of the loopback are open to every user of this computer, and to pages in its browsers.
    """
    forwards = [
        *("-o", "ExitOnForwardFailure=yes"),
        *("-o", "StreamLocalBindMask=0177"),
        *("-o", "StreamLocalBindUnlink=yes"),
        *("-L", f"{fleet_socket}:{_FLEET_SOCKET}"),
        *("-L", f"{etcd_socket}:{_ETCD}"),
        *("-L", f"{root_socket}:{_ETCD_ROOT_SOCKET}"),
    ]
    socket, password = (said.decode().strip() for said in (HAS_ROOT_SOCKET, HAS_PASSWORD))
    remote = (
        f"[ ! -S {_ETCD_ROOT_SOCKET} ] || echo '{socket}'; "
        f"[ ! -r {PASSWORD_FILE} ] || {{ echo '{password}'; cat {PASSWORD_FILE}; }}; exec cat"
    )
    return ["ssh", *_options(endpoint, endpoint.accepts_new_key(host)), *forwards, "--", host, remote]


def password_in(answer: bytes) -> str:
    """The password of etcd's superuser in what the machine says first; "" when it has none."""
    found = _PASSWORD.search(answer)
    return found[1].decode() if found else ""


def command_argv(endpoint: Endpoint, host: str, argv: Sequence[str], via: str = "") -> list[str]:
    """Runs *argv* on *host*; each of its words arrives as it is. *via*: the one of the hosts to go through when *host*
    is inside."""
    through = via or endpoint.hosts[0] if endpoint.inside and host not in endpoint.hosts else ""
    options = [*_options(endpoint, endpoint.accepts_new_key(through or host)), *_NO_FORWARDS]
    if through:
        # Machines come and go there, and the next one has the same address; the way to it is one that is known.
        within = [*_options(Endpoint((), endpoint.key, "/dev/null"), accept_new=True), *_NO_FORWARDS]
        options = [*within, "-o", f"ProxyCommand={_through(['ssh', *options], through)}"]
    return ["ssh", *options, "--", host, shlex.join(argv)]


def last_words(stderr: str) -> str:
    """The line in which ssh says why it gave up."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not line.startswith(_NOISE)]
    return lines[-1][:_WORDS_CHARS] if lines else "ssh ended without a word"


_NO_FORWARDS = ("-o", "ClearAllForwardings=yes")


def _options(endpoint: Endpoint, accept_new: bool) -> list[str]:
    """What every ssh of ours is started with. The user's own settings stay in force where they lead to a host, and not
    where they would give the host something of this computer."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "5",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "StrictHostKeyChecking": "accept-new" if accept_new else "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "GSSAPIDelegateCredentials": "no",
        "Tunnel": "no",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        # A connection that the user's own settings share would outlive us, and keep our forwards.
        "ControlMaster": "no",
        "ControlPath": "none",
    }
    if endpoint.known_hosts:
        options["UserKnownHostsFile"] = f'"{_plain(endpoint.known_hosts)}"'
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    if endpoint.key:
        words += ["-i", _plain(endpoint.key), "-o", "IdentitiesOnly=yes"]
    if endpoint.jump:
        # Not ProxyJump: it would go without the key and the known hosts that are given here.
        to_jump = Endpoint((), endpoint.key, endpoint.known_hosts)
        argv = ["ssh", *_options(to_jump, accept_new=endpoint.managed or not endpoint.known_hosts), *_NO_FORWARDS]
        words += ["-o", f"ProxyCommand={_through(argv, endpoint.jump)}"]
    elif endpoint.proxy:
        words += ["-o", f"ProxyCommand={endpoint.proxy}"]
    return ["-T", *words]


def _through(argv: Sequence[str], jump: str) -> str:
    """The command that ssh starts instead of connecting by itself: all but its own two tokens is taken as it is."""
    first, last = shlex.join(argv), shlex.join(["--", Address.of(jump).written])
    return f"{_plain(first)} -W '[%h]:%p' {_plain(last)}"


def _refused(address: str, why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"fleet names a machine at {address[:60]!r}, where ssh does not go: {why}. Look at `fleetctl list-machines`, "
        "and at who can write etcd."
    )


def _plain(path: str) -> str:
    """*path* with nothing in it that ssh would replace (ssh_config(5), TOKENS)."""
    return path.replace("%", "%%")
