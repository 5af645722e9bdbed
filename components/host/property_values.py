"""Converts between the engine's protobuf structs and the values of providers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from google.protobuf.struct_pb2 import ListValue, Struct

__all__ = ["struct_of", "values_of"]

# The protocol's form of a value that is not known before the update.
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# A pickled provider in states of earlier versions. It stays there unread, so that it does not show as a change.
_PICKLE = "__provider"
# The connection, and paths on this computer. They come from the program and are used again unchanged.
_VERBATIM = frozenset({"cluster", "connection", "home", "tools"})


def values_of(struct: Struct) -> dict[str, Any]:
    """The values of *struct*: numbers as floats, `pulumi.UNKNOWN` for what is unknown, nulls left out."""
    return {key: value for key, value in _plain(struct).items() if key != _PICKLE}


def struct_of(values: Mapping[str, Any] | None, origin: Struct, text: Callable[[str], str] = str) -> Struct:
    """*values* for the engine, in place of *origin*. *text* converts each string except connections and paths."""
    known = {key: value for key, value in (values or {}).items() if value is not None}
    struct = Struct()
    struct.update({key: _wire(value, str if key in _VERBATIM else text) for key, value in known.items()})
    if _PICKLE in origin:
        struct[_PICKLE] = origin[_PICKLE]
    return struct


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        entries = {key: _plain(entry) for key, entry in value.items()}
        return {key: entry for key, entry in entries.items() if entry is not None}
    if isinstance(value, ListValue):
        return [_plain(entry) for entry in value]
    return pulumi.UNKNOWN if value == _UNKNOWN else value


def _wire(value: Any, text: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {text(key): _wire(entry, text) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_wire(entry, text) for entry in value]
    if isinstance(value, str):
        return text(value)
    return _UNKNOWN if value is pulumi.UNKNOWN else value
