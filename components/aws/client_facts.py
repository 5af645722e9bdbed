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

__all__ = ["SSM_PROGRAMS", "ClientFacts", "look_at_client"]

SSM_PROGRAMS = ("aws", "session-manager-plugin")
"""What a session of AWS Systems Manager needs; both are called by these names."""

# In the form of an instance's id: ssh's settings may have some for `i-*`.
_INSTANCE = "i-00000000000000000"
_ADDRESS_URL = "https://checkip.amazonaws.com"
_ADDRESS_SEC = 3
_ADDRESS_BYTES = 64
_PROGRAM_SEC = 5
_PUBLIC_WORDS = 2


@dataclass(frozen=True)
class ClientFacts:
    """The *missing* programs; the public *keys* that ssh can prove (their base64 parts), None if they are unknown;
    *key_problem*: why the file of ``sshKey`` is unusable, or ""; and the public *address* of this computer, or ""."""

    missing: tuple[str, ...] = ()
    keys: frozenset[str] | None = None
    key_problem: str = ""
    address: str = ""


def look_at_client(settings: Settings) -> ClientFacts:
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
    None if that is unknown: *file* has a passphrase, or the keys are on a card. Other files with a passphrase count
    only as far as the agent has them, because nothing asks for it."""
    if file is not None:
        return frozenset(_key_in(file)) or None
    options = _output(["ssh", "-G", f"core@{host}"])
    pairs = [line.split(" ", 1) for line in options.splitlines() if " " in line]
    agents = [value for name, value in pairs if name == "identityagent"]
    files = [Path(value).expanduser() for name, value in pairs if name == "identityfile"]
    if not files or any(name == "pkcs11provider" and value != "none" for name, value in pairs):
        return None
    agent = {"SSH_AUTH_SOCK": os.path.expanduser(agents[0])} if agents and agents[0] not in ("none", "") else {}
    found = {key for line in _output(["ssh-add", "-L"], agent).splitlines() for key in _public(line)}
    for candidate in files:
        found |= _key_in(candidate)
    return frozenset(found)


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
