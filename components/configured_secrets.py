"""The secrets of a stack's configuration: ``pulumi config set --secret fleetcaptain:secrets.NAME``, also with
``--path``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from fleetcaptain.errors import UnitRefused

__all__ = ["configured_secrets", "missing_secrets"]

_KEY = "fleetcaptain:secrets"


def configured_secrets(config: Mapping[str, Any], encrypted: Collection[str]) -> dict[str, str]:
    """Name -> value. *config*: the keys of a stack, with their namespace, and their values in clear; *encrypted*: those
    of its keys that are secrets.

    Raises UnitRefused for a value that is not encrypted, that is set in both forms, or that is no text. No message has
    a value.
    """
    found: dict[str, Any] = {}
    problems = []
    by_path = _object(config.get(_KEY, "{}"))
    if by_path and _KEY not in encrypted:
        problems += [_in_clear(name, path=True) for name in sorted(by_path)]
    found.update(by_path)
    for key in sorted(config):
        name = key.removeprefix(f"{_KEY}.")
        if name == key:
            continue
        if key not in encrypted:
            problems.append(_in_clear(name))
        if name in by_path:
            problems.append(
                f"{name} is set twice, as {key} and with --path; remove one of them with `pulumi config rm`"
            )
        found[name] = config[key]
    problems += [f"{name} is not a text; set a text" for name, value in found.items() if not isinstance(value, str)]
    if problems:
        raise UnitRefused("The secrets of the configuration cannot be used. Nothing was changed:", problems)
    return found


def missing_secrets(needed: Mapping[str, Collection[str]], known: Collection[str]) -> None:
    """Raises UnitRefused with each secret of *needed* (name -> who uses it) that *known* does not have, and the command
    that sets it."""
    problems = [
        f"{name}, which {', '.join(sorted(users))} use{'s' if len(users) == 1 else ''}: "
        f"`pulumi config set --secret {_KEY}.{name}`"
        for name, users in sorted(needed.items())
        if name not in known
    ]
    if problems:
        raise UnitRefused("Secrets have no value in this stack's configuration. Nothing was changed:", problems)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UnitRefused(
            "The secrets of the configuration cannot be used. Nothing was changed:",
            [f"{_KEY} has to hold names and values; set each by `pulumi config set --secret --path {_KEY}.NAME`"],
        )
    return value


def _in_clear(name: str, *, path: bool = False) -> str:
    how = "--secret --path" if path else "--secret"
    return f"{name} is in clear in the stack's configuration file; encrypt it: `pulumi config set {how} {_KEY}.{name}`"
