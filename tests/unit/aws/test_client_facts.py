"""What the preflight finds out about this computer: programs, and the keys that ssh can prove."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.aws import client_facts
from components.aws.client_facts import ask_client
from components.aws.settings import read
from tests.programs import program
from tests.unit.aws.declared import CONFIG


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys, no agent, and no network."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(client_facts, "_address", lambda: "198.51.100.7")
    return tmp_path


def new_key(path: Path, passphrase: str = "") -> str:
    """The base64 part of a new key at *path*, whose public file is removed."""
    path.parent.mkdir(exist_ok=True)
    argv = [str(program("ssh-keygen")), "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    public = path.with_name(f"{path.name}.pub")
    key = public.read_text().split()[1]
    public.unlink()
    return key


def test_the_file_of_the_settings_is_the_only_key(home: Path) -> None:
    """As for ssh itself; one that asks for a passphrase is unknown."""
    key = new_key(home / "ann.pem")
    assert ask_client(read({**CONFIG, "sshKey": "~/ann.pem"}.get)).keys == frozenset({key})
    new_key(home / "locked", "secret")
    assert ask_client(read({**CONFIG, "sshKey": str(home / "locked")}.get)).keys is None
    lost = ask_client(read({**CONFIG, "sshKey": "~/lost"}.get))
    assert (lost.keys, lost.key_problem) == (None, "there is no file ~/lost")


def test_a_computer_without_keys_has_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where all have passphrases; but the keys of a card, of a name with tokens and of an odd ssh are unknown."""
    new_key(home / "locked", "secret")
    ssh = home / "ssh"
    for options, found in (
        ("identityfile ~/locked\npkcs11provider none", frozenset()),
        ("identityfile ~/locked\npkcs11provider /usr/lib/card.so", None),
        ("identityfile ~/%r-key", None),
        ("", None),
    ):
        ssh.write_text(f"#!/bin/sh\nprintf '%s\\n' '{options}'\n")
        ssh.chmod(0o755)
        monkeypatch.setenv("PATH", f"{home}{os.pathsep}/usr/bin:/bin")
        assert ask_client(read(CONFIG.get)).keys == found


@pytest.fixture
def agent(home: Path) -> Iterator[tuple[Path, str]]:
    """The socket of an agent, and the key that it has."""
    key = new_key(home / "key")
    socket = home / "agent"
    process = subprocess.Popen([str(program("ssh-agent")), "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert process.poll() is None
        environ = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
        subprocess.run(["ssh-add", "-q", str(home / "key")], check=True, stdin=subprocess.DEVNULL, env=environ)
        yield socket, key
    finally:
        process.terminate()
        process.wait()


def test_the_keys_of_the_agent_count(agent: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them."""
    socket, key = agent
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    found = ask_client(read(CONFIG.get)).keys
    assert found is not None
    assert key in found


@pytest.mark.parametrize(
    ("setting", "is_found"),
    [
        ("SSH_AUTH_SOCK", True),
        ("$SSH_AUTH_SOCK", True),
        ("${SSH_AUTH_SOCK}", True),
        ("{home}/agent", True),
        ("$NO_SUCH_VARIABLE", False),
        ("none", False),
    ],
)
def test_each_form_of_the_agents_setting_counts(
    home: Path, agent: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, setting: str, is_found: bool
) -> None:
    """As ssh_config(5) has it; an agent that ssh does not use is not asked."""
    socket, key = agent
    (home / "config").write_text(f"IdentityAgent {setting.replace('{home}', str(home))}\nIdentityFile ~/none\n")
    ssh, real = home / "bin" / "ssh", program("ssh")
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {real} -F {home}/config "$@"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "other" if "{home}" in setting else socket))
    assert ask_client(read(CONFIG.get)).keys == (frozenset({key}) if is_found else frozenset())


def test_a_session_of_systems_manager_needs_two_programs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh to open ports needs neither, and only that asks for the own address."""
    for name in ("ssh", "aws"):
        (home / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(home))
    through = ask_client(read({"keyPair": "ann"}.get))
    assert (through.missing, through.address) == (("session-manager-plugin",), "")
    direct = ask_client(read(CONFIG.get))
    assert (direct.missing, direct.address) == ((), "198.51.100.7")
    os.remove(home / "ssh")
    assert ask_client(read(CONFIG.get)).missing == ("ssh",)
