"""The command lines of OpenSSH's client. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from fleetcaptain.fleet.address import Address

__all__ = ["Endpoint", "command_argv", "last_words", "tunnel_argv"]

_FLEET_SOCKET = "/run/fleet.sock"
_ETCD = "127.0.0.1:2379"
_NOISE = ("Warning:", "**")


@dataclass(frozen=True)
class Endpoint:
    """The way into a cluster: *hosts* (see `Address`), the private *key* ("": the agent's), *known_hosts* ("": ssh's
    own), and what all of them are reached through: the bastion *jump*, or the command *proxy* (ssh_config(5),
    ProxyCommand). *inside*: the machines' own addresses are reached through one of *hosts*, and not from here."""

    hosts: tuple[str, ...]
    key: str = ""
    known_hosts: str = ""
    jump: str = ""
    proxy: str = ""
    inside: bool = False

    @classmethod
    def of(cls, connection: Mapping[str, Any]) -> Self:
        """The way that a cluster's connection tells of. Raises KeyError when that is not through ssh."""
        more = {name: connection[name] for name in ("jump", "proxy", "inside") if name in connection}
        return cls(tuple(connection["ssh"]), connection["key"], connection["known_hosts"], **more)

    def to(self, address: str) -> str:
        """The machine at *address*, by the user and port of the first host."""
        first = Address.of(self.hosts[0])
        return Address(first.user, address, first.port).written


def tunnel_argv(endpoint: Endpoint, host: str, fleet_port: int, etcd_port: int) -> list[str]:
    """Forwards two ports of the loopback to fleet's socket and to etcd, for as long as somebody feeds its input."""
    forwards = [
        *("-o", "ExitOnForwardFailure=yes"),
        *("-L", f"127.0.0.1:{fleet_port}:{_FLEET_SOCKET}"),
        *("-L", f"127.0.0.1:{etcd_port}:{_ETCD}"),
    ]
    return ["ssh", *_options(endpoint), *forwards, "--", host, "cat"]


def command_argv(endpoint: Endpoint, host: str, argv: Sequence[str], via: str = "") -> list[str]:
    """Runs *argv* on *host*; each of its words arrives as it is. *via*: the one of the hosts to go through when *host*
    is inside."""
    options = _options(endpoint)
    if endpoint.inside and host not in endpoint.hosts:
        # Machines come and go there, and the next one has the same address; the way to it is one that is known.
        within = Endpoint((), endpoint.key, "/dev/null")
        options = [*_options(within), "-o", f"ProxyCommand={_through(['ssh', *options], via or endpoint.hosts[0])}"]
    return ["ssh", *options, "--", host, shlex.join(argv)]


def last_words(stderr: str) -> str:
    """The line in which ssh says why it gave up."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not line.startswith(_NOISE)]
    return lines[-1] if lines else "ssh ended without a word"


def _options(endpoint: Endpoint) -> list[str]:
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "5",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "StrictHostKeyChecking": "accept-new",
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
        words += ["-o", f"ProxyCommand={_through(['ssh', *_options(to_jump)], endpoint.jump)}"]
    elif endpoint.proxy:
        words += ["-o", f"ProxyCommand={endpoint.proxy}"]
    return ["-T", *words]


def _through(argv: Sequence[str], jump: str) -> str:
    """The command that ssh starts instead of connecting by itself: all but its own two tokens is taken as it is."""
    first, last = shlex.join(argv), shlex.join(["--", Address.of(jump).written])
    return f"{_plain(first)} -W '[%h]:%p' {_plain(last)}"


def _plain(path: str) -> str:
    """*path* with nothing in it that ssh would replace (ssh_config(5), TOKENS)."""
    return path.replace("%", "%%")
