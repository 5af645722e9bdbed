"""From the stack's configuration to the connection to an existing cluster. Pure."""

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

# The settings `fleetcaptain:<name>` if `fleetcaptain:cluster` is "existing".
SETTINGS = ("fleet", "etcd", "registry", "sshKey", "knownHosts", "bastion")
# Earlier versions answered a PUT of another text with 204 and kept the old text (fleet's issue 1266).
OLDEST = (0, 13)
_SERVER = re.compile(r"fleetd/v?(\d+)\.(\d+)\S*")
DEFAULT_ETCD = "http://127.0.0.1:2379"
FORMS = "ssh://core@host, ssh://core@host:port, unix:///run/fleet.sock, or http://127.0.0.1:port"
_REGISTRY = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*")


def connection_of(fleet: Sequence[str], settings: Mapping[str, str], stack: str, root: Path) -> dict[str, Any]:
    """The connection (see `Connection`) to the cluster at the addresses *fleet*.

    *settings* has the configured texts of `SETTINGS`. Paths in it are relative to *root*, and stay so: the
    project may be moved.
    Raises ClusterRefused with all errors.
    """
    problems: list[str] = []
    ssh = [url for url in fleet if url.startswith("ssh:")]
    files = {name: _file(name, settings.get(name, ""), root, problems) for name in ("sshKey", "knownHosts")}
    bastion = settings.get("bastion", "")
    if not fleet:
        problems.append(f"fleetcaptain:fleet is required: the address of the cluster, as {FORMS}")
    elif not ssh:
        problems += _not_through_ssh(settings)
    elif len(ssh) < len(fleet):
        problems.append(
            "fleetcaptain:fleet must be either ssh:// addresses of several machines, or one address without ssh"
        )
    problems += [why for url in fleet if (why := address_problem("fleet", url))]
    if not ssh and len(fleet) > 1:
        problems.append(f"fleetcaptain:fleet must be a single address without ssh, not {len(fleet)}")
    if bastion and (why := ssh_problem("bastion", bastion)):
        problems.append(why)
    etcd = settings.get("etcd", "")
    if etcd and ssh:
        problems.append("fleetcaptain:etcd cannot be used with ssh://, which finds etcd on the machine; remove it")
    elif etcd and (why := address_problem("etcd", etcd)):
        problems.append(why)
    if why := registry_problem(settings.get("registry", "")):
        problems.append(why)
    if problems:
        raise ClusterRefused("Cannot connect to the cluster with these settings. Nothing was changed:", problems)
    known = {"kind": ClusterKind.EXISTING.value, "stack": stack}
    if not ssh:
        return {**known, "fleet": fleet[0], "etcd": etcd or DEFAULT_ETCD}
    hosts = [Address.of(url).written for url in ssh]
    return {**known, "ssh": hosts, "key": files["sshKey"], "known_hosts": files["knownHosts"], "jump": bastion}


def version_problem(server: str) -> str:
    """Why fleet of this ``Server`` header (``fleetd/1.0.0``) cannot be used; empty if it can."""
    match = _SERVER.fullmatch(server)
    if match is None:
        found = f"its Server header is {server!r}" if server else "it has no Server header"
        return f"the server is not fleet: {found}. Nothing was changed. Check fleetcaptain:fleet."
    if (int(match[1]), int(match[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return (
            f"the cluster runs {server}, which cannot replace the text of a unit: that requires {oldest}.0 or newer. "
            "Nothing was changed. Upgrade fleetd to 1.0.0 on its machines, one after the other."
        )
    return ""


def _not_through_ssh(settings: Mapping[str, str]) -> list[str]:
    unused = [name for name in ("sshKey", "knownHosts", "bastion") if settings.get(name)]
    return [f"fleetcaptain:{name} requires ssh:// addresses in fleetcaptain:fleet" for name in unused]


def _file(name: str, text: str, root: Path, problems: list[str]) -> str:
    path = root / Path(text).expanduser()
    if text and name == "sshKey" and not path.is_file():
        problems.append(
            f"fleetcaptain:sshKey: the file {path} does not exist; remove the setting to use the keys of ssh's agent"
        )
    return text


def address_problem(name: str, url: str) -> str:
    """Why *url* is no address for the setting *name* (``fleet`` or ``etcd``); empty if it is one."""
    if url.startswith("ssh:"):
        return ssh_problem(name, url)
    if url.startswith("unix:"):
        wrong = not re.fullmatch(rf"{UNIX}/[^?#\s]+", url)
        return f"fleetcaptain:{name}: {url!r} must have the form unix:///path/of/{name}.sock" if wrong else ""
    parts = _split(url)
    if parts is None or parts.scheme != "http" or parts.path.strip("/"):
        forms = FORMS if name == "fleet" else f"{DEFAULT_ETCD}, or unix:///run/etcd.sock"
        return f"fleetcaptain:{name}: {url!r} must have the form {forms}"
    if not _loopback(parts.hostname or ""):
        return (
            f"fleetcaptain:{name}: {url} is on the network, where any client can run anything as root. Use ssh:// "
            "instead, or forward it to this computer's loopback"
        )
    return ""


def ssh_problem(name: str, url: str) -> str:
    """Why *url* is no address for ssh; empty if it is one."""
    try:
        Address.of(url)
    except ValueError as error:
        return f"fleetcaptain:{name}: {error}"
    return ""


def registry_problem(text: str) -> str:
    """Why *text* is no registry; empty if it is one."""
    if not text:
        return (
            "fleetcaptain:registry is required: the registry (host:port, optionally with a path) to which this "
            "computer pushes images and from which the machines pull them"
        )
    return "" if _REGISTRY.fullmatch(text) else f"fleetcaptain:registry must be such as host:5000, not {text!r}"


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
