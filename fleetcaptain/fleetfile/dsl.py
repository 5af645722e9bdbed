"""The classes of a Fleetfile. They only record their arguments and the line of the call; `service_specs` validates."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from typing import Any

from fleetcaptain.fleetfile.values import (
    Alive,
    Build,
    Expand,
    Literal,
    Plain,
    Ready,
    Rollout,
    Route,
    SecretFile,
    Window,
)

__all__ = ["Fleetfile", "Service", "SourceLocation", "Task", "declared"]

Lines = str | Sequence[str]
Options = Mapping[str, Any] | Sequence[tuple[str, Any]]

# The Fleetfiles made while a file is loaded; None outside of a load.
declared: ContextVar[list[Fleetfile] | None] = ContextVar("declared", default=None)
_READERS: Mapping[type, Callable[[Any], Any]] = {str: str.__str__, int: int.__index__, float: float.__float__}


@dataclass(frozen=True)
class SourceLocation:
    """The file and line of a call in a Fleetfile."""

    file: str = ""
    line: int = 0


def _here() -> SourceLocation:
    """Where the constructor of the calling class was called."""
    own = inspect.currentframe()
    constructor = own and own.f_back
    caller = constructor and constructor.f_back
    return SourceLocation(caller.f_code.co_filename, caller.f_lineno) if caller else SourceLocation()


def _plain(value: Any) -> Any:
    """*value* with each string and number in it as a plain one, also those of a subclass, such as the members of
    ``class Size(str, Enum)``."""
    if isinstance(value, bool | Expand | Literal | Plain):
        return value
    for kind, read in _READERS.items():
        if isinstance(value, kind):
            return read(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(map(_plain, value))
    if isinstance(value, Alive | Build | Ready | Rollout | Route | SecretFile | Window):
        return replace(value, **{part.name: _plain(getattr(value, part.name)) for part in fields(value)})
    return value


@dataclass(init=False)
class Service:
    """One service of the app. docs/fleetfile.md describes every keyword."""

    name: str
    arguments: dict[str, Any] = field(repr=False)
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
        public: int | Route | Sequence[int | Route] | None = None,
        volumes: Sequence[str] = (),
        env: Mapping[str, str | int | float | bool] | None = None,
        secrets: Sequence[str] = (),
        secret_files: Mapping[str, str | SecretFile] | None = None,
        docker_args: Sequence[str] = (),
        not_secret: Sequence[str] = (),
        instances: int | bool = 1,
        scale: Sequence[Window] = (),
        start: Lines | None = None,
        before_start: Lines | None = None,
        after_start: Lines | None = None,
        before_stop: Lines | None = None,
        stop: Lines | None = None,
        after_stop: Lines | None = None,
        reload: Lines | None = None,
        ready: Ready | None = None,
        alive: Ready | Alive | None = None,
        restart_sec: int = 5,
        stop_sec: int = 10,
        start_sec: int | None = None,
        after: Sequence[str] = (),
        requires: Sequence[str] = (),
        machine: str | None = None,
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
        renamed_from: str | None = None,
        **unknown: Any,
    ) -> None:
        arguments = dict(locals())
        self.name = _plain(name)
        self.unknown = unknown
        self.place = _here()
        own = ("self", "name", "unknown")
        self.arguments = {word: _plain(value) for word, value in arguments.items() if word not in own}


@dataclass(init=False)
class Task:
    """A command that a deployment runs once, before services. docs/fleetfile.md describes every keyword."""

    name: str
    arguments: dict[str, Any] = field(repr=False)
    unknown: dict[str, Any] = field(repr=False)
    place: SourceLocation = field(repr=False)

    def __init__(
        self,
        name: str,
        *,
        description: str = "",
        image: str | Build | None = None,
        command: Lines | None = None,
        volumes: Sequence[str] = (),
        env: Mapping[str, str | int | float | bool] | None = None,
        secrets: Sequence[str] = (),
        secret_files: Mapping[str, str | SecretFile] | None = None,
        docker_args: Sequence[str] = (),
        not_secret: Sequence[str] = (),
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        every: str | None = None,
        timeout_sec: int = 600,
        machine: str | None = None,
        machine_metadata: Lines | Mapping[str, str] = (),
        **unknown: Any,
    ) -> None:
        arguments = dict(locals())
        self.name = _plain(name)
        self.unknown = unknown
        self.place = _here()
        own = ("self", "name", "unknown")
        self.arguments = {word: _plain(value) for word, value in arguments.items() if word not in own}


@dataclass(init=False)
class Fleetfile:
    """The app: its name, the image that is built from the Dockerfile beside the Fleetfile, its services and tasks."""

    arguments: dict[str, Any] = field(repr=False)
    unknown: dict[str, Any] = field(repr=False)
    place: SourceLocation = field(repr=False)

    def __init__(
        self,
        *,
        app: str = "",
        image: str | None = None,
        services: Sequence[Service] = (),
        tasks: Sequence[Task] = (),
        **unknown: Any,
    ) -> None:
        self.arguments = {"app": _plain(app), "image": _plain(image), "services": services, "tasks": tasks}
        self.unknown = unknown
        self.place = _here()
        made = declared.get()
        if made is not None:
            made.append(self)
