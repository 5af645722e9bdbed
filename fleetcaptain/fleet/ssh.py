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
    "password_in",
    "session_argv",
    "ssh_error",
    "tunnel_argv",
]

HAS_ROOT_SOCKET = b"fleetcaptain: etcd has a socket for root\n"
"""The first output of a machine whose etcd has a socket for its superuser."""

HAS_PASSWORD = b"fleetcaptain: etcd has a password for root\n"
"""The machine's output before the password of etcd's superuser, which is on the next line."""

PASSWORD_FILE = "/etc/fleetcaptain/etcd-root"  # noqa: S105 - a path
"""The machine's file with that password, for the group ``core``, which has root's rights there; see `captain
secure`."""

_FLEET_SOCKET = "/run/fleet.sock"
_ETCD = "127.0.0.1:2379"
_ETCD_ROOT_SOCKET = "/run/etcd.sock"
_NOISE = ("Warning:", "**")
# What ssh adds when the command or the host in front of it has ended, which said why before.
_ENDED = ("kex_exchange_identification: ", "banner exchange: ", "Connection closed by ", "Connection reset by ")
_NO_FORWARDS = ("-o", "ClearAllForwardings=yes")
_ERROR_CHARS = 300
_CONNECT_SEC = 5
# Through a bastion, a command or a member, ssh counts the whole time until the machine's own greeting. The start of a
# session of AWS Systems Manager alone takes several seconds.
_DETOUR_SEC = 25
_PASSWORD = re.compile(re.escape(HAS_PASSWORD) + rb"([A-Za-z0-9_-]{20,128})\r?\n")


@dataclass(frozen=True)
class Endpoint:
    """A cluster's endpoint over SSH: *hosts* (see `Address`), the private *key* ("": the agent's), *known_hosts* ("":
    ssh's own), and the bastion *jump* or the command *proxy* (ssh_config(5), ProxyCommand) in front of all hosts.
    *inside*: the machines' own addresses are reachable only through one of *hosts*. *managed*: the stack makes the
    machines, so their host keys may be unknown.
    """

    hosts: tuple[str, ...]
    key: str = ""
    known_hosts: str = ""
    jump: str = ""
    proxy: str = ""
    inside: bool = False
    managed: bool = False

    def detour_sec(self, host: str) -> int:
        """How many seconds longer a connection to *host* may take than a direct one: part of each timeout that includes
        connecting."""
        is_inside = self.inside and host not in self.hosts
        return _DETOUR_SEC if self.jump or self.proxy or is_inside else 0

    @classmethod
    def of(cls, connection: Mapping[str, Any], *, managed: bool) -> Self:
        """The endpoint in the plain data of a *connection*. Raises KeyError when the connection does not use SSH."""
        more = {name: connection[name] for name in ("jump", "proxy", "inside") if name in connection}
        return cls(tuple(connection["ssh"]), connection["key"], connection["known_hosts"], managed=managed, **more)

    def to(self, address: str) -> str:
        """The SSH destination of the machine with *address*, with the user and port of the first host. Raises
        ClusterUnreachable when *address* is no IP address: it comes from etcd, and a name could lead anywhere."""
        first = Address.of(self.hosts[0])
        return Address(first.user, str(self._machine(address)), first.port).written

    def accepts_new_key(self, host: str) -> bool:
        """Whether ssh accepts an unknown host key of *host*: the configuration names the host and no file of known
        keys, or the machines are the stack's own."""
        return self.managed or (host in self.hosts and not self.known_hosts)

    def _machine(self, address: str) -> IPv4Address | IPv6Address:
        try:
            ip = ip_address(address)
        except ValueError as error:
            raise _refused(address, "it is not an IP address") from error
        # The zone after % may be any text.
        if isinstance(ip, IPv6Address) and ip.scope_id:
            raise _refused(address, "it has a zone")
        if ip.is_multicast or ip.is_unspecified or (isinstance(ip, IPv6Address) and ip.ipv4_mapped):
            raise _refused(address, "it is not the address of one machine")
        if self.inside and ip.is_global:
            raise _refused(address, "the cluster's machines have private addresses")
        return ip


def tunnel_argv(
    endpoint: Endpoint, host: str, fleet_socket: str, etcd_socket: str, root_socket: str, *, shared: str = ""
) -> list[str]:
    """The command that forwards sockets to fleet's socket, to etcd, and to etcd's socket for root, until its input
    ends. *shared*: the path of a socket; the commands that name it too use this connection.

    It uses sockets because every user of this computer, and pages in browsers, can reach ports of the loopback.
    """
    forwards = [
        *("-o", "ExitOnForwardFailure=yes"),
        *("-o", "StreamLocalBindMask=0177"),
        *("-o", "StreamLocalBindUnlink=yes"),
        *("-L", f"{fleet_socket}:{_FLEET_SOCKET}"),
        *("-L", f"{etcd_socket}:{_ETCD}"),
        *("-L", f"{root_socket}:{_ETCD_ROOT_SOCKET}"),
    ]
    socket, password = (line.decode().strip() for line in (HAS_ROOT_SOCKET, HAS_PASSWORD))
    remote = (
        f"[ ! -S {_ETCD_ROOT_SOCKET} ] || echo '{socket}'; "
        f"[ ! -r {PASSWORD_FILE} ] || {{ echo '{password}'; cat {PASSWORD_FILE}; }}; exec cat"
    )
    options = [*_sharing(shared, shares=True), *_options(endpoint, host, endpoint.accepts_new_key(host))]
    return ["ssh", *options, *forwards, "--", host, remote]


