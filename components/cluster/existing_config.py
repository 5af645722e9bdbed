"""From the stack's configuration to the connection to a cluster that others made. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleet.address import Address
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.net.pools import UNIX

__all__ = [
    "DEFAULT_ETCD",
    "FORMS",
    "OLDEST",
    "SETTINGS",
    "address_problem",
    "connection_of",
    "registry_problem",
    "ssh_problem",
    "version_problem",
]

# What `fleetcaptain:<name>` may say, when `fleetcaptain:cluster` is "existing".
SETTINGS = ("fleet", "etcd", "registry", "sshKey", "knownHosts", "bastion")
# Before, fleet answered a PUT of another text with 204, and kept the old one (fleet's issue 1266).
OLDEST = (0, 13)
_SERVER = re.compile(r"fleetd/v?(\d+)\.(\d+)\S*")


def connection_of(fleet: Sequence[str], settings: Mapping[str, str], stack: str, root: Path) -> dict[str, Any]:
    """The connection (see `Connection`) to the cluster at the addresses *fleet*.

    *settings* has the texts of `SETTINGS` that are configured. Paths in it are relative to *root*, and stay so: the
    project may be moved.
    Raises ClusterRefused with everything that is wrong.
    """
    problems: list[str] = []
    ssh = [url for url in fleet if url.startswith("ssh:")]
    files = {name: _file(name, settings.get(name, ""), root, problems) for name in ("sshKey", "knownHosts")}
    bastion = settings.get("bastion", "")
    if not fleet:
        problems.append(f"fleetcaptain:fleet is missing: say where the cluster answers, as {FORMS}")
    elif not ssh:
        problems += _not_through_ssh(settings)
    elif len(ssh) < len(fleet):
        problems.append(
            "fleetcaptain:fleet: a cluster is reached either through ssh, by any of several machines, or not"
        )
    problems += [why for url in fleet if (why := address_problem("fleet", url))]
    if not ssh and len(fleet) > 1:
        problems.append(f"fleetcaptain:fleet: without ssh there is one address, not {len(fleet)}")
    if bastion and (why := ssh_problem("bastion", bastion)):
        problems.append(why)
    etcd = settings.get("etcd", "")
    if etcd and ssh:
        problems.append("fleetcaptain:etcd: through ssh etcd is reached on the machine itself; leave this out")
    elif etcd and (why := address_problem("etcd", etcd)):
        problems.append(why)
    if why := registry_problem(settings.get("registry", "")):
        problems.append(why)
    if problems:
        raise ClusterRefused("there is no way into the cluster as it is configured; nothing was touched:", problems)
    known = {"kind": ClusterKind.EXISTING.value, "stack": stack}
    if not ssh:
        return {**known, "fleet": fleet[0], "etcd": etcd or DEFAULT_ETCD}
    hosts = [Address.of(url).written for url in ssh]
    return {**known, "ssh": hosts, "key": files["sshKey"], "known_hosts": files["knownHosts"], "jump": bastion}


def version_problem(server: str) -> str:
    """Why fleet of this ``Server`` header (``fleetd/1.0.0``) cannot be used; empty if it can."""
    match = _SERVER.fullmatch(server)
    if match is None:
        said = f"it calls itself {server!r}" if server else "it does not say what it is"
        return f"what answers there is not fleet: {said}. Check fleetcaptain:fleet. Nothing was touched."
    if (int(match[1]), int(match[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return (
            f"the cluster runs {server}, which cannot replace a unit by another text: {oldest}.0 is the first that "
            "can. Bring fleetd up to 1.0.0 on its machines, one after the other. Nothing was touched."
        )
    return ""


def _not_through_ssh(settings: Mapping[str, str]) -> list[str]:
    useless = [name for name in ("sshKey", "knownHosts", "bastion") if settings.get(name)]
    return [f"fleetcaptain:{name} is for a cluster that is reached through ssh://" for name in useless]


def _file(name: str, text: str, root: Path, problems: list[str]) -> str:
    path = root / Path(text).expanduser()
    if text and name == "sshKey" and not path.is_file():
        problems.append(
            f"fleetcaptain:sshKey: there is no file {path}; without this, the keys of ssh's agent are tried"
        )
    return text


DEFAULT_ETCD = "http://127.0.0.1:2379"
FORMS = "ssh://core@host, ssh://core@host:port, unix:///run/fleet.sock, or http://127.0.0.1:port"
_REGISTRY = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*")


def address_problem(name: str, url: str) -> str:
    """Why *url* is no address for the setting *name* (``fleet`` or ``etcd``); empty if it is one."""
    if url.startswith("ssh:"):
        return ssh_problem(name, url)
    if url.startswith("unix:"):
        wrong = not re.fullmatch(rf"{UNIX}/[^?#\s]+", url)
        return f"fleetcaptain:{name}: {url!r} is not of the form unix:///path/of/{name}.sock" if wrong else ""
    parts = _split(url)
    if parts is None or parts.scheme != "http" or parts.path.strip("/"):
        forms = FORMS if name == "fleet" else f"{DEFAULT_ETCD}, or unix:///run/etcd.sock"
        return f"fleetcaptain:{name}: {url!r} is not of the form {forms}"
    if not _loopback(parts.hostname or ""):
        return (
            f"fleetcaptain:{name}: {url} is on the network, where whoever comes first may run anything as root. Use "
            "ssh:// instead, or forward it to this computer's loopback"
        )
    return ""


def ssh_problem(name: str, url: str) -> str:
    """Why *url* is nothing that ssh can go to; empty if it is."""
    try:
        Address.of(url)
    except ValueError as error:
        return f"fleetcaptain:{name}: {error}"
    return ""


def registry_problem(text: str) -> str:
    """Why *text* is no registry; empty if it is one."""
    if not text:
        return (
            "fleetcaptain:registry is missing: the registry (host:port, perhaps with a path) to which images are "
            "pushed from here, and from which the machines pull them"
        )
    return "" if _REGISTRY.fullmatch(text) else f"fleetcaptain:registry: {text!r} is no registry, such as host:5000"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        complete = bool(parts.hostname and parts.port)
    except ValueError:
        return None
    return parts if complete else None


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
