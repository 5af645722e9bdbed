"""Published ports, as ``docker run -p`` takes them."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Any

from fleetcaptain.fleetfile.problem import Mistake
from fleetcaptain.fleetfile.values import Port

__all__ = ["port"]

_PORT = re.compile(
    r"(?:(?:(?P<address>[0-9.]+):)?(?P<host>[0-9]+)(?:-(?P<last>[0-9]+))?:)?(?P<container>[0-9]+)"
    r"(?:/(?P<protocol>tcp|udp))?"
)
_LARGEST = 65535


def port(value: Any) -> Port:
    """``80``, ``"80"`` (a free port of the machine), ``"8080:80"``, ``"8080-8089:80"`` (the first free one), with
    ``127.0.0.1:`` before and ``/udp`` after if need be. Raises `Mistake`."""
    match = _PORT.fullmatch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if match is None:
        raise Mistake(f'{value!r} is no port; "80", "8080:80" or "8080-8089:80" is wanted')
    if match["address"] and not _is_address(match["address"]):
        raise Mistake(f"{value!r}: {match['address']} is no IPv4 address of a machine, such as 127.0.0.1")
    found = Port(
        container=int(match["container"]),
        host=int(match["host"]) if match["host"] else None,
        host_last=int(match["last"]) if match["last"] else None,
        protocol=match["protocol"] or "tcp",
        address=match["address"],
    )
    numbers = [number for number in (found.container, found.host, found.host_last) if number is not None]
    if not all(1 <= number <= _LARGEST for number in numbers):
        raise Mistake(f"{value!r}: ports go from 1 to {_LARGEST}")
    if found.host is not None and found.host_last is not None and found.host_last <= found.host:
        raise Mistake(f"{value!r}: the range must go upwards")
    return found


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
