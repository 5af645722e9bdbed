"""Between the engine's protobuf structs and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2

__all__ = ["UNKNOWN", "known", "message", "plain", "text_of"]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine sends in the place of a value that nobody knows before the update."""

_ASSET = "c44067f5952c0a294b673a41bacd8c17"
_SIGNATURE = "4dabf18193072939515e22adb298388d"


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The values of *struct*; whole numbers are ints, as a struct knows only floats."""
    values: dict[str, Any] = _whole(json_format.MessageToDict(struct))
    return values


def message(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """*values* as the engine takes them."""
    struct = struct_pb2.Struct()
    struct.update(dict(values))
    return struct


def known(value: Any) -> bool:
    """Whether no part of *value* is unknown."""
    if isinstance(value, dict):
        return all(known(item) for item in value.values())
    if isinstance(value, list):
        return all(known(item) for item in value)
    return bool(value != UNKNOWN)


def text_of(asset: Mapping[str, Any]) -> bytes:
    """The bytes of an asset: of its text or of the file at its path. Raises ValueError when *asset* is none."""
    if asset.get(_SIGNATURE) != _ASSET:
        raise ValueError(f"not an asset: {asset}")
    if "path" in asset:
        with open(asset["path"], "rb") as file:
            return file.read()
    return str(asset["text"]).encode()


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
