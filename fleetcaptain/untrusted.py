"""Validates values that other programs wrote, mostly into etcd: each is accepted as a whole or rejected with a reason.

Every client of etcd can write any value. An accepted value has a limited size, the expected types and formats, and can
be written again as JSON in UTF-8 (no lone surrogates, no infinite numbers).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeVar

__all__ = [
    "ANY",
    "ANY_LENGTH",
    "DEEPEST",
    "LONGEST_BYTES",
    "NAME",
    "WORD",
    "Fields",
    "Ignored",
    "Unreadable",
    "is_address",
    "json_object",
    "port_number",
    "read_all",
    "readable",
]

_PORT = re.compile("[0-9]{1,5}")
_PORTS = range(1, 65536)
_T = TypeVar("_T")
_V = TypeVar("_V")

LONGEST_BYTES = 64 * 1024
# Python's own functions, such as `copy.deepcopy`, fail at a few hundred levels.
DEEPEST = 32
# The limit for values that are neither names nor errors. No encoding has lone surrogates.
ANY = re.compile(r"[^\ud800-\udfff]{0,4096}")
ANY_LENGTH = re.compile(r"[^\ud800-\udfff]*")
# Names of units, services and machines, as systemd allows them. They become parts of keys, which cannot be dots alone.
NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_:.@\\-]{1,255}")
WORD = re.compile(r"[A-Za-z0-9_.:@/+ -]{0,255}")


class Unreadable(ValueError):
    """A value is invalid. The message says why."""


@dataclass(frozen=True)
class Ignored:
    """An ignored value: its *key*, and *why* it is ignored."""

    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.key}: {self.why}"


class Fields(Mapping[str, Any]):
    """A JSON object whose fields are validated when read. Raises `Unreadable` for any other value; so does every method
    below for a field of another type or format, or a missing field without a default."""

    def __init__(self, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise Unreadable("it is not a JSON object")
        self._data = data

    def __getitem__(self, name: str) -> Any:
        return self._data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def text(self, name: str, form: re.Pattern[str] = ANY, default: str | None = None) -> str:
        """The string *name*, which must match *form*."""
        return self._text(name, self._value(name, default), form, default)

    def texts(self, name: str, form: re.Pattern[str] = ANY) -> tuple[str, ...]:
        """The list of strings *name*, each of which must match *form*; empty if missing."""
        found = self._value(name, [])
        if not isinstance(found, (list, tuple)):
            raise Unreadable(f"{name} is not a list")
        return tuple(self._text(name, entry, form, None) for entry in found)

    def number(self, name: str, low: int, high: int) -> int:
        """The integer *name*, from *low* to *high*."""
        found = self._value(name, None)
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not low <= found <= high or found % 1:
            raise Unreadable(f"{name} is not an integer from {low} to {high}")
        return int(found)

    def flag(self, name: str) -> bool:
        """The boolean *name*; false if missing."""
        found = self._value(name, False)
        if not isinstance(found, bool):
            raise Unreadable(f"{name} is not true or false")
        return found

    def fields(self, name: str) -> Fields:
        """The object *name*, validated in turn; empty if missing."""
        return Fields(self.mapping(name))

    def objects(self, name: str) -> tuple[dict[str, Any], ...]:
        """The list of objects *name*, not validated further; empty if missing."""
        found = self._value(name, [])
        if not isinstance(found, (list, tuple)) or not all(isinstance(entry, dict) for entry in found):
            raise Unreadable(f"{name} is not a list of objects")
        return tuple(found)

    def mapping(self, name: str) -> dict[str, Any]:
        """The object *name*, not validated further; empty if missing."""
        found = self._value(name, {})
        if not isinstance(found, Mapping):
            raise Unreadable(f"{name} is not an object")
        return dict(found)

    def _value(self, name: str, default: Any) -> Any:
        found = self._data.get(name)
        if found is None:
            found = default
        if found is None:
            raise Unreadable(f"{name} is missing")
        return found

    def _text(self, name: str, found: Any, form: re.Pattern[str], default: str | None) -> str:
        if not isinstance(found, str):
            raise Unreadable(f"{name} is not a string")
        if found != default and not form.fullmatch(found):
            raise Unreadable(f"{name} has characters or a length that are not allowed")
        return found


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields as a mapping. Of two fields with one name a unit's shell lines read the first, Python the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unreadable("it has a duplicate field")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repetition)


def json_object(text: str, longest: int = LONGEST_BYTES) -> Fields:
    """Parse *text*, of at most *longest* characters, as a JSON object. Raises Unreadable."""
    if len(text) > longest:
        raise Unreadable(f"it has {len(text)} characters; the limit is {longest}")
    try:
        data = _DECODER.decode(text)
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is not valid JSON in UTF-8") from error
    _check_depth(data, DEEPEST)
    return Fields(data)


def port_number(value: Any) -> int:
    """*value*, a number or a string, as a port number; 0 when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return 0
    if isinstance(value, str):
        value = int(value) if _PORT.fullmatch(value) else 0
    return value if value in _PORTS else 0


def _check_depth(value: Any, left: int) -> None:
    if not left:
        raise Unreadable(f"it is nested more than {DEEPEST} levels deep")
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for entry in below:
        _check_depth(entry, left - 1)


def readable(make: Callable[[_V], _T], value: _V) -> _T | None:
    """``make(value)``, or None when it raises `Unreadable`."""
    try:
        return make(value)
    except Unreadable:
        return None


def read_all(
    make: Callable[[str, str], _T], values: Iterable[tuple[str, str]]
) -> tuple[tuple[_T, ...], tuple[Ignored, ...]]:
    """``make(key, text)`` for each of the *values*, and the values for which it raises `Unreadable`."""
    found, ignored = [], []
    for key, text in values:
        try:
            found.append(make(key, text))
        except Unreadable as error:
            ignored.append(Ignored(key, str(error)))
    return tuple(found), tuple(ignored)


def is_address(text: str) -> bool:
    """Whether *text* is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
