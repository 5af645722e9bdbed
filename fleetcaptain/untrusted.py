"""Reading what others wrote, into etcd above all: a value is taken whole, or refused with the reason.

Whoever reaches etcd can write anything there. What is read here has a limited size, the types and forms that it should
have, and nothing that could not be written again as JSON in UTF-8 (lone surrogates, infinite numbers).
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
# Python's own functions, such as `copy.deepcopy`, fail at some hundred levels.
DEEPEST = 32
# Some hundred characters are enough for whatever is neither a name nor an error. No encoding has lone surrogates.
ANY = re.compile(r"[^\ud800-\udfff]{0,4096}")
ANY_LENGTH = re.compile(r"[^\ud800-\udfff]*")
# Names of units, services and machines, as systemd allows them. They become parts of keys, which cannot be dots alone.
NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_:.@\\-]{1,255}")
WORD = re.compile(r"[A-Za-z0-9_.:@/+ -]{0,255}")


class Unreadable(ValueError):
    """A value that is not what it should be. The text says why."""


@dataclass(frozen=True)
class Ignored:
    """A value that is ignored: where it is (*key*), and *why*."""

    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.key}: {self.why}"


class Fields(Mapping[str, Any]):
    """A JSON object that is read field by field. Raises `Unreadable` for anything else. So does every method below, for
    a field of another type or form; one without a default must be there."""

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
        """A text of the *form*."""
        return self._text(name, self._value(name, default), form, default)

    def texts(self, name: str, form: re.Pattern[str] = ANY) -> tuple[str, ...]:
        """A list of texts of the *form*; empty when there is none."""
        found = self._value(name, [])
        if not isinstance(found, (list, tuple)):
            raise Unreadable(f"{name} is not a list")
        return tuple(self._text(name, entry, form, None) for entry in found)

    def number(self, name: str, low: int, high: int) -> int:
        """A whole number from *low* to *high*."""
        found = self._value(name, None)
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not low <= found <= high or found % 1:
            raise Unreadable(f"{name} is not a whole number from {low} to {high}")
        return int(found)

    def flag(self, name: str) -> bool:
        """True or false; false when there is none."""
        found = self._value(name, False)
        if not isinstance(found, bool):
            raise Unreadable(f"{name} is neither true nor false")
        return found

    def fields(self, name: str) -> Fields:
        """An object; empty when there is none."""
        return Fields(self.mapping(name))

    def objects(self, name: str) -> tuple[dict[str, Any], ...]:
        """A list of objects as they are; empty when there is none."""
        found = self._value(name, [])
        if not isinstance(found, (list, tuple)) or not all(isinstance(entry, dict) for entry in found):
            raise Unreadable(f"{name} is not a list of objects")
        return tuple(found)

    def mapping(self, name: str) -> dict[str, Any]:
        """An object as it is; empty when there is none."""
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
            raise Unreadable(f"{name} is not a text")
        if found != default and not form.fullmatch(found):
            raise Unreadable(f"{name} has a form that is not allowed")
        return found


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The shell lines of units read the first of two fields with one name, Python the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unreadable("a field is in it twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repetition)


def json_object(text: str, longest: int = LONGEST_BYTES) -> Fields:
    """The JSON object that *text*, of at most *longest* characters, is. Raises Unreadable."""
    if len(text) > longest:
        raise Unreadable(f"it has {len(text)} characters; at most {longest} are read")
    try:
        data = _DECODER.decode(text)
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is not JSON that could be written again") from error
    _check_depth(data, DEEPEST)
    return Fields(data)


def port_number(value: Any) -> int:
    """*value*, a number or a text, as the number of a port; 0 when it is none."""
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
    """What *make* makes of *value*, or None when it raises `Unreadable`."""
    try:
        return make(value)
    except Unreadable:
        return None


def read_all(
    make: Callable[[str, str], _T], values: Iterable[tuple[str, str]]
) -> tuple[tuple[_T, ...], tuple[Ignored, ...]]:
    """What *make* makes of each of the *values* (key, text), and those for which it raises `Unreadable`."""
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
