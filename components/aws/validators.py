"""Validators of the settings of a cluster on AWS. Each takes the text of the stack's configuration. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from components.aws.topology import MEMBER_COUNTS, member_names

__all__ = [
    "SIZES",
    "ValidationError",
    "blocks",
    "cluster_size",
    "count_of_members",
    "flag",
    "image_id",
    "instance_type",
    "key_pair",
    "member_name",
    "network",
    "one_of",
    "url",
    "whole",
    "zones",
]

# The bounds of the CloudFormation template that CoreOS published.
SIZES = range(3, 13)
_LEAST_ZONES = 2
_NETWORK_BITS = range(16, 19)
# Fewer bits than any provider assigns to a customer: practically the whole Internet.
_LEAST_BITS = 8
_TYPE = re.compile(r"(?P<family>[a-z]+)(?P<generation>\d+)(?P<traits>[a-z0-9-]*)\.[a-z0-9-]+")
_HIGH_MEMORY = re.compile(r"u-?[a-z0-9-]+\.[a-z0-9-]+")
_KEY_PAIR = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")


class ValidationError(ValueError):
    """One setting is invalid; its text is part of the report."""


def whole(least: int, most: int) -> Callable[[str], int]:
    """A number from *least* to *most*."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,6}", text) or not least <= int(text) <= most:
            raise ValidationError(f"must be an integer from {least} to {most}, not {text!r}")
        return int(text)

    return parse


def cluster_size(text: str) -> int:
    """The number of machines, 3 to 12."""
    return whole(SIZES[0], SIZES[-1])(text)


def count_of_members(text: str, size: int) -> int:
    """The number of *size* machines that keep etcd's data. An even number tolerates no more losses than one less."""
    known = [count for count in MEMBER_COUNTS if count <= size]
    if text not in map(str, known):
        raise ValidationError(f"{' or '.join(map(str, known))} of {size} machines can keep etcd's data, not {text!r}")
    return int(text)


def instance_type(text: str) -> str:
    """An EC2 instance type with a processor that fleetd runs on: there is none for arm64."""
    match = _TYPE.fullmatch(text)
    if match is None:
        if _HIGH_MEMORY.fullmatch(text):
            return text
        raise ValidationError(f"must be an instance type such as t3.medium, not {text!r}")
    if "g" in match["traits"] or text.startswith(("a1.", "mac")):
        raise ValidationError(f"{text} is not amd64 (x86-64), which fleetd requires; use t3.medium or m6i.large")
    return text


def image_id(text: str) -> str:
    """The id of an AMI, or nothing."""
    if text and not re.fullmatch(r"ami-[0-9a-f]{8,17}", text):
        raise ValidationError(f"must be the id of an AMI such as ami-0123456789abcdef0, not {text!r}")
    return text


def key_pair(text: str) -> str:
    """The name of a key pair that EC2 has."""
    if not text:
        raise ValidationError(
            "the name of an EC2 key pair is required (`aws ec2 describe-key-pairs` lists them): run `pulumi config set "
            "fleetcaptain:keyPair NAME`"
        )
    if not _KEY_PAIR.fullmatch(text):
        raise ValidationError(f"must be the name of a key pair, not {text!r}")
    return text


def blocks(text: str) -> tuple[str, ...]:
    """Blocks of addresses, with commas between them, none of which is the whole Internet."""
    found = []
    for word in filter(None, re.split(r"[,\s]+", text)):
        block = _block(word)
        if isinstance(block, IPv6Network):
            raise ValidationError(f"{word} is not IPv4: the machines have only IPv4 addresses")
        if block.prefixlen < _LEAST_BITS:
            raise ValidationError(
                f"{word} is open to the Internet: use only your own addresses, such as 198.51.100.7/32"
            )
        found.append(str(block))
    return tuple(found)


def network(text: str) -> str:
    """The addresses of a VPC: private ones, and enough of them for three subnets."""
    block = _block(text)
    if isinstance(block, IPv6Network) or not block.is_private or block.prefixlen not in _NETWORK_BITS:
        least, most = _NETWORK_BITS[0], _NETWORK_BITS[-1]
        raise ValidationError(f"must be a private block from /{least} to /{most} such as 10.71.0.0/16, not {text}")
    return str(block)


def url(text: str) -> str:
    """An http(s) URL, or nothing."""
    try:
        parts = urlsplit(text)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", text)
        _ = parts.port
    except ValueError:
        right = False
    if text and not right:
        raise ValidationError(f"must be an http(s) URL, not {text!r}; remove it: the members need no discovery")
    return text


def one_of(*values: str) -> Callable[[str], str]:
    """One of *values*."""

    def parse(text: str) -> str:
        if text not in values:
            raise ValidationError(f"must be {' or '.join(values)}, not {text!r}")
        return text

    return parse


def flag(text: str) -> bool:
    """``true`` or ``false``."""
    return one_of("true", "false")(text) == "true"


def zones(text: str) -> tuple[str, ...]:
    """The names of two or more availability zones with commas between them, or nothing."""
    found = tuple(dict.fromkeys(filter(None, re.split(r"[,\s]+", text))))
    odd = [zone for zone in found if not re.fullmatch(r"[a-z]{2}(-[a-z0-9]+)+-\d[a-z]", zone)]
    if odd or len(found) == 1:
        raise ValidationError(
            f"must be the names of {_LEAST_ZONES} or more zones such as eu-west-1a,eu-west-1b, not {text!r}"
        )
    return found


def member_name(text: str, members: int) -> str:
    """The name of one of the *members*, or nothing."""
    known = member_names(members)
    if text and text not in known:
        raise ValidationError(f"must be one of the members {', '.join(known)}, not {text!r}")
    return text


def _block(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValidationError(f"must be a block of addresses such as 198.51.100.0/24: {error}") from error
