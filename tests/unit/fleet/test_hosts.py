"""Where ssh goes, what it believes there, and what it never gives."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.connection import Connection
from fleetcaptain.fleet.ssh import Endpoint, command_argv, tunnel_argv
from fleetcaptain.rollout.connect import open_cluster
from tests.programs import program

HOST, OTHER = "core@10.0.0.1", "core@10.0.0.2"
# What a user's own settings may say for all hosts.
SETTINGS = """Host *
  ForwardAgent yes
  ForwardX11 yes
  GSSAPIDelegateCredentials yes
  PermitLocalCommand yes
  LocalCommand touch hacked
  RemoteCommand touch hacked
  Tunnel yes
  ControlMaster auto
  ControlPath ~/.ssh/%C
  RemoteForward 9000 localhost:22
"""
NO = {
    "forwardagent": "no",
    "forwardx11": "no",
    "gssapidelegatecredentials": "no",
    "permitlocalcommand": "no",
    "tunnel": "false",
    "controlmaster": "false",
    "remotecommand": "none",
}


@pytest.mark.parametrize(
    "address",
    [
        "attacker.example",
        "",
        "10.0.0.1;touch x",
        "x';touch PWNED;'",
        "-oProxyCommand=x",
        "10.0.0.1\n",
        "10.0.0",
        "0x0a000001",
        "٣.0.0.1",
        "fe80::1%$(touch x)",
        "user@10.0.0.1",
        "10.0.0.1:22",
        "::ffff:93.184.215.14",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "2130706433",
        "010.0.0.1",
    ],
)
def test_ssh_goes_to_addresses_only(address: str) -> None:
    """Whoever can write etcd says what a machine's address is; no command is started for another one."""
    endpoint = Endpoint((HOST,))
    with pytest.raises(ClusterUnreachable, match="which fleet lists as a machine"):
        endpoint.to(address)
    assert open_cluster(endpoint, "shop").run(address, ["true"], 1) is None


def test_addresses_are_written_as_ssh_takes_them() -> None:
    """With a port an address of version 6 is in brackets."""
    assert Endpoint(("core@gate",)).to("2001:db8::7") == "core@2001:db8::7"
    assert Endpoint(("ssh://core@gate:2222",)).to("2001:db8::7") == "ssh://core@[2001:db8::7]:2222"


def test_a_machine_inside_has_a_private_address() -> None:
    """A member leads to its own network, not to the internet."""
    endpoint = Endpoint((HOST,), inside=True, managed=True)
    assert endpoint.to("10.71.0.50") == "core@10.71.0.50"
    with pytest.raises(ClusterUnreachable, match="private"):
        endpoint.to("93.184.215.14")


def printed(argv: list[str], settings: Path) -> dict[str, str]:
    """What OpenSSH itself makes of *argv* beside the user's *settings*: the name of each option and its value."""
    command = [str(program("ssh")), "-F", str(settings), "-G", *argv[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def inner(argv: list[str]) -> list[str]:
    """The ssh through which *argv* connects, as it would be started."""
    (command,) = [word.removeprefix("ProxyCommand=") for word in argv if word.startswith("ProxyCommand=")]
    return shlex.split(command.replace("%h", "10.0.0.2").replace("%p", "22").replace("%%", "%"))


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A user's settings that give a host everything."""
    (tmp_path / "config").write_text(SETTINGS)
    return tmp_path / "config"


ARGVS = {
    "tunnel": tunnel_argv(Endpoint((HOST,)), HOST, "/f", "/e", "/r"),
    "command": command_argv(Endpoint((HOST,)), HOST, ["true"]),
    "inside": command_argv(Endpoint((HOST,), inside=True, managed=True), OTHER, ["true"]),
    "to the member": inner(command_argv(Endpoint((HOST,), inside=True, managed=True), OTHER, ["true"])),
    "bastion": inner(command_argv(Endpoint((HOST,), jump="gate"), HOST, ["true"])),
}


@pytest.mark.parametrize("argv", ARGVS.values(), ids=ARGVS)
def test_the_users_settings_give_a_machine_nothing(argv: list[str], settings: Path) -> None:
    """No agent, no display, no credentials, no command of the user's; the words of a command come after those."""
    found = printed(argv, settings)
    assert {name: found.get(name, "none") for name in NO} == NO
    assert found.get("clearallforwardings") == ("no" if argv is ARGVS["tunnel"] else "yes")


def test_the_sockets_are_for_their_user_alone(settings: Path) -> None:
    """By OpenSSH's own reading, with both forwards on sockets."""
    found = printed(ARGVS["tunnel"], settings)
    assert found["streamlocalbindmask"] == "0177"
    assert found["exitonforwardfailure"] == "yes"
    assert not [word for word in ARGVS["tunnel"] if word.startswith("127.0.0.1:")]


def strict(argv: list[str]) -> str:
    """Which host keys ssh believes."""
    (value,) = [word.partition("=")[2] for word in argv if word.startswith("StrictHostKeyChecking=")]
    return value


@pytest.mark.parametrize(
    ("endpoint", "host", "accepted"),
    [
        (Endpoint((HOST,)), HOST, True),
        (Endpoint((HOST,)), OTHER, False),
        (Endpoint((HOST,), known_hosts="/k"), HOST, False),
        (Endpoint((HOST,), known_hosts="/k"), OTHER, False),
        (Endpoint((HOST,), known_hosts="/k", managed=True), HOST, True),
        (Endpoint((HOST,), known_hosts="/k", managed=True), OTHER, True),
    ],
)
def test_a_new_host_key_is_believed_only_where_the_configuration_leads(
    endpoint: Endpoint, host: str, accepted: bool
) -> None:
    """Never where it names a file of known keys; of machines that the stack makes it always is."""
    expected = "accept-new" if accepted else "yes"
    assert strict(command_argv(endpoint, host, ["true"])) == expected
    assert strict(tunnel_argv(endpoint, host, "/f", "/e", "/r")) == expected


@pytest.mark.parametrize(("known_hosts", "expected"), [("", "accept-new"), ("/k", "yes")])
def test_a_bastion_is_a_host_of_the_configuration(known_hosts: str, expected: str) -> None:
    """So the same holds of it."""
    argv = command_argv(Endpoint((HOST,), known_hosts=known_hosts, jump="gate"), HOST, ["true"])
    assert strict(inner(argv)) == expected


@pytest.mark.parametrize(("kind", "managed"), [("local", True), ("aws", True), ("existing", False)])
def test_the_kind_of_the_cluster_says_whose_machines_they_are(kind: str, managed: bool) -> None:
    """The stack's own have host keys that are not known before."""
    assert Connection.parse({"kind": kind, "ssh": [HOST], "key": "", "known_hosts": "/k"}).endpoint == Endpoint(
        (HOST,), known_hosts="/k", managed=managed
    )
