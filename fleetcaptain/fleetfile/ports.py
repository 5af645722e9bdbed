"""Published ports, as ``docker run -p`` takes them (``ParsePortSpec`` of docker's go-connections)."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

from fleetcaptain.fleetfile.validation_error import ValidationError, represented
from fleetcaptain.fleetfile.values import Port

__all__ = ["FREE_PORTS", "port"]

FREE_PORTS = (32768, 60999)
"""Docker takes free ports from this range: the kernel's net.ipv4.ip_local_port_range."""

_PORT = re.compile(
    r"(?:(?:(?P<address>\[[^\]]*\]|[^:\[\]]*):)?(?:(?P<host>[0-9]+)(?:-(?P<last>[0-9]+))?)?:)?(?P<container>[0-9]+)"
    r"(?:/(?P<protocol>[A-Za-z]+))?"
)
_RANGE = re.compile(r"(?:.*:)?[0-9]+-[0-9]+(?:/[A-Za-z]+)?")
_PROTOCOLS = ("tcp", "udp", "sctp")
_LARGEST = 65535


def port(value: Any) -> Port:
    """``80``, ``"80"`` (a free port of the machine), ``"8080:80"``, ``"8080-8089:80"`` (the first free one), optionally
    with ``127.0.0.1:`` or ``[::1]:`` before and ``/udp`` or ``/sctp`` after. Raises `ValidationError`."""
    match = _PORT.fullmatch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if match is None:
        raise ValidationError(_no_port(value))
    protocol = (match["protocol"] or "tcp").lower()
    if protocol not in _PROTOCOLS:
        raise ValidationError(f"{represented(value)}: the protocol must be tcp, udp or sctp, not {match['protocol']!r}")
    found = Port(
        container=int(match["container"]),
        host=int(match["host"]) if match["host"] else None,
        host_last=int(match["last"]) if match["last"] and int(match["last"]) != int(match["host"]) else None,
        protocol=protocol,
        address=_address(value, match["address"]) if match["address"] else None,
    )
    numbers = [number for number in (found.container, found.host, found.host_last) if number is not None]
    if not all(1 <= number <= _LARGEST for number in numbers):
        raise ValidationError(f"{represented(value)}: ports must be from 1 to {_LARGEST}")
    if found.host is not None and found.host_last is not None and found.host_last < found.host:
        raise ValidationError(f"{represented(value)}: the last port of the range must not be less than the first")
    return found


def _no_port(value: Any) -> str:
    text = str(value)
    if isinstance(value, str) and text.count(":") > 2 and "[" not in text:  # noqa: PLR2004  address:port:port
        return f'{represented(value)} is not a port; write an IPv6 address in brackets, as in "[::1]:8080:80"'
    if isinstance(value, str) and _RANGE.fullmatch(text):
        return (
            f'{value!r}: the container\'s port must be a single port; write an entry for each, as in ["8080:80", '
            f'"8081:81"]'
        )
    return f'{represented(value)} is not a port; it must be one such as "80", "8080:80" or "8080-8089:80"'


def _address(value: Any, written: str) -> str:
    """The address without its brackets, which only an IPv6 address has."""
    bare = written.removeprefix("[").removesuffix("]")
    try:
        address = ip_address(bare)
    except ValueError:
        address = None
    if address is None or "%" in bare or (address.version == 6) != (bare != written):  # noqa: PLR2004  IPv6
        raise ValidationError(
            f"{represented(value)}: {written!r} is not an IP address of a machine; write one such as 127.0.0.1 or "
            f"[::1], "
            "or remove it to publish at all addresses"
        )
    return str(address)
