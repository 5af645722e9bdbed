"""What this computer has for the connection to a cluster on AWS: programs, keys of ssh, and its address."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from components.aws.settings import Settings
from fleetcaptain.fleet.process_output import run

__all__ = ["SSM_PROGRAMS", "ClientFacts", "ask_client"]

SSM_PROGRAMS = ("aws", "session-manager-plugin")
"""What a session of AWS Systems Manager needs; both are called by these names."""

# In the form of an instance's id: ssh's settings may have some for `i-*`.
_INSTANCE = "i-00000000000000000"
_ADDRESS_URL = "https://checkip.amazonaws.com"
_ADDRESS_SEC = 3
_ADDRESS_BYTES = 64
_PROGRAM_SEC = 5
_PUBLIC_WORDS = 2
_SOCKET = "SSH_AUTH_SOCK"


@dataclass(frozen=True)
class ClientFacts:
    """The *missing* programs; the public *keys* that ssh can prove (their base64 parts), None if they are unknown;
    *key_problem*: why the file of ``sshKey`` is unusable, or ""; and the public *address* of this computer, or ""."""

    missing: tuple[str, ...] = ()
    keys: frozenset[str] | None = None
    key_problem: str = ""
    address: str = ""


def ask_client(settings: Settings) -> ClientFacts:
    """The facts that a cluster with *settings* depends on. The address is asked for only if ssh is open to some."""
    programs = ("ssh", *(() if settings.allow_ssh_from else SSM_PROGRAMS))
    missing = tuple(name for name in programs if shutil.which(name) is None)
    file = Path(settings.ssh_key).expanduser() if settings.ssh_key else None
    problem = "" if file is None or file.is_file() else f"there is no file {settings.ssh_key}"
    host = "machine.invalid" if settings.allow_ssh_from else _INSTANCE
    keys = _keys(file, host) if "ssh" not in missing and not problem else None
    return ClientFacts(missing, keys, problem, _address() if settings.allow_ssh_from else "")


def _keys(file: Path | None, host: str) -> frozenset[str] | None:
    """The keys that ssh would offer: that of *file*, or those of the agent and of the files in its settings for *host*.
    None if that is unknown: *file* has a passphrase, the keys are on a card, or a file's name has ssh's tokens. Other
    files with a passphrase count only as far as the agent has them, because nothing asks for it."""
    if file is not None:
        return frozenset(_key_in(file)) or None
    options = _output(["ssh", "-G", f"core@{host}"])
    pairs = [line.split(" ", 1) for line in options.splitlines() if " " in line]
    agents = [value for name, value in pairs if name == "identityagent"]
    # `ssh -G` expands neither variables nor tokens here.
    files = [os.path.expandvars(value) for name, value in pairs if name == "identityfile"]
    is_elsewhere = any(name == "pkcs11provider" and value != "none" for name, value in pairs)
    if not files or is_elsewhere or any("%" in file for file in files):
        return None
    agent = _agent(agents[0] if agents else "")
    listed = "" if agent is None else _output(["ssh-add", "-L"], agent)
    found = {key for line in listed.splitlines() for key in _public(line)}
    for candidate in files:
        found |= _key_in(Path(candidate).expanduser())
    return frozenset(found)


def _agent(setting: str) -> Mapping[str, str] | None:
    """The variables with which ``ssh-add`` finds the agent of ``IdentityAgent`` in the forms of ssh_config(5): a path,
    the word ``SSH_AUTH_SOCK``, or ``$`` and the name of another variable. None if ssh uses no agent."""
    if setting == "none":
        return None
    if setting in ("", _SOCKET):
        return {}
    if setting.startswith("$") and not setting.startswith("${"):
        return {_SOCKET: os.environ.get(setting[1:], "")}
    return {_SOCKET: os.path.expanduser(os.path.expandvars(setting))}


def _key_in(file: Path) -> set[str]:
    """The public key of the private key in *file*, if it can be read."""
    public = file.with_name(f"{file.name}.pub")
    try:
        if public.is_file():
            return _public(public.read_text(errors="replace"))
    except OSError:
        return set()
    return _public(_output(["ssh-keygen", "-y", "-P", "", "-f", str(file)])) if file.is_file() else set()


def _public(line: str) -> set[str]:
    """The base64 part of a line as in ``authorized_keys``, if it is one."""
    words = line.split()
    return {words[1]} if len(words) >= _PUBLIC_WORDS and words[1].startswith("AAAA") else set()


def _output(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> str:
    """What *argv* prints, "" if it fails."""
    try:
        done = run(argv, _PROGRAM_SEC, environ=environ)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.output if done.code == 0 else ""


def _address() -> str:
    try:
        with urllib.request.urlopen(_ADDRESS_URL, timeout=_ADDRESS_SEC) as answer:
            return str(IPv4Address(answer.read(_ADDRESS_BYTES).decode("ascii", errors="replace").strip()))
    except (OSError, ValueError):
        return ""
