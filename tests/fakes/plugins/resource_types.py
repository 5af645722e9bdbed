"""What the stand-in knows of one type of resource: what AWS is asked for it, and which changes replace it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.plugins.inputs import Given

__all__ = ["Kind", "Made", "Plugin", "nothing", "words"]


@dataclass(frozen=True)
class Made:
    """A created resource: its *id*, and the *outputs* that it has beside its inputs."""

    id: str
    outputs: Mapping[str, Any] = field(default_factory=dict)


def nothing(_had: Given) -> None:
    """Deletes what does not exist by itself."""


def words(text: str) -> frozenset[str]:
    """A set of names, written in a line."""
    return frozenset(text.split())


@dataclass(frozen=True)
class Kind:
    """*replaces*: the inputs whose change replaces the resource, each by its path without list indices
    (``rootBlockDevice.encrypted``). *replaces_if*: such an input -> the input that has to be true for it.
    *updates*: input -> what asks for its change, and gives the outputs that are other ones now. *moves*: such
    outputs. *unmet*: inputs that are taken without anybody checking them. *autoname*: the input that gets a random
    suffix when it is not given; *unique*: two resources cannot have the same, so that one whose name is given is
    deleted before its replacement is made. *read*: the properties that may have changed behind the engine's back, None
    if the resource is gone.
    """

    create: Callable[[Given], Made]
    delete: Callable[[Given], Any]
    replaces: frozenset[str] = frozenset()
    replaces_if: Mapping[str, str] = field(default_factory=dict)
    updates: Mapping[str, Callable[[Given], Mapping[str, Any] | None]] = field(default_factory=dict)
    moves: frozenset[str] = frozenset()
    unmet: frozenset[str] = frozenset()
    autoname: str = ""
    unique: str = ""
    read: Callable[[Given], Mapping[str, Any] | None] | None = None


@dataclass(frozen=True)
class Plugin:
    """A plugin's types and functions by their tokens; *version* is that of the package whose plugin it stands for.
    *configure* takes the provider's settings, such as the region."""

    version: str
    kinds: Mapping[str, Kind]
    invokes: Mapping[str, Callable[[Given], Mapping[str, Any]]] = field(default_factory=dict)
    configure: Callable[[Mapping[str, str]], None] = lambda _: None