def password_in(answer: bytes) -> str:
    """The password of etcd's superuser in the machine's first output; "" when it has none."""
    found = _PASSWORD.search(answer)
    return found[1].decode() if found else ""


def command_argv(endpoint: Endpoint, host: str, argv: Sequence[str], via: str = "", shared: str = "") -> list[str]:
    """The command that runs *argv* on *host*, with its arguments quoted. *via*: the host to connect through when *host*
    is inside. *shared*: the socket of a connection to *via* (see `tunnel_argv`); without that connection, ssh makes a
    new one."""
    share = _sharing(shared) if host == via else []
    return ["ssh", *share, *_options_to(endpoint, host, via, shared), "--", host, shlex.join(argv)]


def session_argv(
    endpoint: Endpoint,
    host: str,
    argv: Sequence[str] = (),
    *,
    via: str = "",
    terminal: bool = False,
    shared: str = "",
    shares: bool = False,
) -> list[str]:
    """As `command_argv`, for a session whose streams are the user's own; without *argv* it is a login shell.

    *terminal*: the session has a terminal on *host*. *shared*: the path of a socket; the session uses the connection of
    the process that was started with the same path and *shares*, which is then the only one.
    """
    quiet = ("-o", "LogLevel=ERROR")
    options = [*quiet, *_sharing(shared, shares=shares), *_options_to(endpoint, host, via)]
    # `-tt` comes after the `-T` of all options.
    return ["ssh", *options, *(["-tt"] if terminal else ()), "--", host, *([shlex.join(argv)] if argv else ())]


def _sharing(socket: str, *, shares: bool = False) -> list[str]:
    """The options of a connection that is used by several processes, to be put before all others: ssh takes the first
    value of an option."""
    return ["-o", f"ControlMaster={'yes' if shares else 'no'}", "-o", f"ControlPath={_plain(socket)}"] if socket else []


def _options_to(endpoint: Endpoint, host: str, via: str, shared: str = "") -> list[str]:
    through = via or endpoint.hosts[0] if endpoint.inside and host not in endpoint.hosts else ""
    target = through or host
    options = [*_options(endpoint, target, endpoint.accepts_new_key(target)), *_NO_FORWARDS]
    if through:
        # Machines inside are replaced, and a new one may have an old one's address; the host in front is known.
        behind = Endpoint((), endpoint.key, "/dev/null", inside=True)
        within = [*_options(behind, host, accept_new=True), *_NO_FORWARDS]
        options = [*(_sharing(shared) if through == via else ()), *options]
        options = [*within, "-o", f"ProxyCommand={_through(['ssh', *options], through)}"]
    return options


def ssh_error(stderr: str) -> str:
    """The line of *stderr* in which ssh, or the command that it connects through, says why it failed."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not line.startswith(_NOISE)]
    reasons = [line for line in lines if not line.startswith(_ENDED)] or lines
    return reasons[-1][:_ERROR_CHARS] if reasons else "ssh failed without a message"


def _options(endpoint: Endpoint, host: str, accept_new: bool) -> list[str]:
    """The options of every ssh process, for a connection to *host*. The user's own settings apply where they lead to
    a host, and are overridden where they would give the host access to this computer."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(_CONNECT_SEC + endpoint.detour_sec(host)),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "StrictHostKeyChecking": "accept-new" if accept_new else "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "GSSAPIDelegateCredentials": "no",
        "Tunnel": "no",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        # A connection that the user's own settings share would outlive this process and keep its forwards.
        "ControlMaster": "no",
        "ControlPath": "none",
        "ControlPersist": "no",
    }
    if endpoint.known_hosts:
        options["UserKnownHostsFile"] = f'"{_plain(endpoint.known_hosts)}"'
    arguments = [argument for name, value in options.items() for argument in ("-o", f"{name}={value}")]
    if endpoint.key:
        arguments += ["-i", _plain(endpoint.key), "-o", "IdentitiesOnly=yes"]
    if endpoint.jump:
        # Not ProxyJump: it would ignore the key and the known hosts that are given here.
        to_jump = Endpoint((), endpoint.key, endpoint.known_hosts)
        argv = [
            "ssh",
            *_options(to_jump, endpoint.jump, accept_new=endpoint.managed or not endpoint.known_hosts),
            *_NO_FORWARDS,
        ]
        arguments += ["-o", f"ProxyCommand={_through(argv, endpoint.jump)}"]
    elif endpoint.proxy:
        arguments += ["-o", f"ProxyCommand={endpoint.proxy}"]
    return ["-T", *arguments]


def _through(argv: Sequence[str], jump: str) -> str:
    """The command that ssh starts instead of connecting itself: everything but its two tokens is escaped."""
    first, last = shlex.join(argv), shlex.join(["--", Address.of(jump).written])
    return f"{_plain(first)} -W '[%h]:%p' {_plain(last)}"


def _refused(address: str, why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"Cannot connect to {address[:60]!r}, which fleet lists as a machine: {why}. Check `fleetctl list-machines` "
        "and which clients can write etcd."
    )


def _plain(path: str) -> str:
    """*path* without tokens that ssh would expand (ssh_config(5), TOKENS)."""
    return path.replace("%", "%%")
