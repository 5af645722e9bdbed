"""What differs between the inputs of then and now, and what the engine is told of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2 as proto

from tests.fakes.plugins.resource_types import Kind

__all__ = ["answer", "changes"]

_Kind = proto.PropertyDiff.Kind


def changes(olds: Any, news: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The paths of all that differs, each with ``add``, ``delete`` or ``update``."""
    if isinstance(olds, dict) and isinstance(news, dict):
        for key in sorted({*olds, *news} - {"__defaults"}):
            below = f"{path}.{key}" if path else key
            yield from _sides(olds.get(key), news.get(key), below)
    elif isinstance(olds, list) and isinstance(news, list):
        for index in range(max(len(olds), len(news))):
            below = f"{path}[{index}]"
            yield from _sides(
                olds[index] if index < len(olds) else None, news[index] if index < len(news) else None, below
            )
    elif olds != news:
        yield path, "update"


def _sides(old: Any, new: Any, path: str) -> Iterator[tuple[str, str]]:
    if old is None or new is None:
        if old is not new:
            yield path, "add" if old is None else "delete"
        return
    yield from changes(old, new, path)


def answer(kind: Kind, olds: Mapping[str, Any], news: Mapping[str, Any]) -> proto.DiffResponse:
    """The engine's question, whether *news* is a change and whether it replaces, answered."""
    detailed = {}
    replaces = []
    for path, verb in changes(olds, news):
        replacing = _replaces(kind, path, news)
        if replacing:
            replaces.append(path)
        name = f"{verb.upper()}{'_REPLACE' if replacing else ''}"
        detailed[path] = proto.PropertyDiff(kind=_Kind.Value(name), inputDiff=True)
    return proto.DiffResponse(
        changes=proto.DiffResponse.DIFF_SOME if detailed else proto.DiffResponse.DIFF_NONE,
        replaces=replaces,
        detailedDiff=detailed,
        hasDetailedDiff=True,
        diffs=sorted({re.split(r"[.\[]", path)[0] for path in detailed}),
        deleteBeforeReplace=bool(replaces) and _in_the_way(kind, olds, news),
    )


def _replaces(kind: Kind, path: str, news: Mapping[str, Any]) -> bool:
    plain = re.sub(r"\[\d+\]", "", path)
    if news.get(kind.replaces_if.get(plain, "")):
        return True
    return any(plain == forced or plain.startswith(f"{forced}.") for forced in kind.replaces)


def _in_the_way(kind: Kind, olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether the old one has the name that the new one needs: one that was given, not made up."""
    made_up = kind.unique in news.get("__defaults", ())
    return bool(kind.unique) and not made_up and olds.get(kind.unique) == news.get(kind.unique)
