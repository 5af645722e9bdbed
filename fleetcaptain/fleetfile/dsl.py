"""The words of a Fleetfile. They only note what was said, and where: a mistake is found when all has been said."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from typing import Any

from fleetcaptain.fleetfile.values import Build, Expand, Literal, Ready, Rollout

__all__ = ["Fleetfile", "Service", "SourceLocation", "arguments"]

Lines = str | Sequence[str]
Options = Mapping[str, Any] | Sequence[tuple[str, Any]]

# The Fleetfiles made while a file is loaded; None outside of a load.
arguments: ContextVar[list[Fleetfile] | None] = ContextVar("heard", default=None)
_READERS: Mapping[type, Callable[[Any], Any]] = {str: str.__str__, int: int.__index__, float: float.__float__}


@dataclass(frozen=True)
class SourceLocation:
    """Where a word was said."""

    file: str = ""
    line: int = 0


def _here() -> SourceLocation:
    """Where the word's constructor was called."""
    frame = sys._getframe(2)
    return SourceLocation(frame.f_code.co_filename, frame.f_lineno)


def _plain(value: Any) -> Any:
    """*value* with each text and number in it as just that, also those of a class with a text of its own, such as the
    members of ``class Size(str, Enum)``."""
    if isinstance(value, bool | Expand | Literal):
        return value
    for kind, read in _READERS.items():
        if isinstance(value, kind):
            return read(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(map(_plain, value))
    if isinstance(value, Build | Ready | Rollout):
        return replace(value, **{part.name: _plain(getattr(value, part.name)) for part in fields(value)})
    return value


@dataclass(init=False)
class Service:
    """One service of the app. docs/fleetfile.md has every keyword with its meaning."""

    name: str
    said: dict[str, Any] = field(repr=False)
    unknown: dict[str, Any] = field(repr=False)
    place: SourceLocation = field(repr=False)

    def __init__(
        self,
        name: str,
        *,
        description: str = "",
        image: str | Build | None = None,
        command: Lines | None = None,
        ports: Sequence[str | int] = (),
        public: int | None = None,
        volumes: Sequence[str] = (),
        env: Mapping[str, str | int | float | bool] | None = None,
        docker_args: Sequence[str] = (),
        not_secret: Sequence[str] = (),
        instances: int | bool = 1,
        start: Lines | None = None,
        before_start: Lines | None = None,
        after_start: Lines | None = None,
        before_stop: Lines | None = None,
        stop: Lines | None = None,
        after_stop: Lines | None = None,
        reload: Lines | None = None,
        ready: Ready | None = None,
        restart_sec: int = 5,
        stop_sec: int = 10,
        start_sec: int | None = None,
        after: Sequence[str] = (),
        requires: Sequence[str] = (),
        machine_id: str | None = None,
        machine_of: Lines = (),
        machine_metadata: Lines | Mapping[str, str] = (),
        conflicts: Sequence[str] = (),
        global_unit: bool = False,
        unit: Options = (),
        service: Options = (),
        x_fleet: Options = (),
        rollout: Rollout | None = None,
        versions: Sequence[str] = (),
        **unknown: Any,
    ) -> None:
        said = dict(locals())
        self.name = _plain(name)
        self.unknown = unknown
        self.place = _here()
        self.said = {word: _plain(value) for word, value in said.items() if word not in ("self", "name", "unknown")}


@dataclass(init=False)
class Fleetfile:
    """The app: its name, the image that is built from the Dockerfile beside the Fleetfile, and its services."""

    said: dict[str, Any] = field(repr=False)
    unknown: dict[str, Any] = field(repr=False)
    place: SourceLocation = field(repr=False)

    def __init__(
        self, *, app: str = "", image: str | None = None, services: Sequence[Service] = (), **unknown: Any
    ) -> None:
        self.said = {"app": _plain(app), "image": _plain(image), "services": services}
        self.unknown = unknown
        self.place = _here()
        made = arguments.get()
        if made is not None:
            made.append(self)
