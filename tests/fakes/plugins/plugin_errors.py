"""How the engine is told of what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import grpc

from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind
from tests.fakes.plugins.wire import known

__all__ = ["Refused", "must_be_known", "must_be_taken", "told"]


class Refused(Exception):
    """Something that the stand-in does not know, or that it was asked wrongly."""


class told:  # noqa: N801
    """Any error is told the engine in a line."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, Exception):
            self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, text: str) -> NoReturn:
        self._context.abort(grpc.StatusCode.UNKNOWN, text)


def must_be_known(inputs: Mapping[str, Any]) -> None:
    """Raise Refused when part of *inputs* is unknown."""
    unknown = sorted(key for key, value in inputs.items() if not known(value))
    if unknown:
        raise Refused(f"unknown in an update: {', '.join(unknown)}")


def must_be_taken(urn: str, given: Given, kind: Kind) -> None:
    """Raise Refused when an input was handed on to nobody."""
    if left := given.left(kind.unmet):
        raise Refused(f"{urn}: the stand-in asks AWS nothing for {', '.join(left)}")
