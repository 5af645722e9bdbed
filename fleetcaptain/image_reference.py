"""Parses and validates image references as docker does: ``localhost:5000/acme/shop:v1@sha256:...``. Pure.

The grammar is docker's: ``reference/regexp.go`` and ``normalize.go`` of distribution, and the digests of go-digest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["RECORDED", "ImageReference", "name_mistake", "parse_reference", "reference_mistake", "split_registry"]

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])"
_REGISTRY = rf"{_HOST}(?::[0-9]{{1,5}})?"
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_NAME = rf"{_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = re.compile("sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")
_LONGEST_NAME = 255
_IMAGE_ID = re.compile("[a-f0-9]{64}")

RECORDED = re.compile(rf"(?=.{{1,512}}\Z)(?:{_REGISTRY}/)?{_NAME}(?::{_TAG})?(?:@[a-z0-9]+:[0-9a-fA-F]{{1,128}})?")
"""A reference in a release's record: its digest may be of any kind, since docker has run it."""


@dataclass(frozen=True)
class ImageReference:
    """The parts of a reference. *registry* is "" for docker's public one. *tag* and *digest* may be "" too."""

    registry: str
    name: str
    tag: str
    digest: str


def parse_reference(text: str) -> ImageReference | None:
    """The parts of a reference in a release's record; None when *text* is not a reference."""
    if not RECORDED.fullmatch(text):
        return None
    rest, _, digest = text.partition("@")
    registry, rest = split_registry(rest)
    name, _, tag = rest.partition(":")
    return ImageReference(registry, name, tag, digest)


def reference_mistake(text: str) -> str:
    """Why docker would reject *text* as an image reference; "" when it is valid."""
    rest, at, digest = text.partition("@")
    registry, rest = split_registry(rest)
    name, colon, tag = rest.partition(":")
    if registry and not re.fullmatch(_REGISTRY, registry):
        return f"{registry!r} must be a registry, such as registry.example.org:5000"
    if colon and not re.fullmatch(_TAG, tag):
        return f"the tag {tag!r} must have 1 to 128 letters, digits, _ . or -, and must not begin with . or -"
    if at and not _DIGEST.fullmatch(digest):
        return f'the digest {digest!r} must be "sha256:" and 64 hex digits in lower case'
    if not registry and _IMAGE_ID.fullmatch(text):
        return "docker reads 64 hex digits as an image id; write the image's name"
    return name_mistake(name, f"{registry}/{name}" if registry else name)


def name_mistake(name: str, whole: str = "") -> str:
    """Why *name*, without registry, tag and digest, is invalid; "" when it is valid. *whole*: with its registry."""
    if not name:
        return "the name is missing"
    if name.lower() != name:
        return "the name must be lower case"
    if "" in name.split("/"):
        return "a part of the name is empty; remove the slash"
    if not re.fullmatch(_NAME, name):
        return "each part of the name must have letters and digits, separated by one . or _, two _ or any number of -"
    if len(whole or name) > _LONGEST_NAME:
        return f"the name has {len(whole or name)} characters; docker accepts at most {_LONGEST_NAME}"
    return ""


def split_registry(text: str) -> tuple[str, str]:
    """The registry that *text* names, "" for none, and the rest: the first part names one when it could be no part of a
    name on the public one."""
    first, slash, rest = text.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return first, rest
    return "", text
