"""Requests to fleetd, and the two ways in which it turns one down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Panic", "Refusal", "Reply", "Request", "filled"]


@dataclass(frozen=True)
class Request:
    """A request; *path* is decoded, *query* has every value of each name."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    content_types: Sequence[str] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """A status and the JSON object of the body; None for no body."""

    status: int
    data: Mapping[str, Any] | None = None


class Panic(Exception):
    """fleetd's handler panics: the connection is dropped without an answer."""


class Refusal(Exception):
    """An error with fleet's own words, which are often none."""

    def __init__(self, status: int, message: str = "") -> None:
        self.reply = Reply(status, {"error": {"code": status, "message": message}})
        super().__init__(message)


def filled(data: dict[str, Any]) -> dict[str, Any]:
    """Go leaves empty fields out."""
    return {key: value for key, value in data.items() if value}
