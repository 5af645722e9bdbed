"""Machines that only their fellows reach, and hosts that are reached through a command."""

from __future__ import annotations

import shlex

from fleetcaptain.fleet.ssh import Endpoint, command_argv, tunnel_argv

HOSTS = ("core@203.0.113.1", "core@203.0.113.2")


def proxy(argv: list[str]) -> str:
    """What ssh is told to start instead of connecting by itself; "" for nothing."""
    found = [word.removeprefix("ProxyCommand=") for word in argv if word.startswith("ProxyCommand=")]
    return found[0] if found else ""


def test_a_machine_inside_is_reached_through_the_host_that_let_us_in() -> None:
    """With the same key; its own host key is not kept, for the next machine may have its address."""
    endpoint = Endpoint(HOSTS, "id", "known", inside=True)
    argv = command_argv(endpoint, "core@10.71.0.50", ["true"], HOSTS[1])
    assert argv[-3:] == ["--", "core@10.71.0.50", "true"]
    assert 'UserKnownHostsFile="/dev/null"' in argv
    through = shlex.split(proxy(argv))
    assert through[-4:] == ["-W", "[%h]:%p", "--", HOSTS[1]]
    assert 'UserKnownHostsFile="known"' in through
    assert through[through.index("-i") + 1] == "id"


def test_a_host_itself_needs_no_way_round() -> None:
    """Nor does any machine where all can be reached."""
    assert not proxy(command_argv(Endpoint(HOSTS, inside=True), HOSTS[0], ["true"], HOSTS[1]))
    assert not proxy(tunnel_argv(Endpoint(HOSTS, inside=True), HOSTS[0], "/f", "/e", "/r"))
    assert not proxy(command_argv(Endpoint(HOSTS), "core@10.71.0.50", ["true"], HOSTS[1]))


def test_a_command_takes_the_connections_place() -> None:
    """With ssh's own tokens for host and port, also when it is the way to a machine inside."""
    command = "aws ssm start-session --target %h --parameters portNumber=%p"
    endpoint = Endpoint(("core@i-1",), proxy=command, inside=True)
    assert proxy(tunnel_argv(endpoint, "core@i-1", "/f", "/e", "/r")) == command
    inner = shlex.split(proxy(command_argv(endpoint, "core@10.71.0.50", ["true"], "core@i-1")))
    assert proxy(inner) == command.replace("%", "%%"), "the outer ssh makes one of two"


def test_the_connection_says_so() -> None:
    """What it does not say is as it always was."""
    plain = {"ssh": list(HOSTS), "key": "", "known_hosts": ""}
    assert Endpoint.of(plain, managed=False) == Endpoint(HOSTS)
    assert Endpoint.of({**plain, "inside": True, "proxy": "x", "size": 4}, managed=False) == Endpoint(
        HOSTS, proxy="x", inside=True
    )
