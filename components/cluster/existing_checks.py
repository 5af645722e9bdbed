"""What an address of a cluster that others made may be. Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from fleetcaptain.fleet.address import Address
from fleetcaptain.net.pools import UNIX

__all__ = ["DEFAULT_ETCD", "FORMS", "address_problem", "registry_problem", "ssh_problem"]

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
