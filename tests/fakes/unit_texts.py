"""Unit texts as tests write them, and what fleet makes of them."""

from __future__ import annotations

from fleetcaptain.units.unit_file import UnitFile

__all__ = ["canonical", "unit_hash", "with_image"]


def canonical(text: str) -> str:
    """*text* in fleet's own form."""
    return UnitFile.parse(text).text


def unit_hash(text: str) -> str:
    """The SHA1 that fleet computes for *text*."""
    return UnitFile.parse(text).unit_hash


def with_image(text: str, ref: str) -> str:
    """*text* with the line that names *ref*."""
    return UnitFile.parse(text).with_image(ref).text
