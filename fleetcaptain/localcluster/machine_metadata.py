"""The setting ``fleetcaptain:metadata``: fleet's metadata of all machines, and of single ones. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.localcluster.layout import SIZES, machine_names

__all__ = ["parse_metadata"]

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_OWN = ("name", "zone")


def parse_metadata(setting: Any) -> dict[str, str | dict[str, str]]:
    """The metadata in *setting*: a key with a value for all machines, and the name of a machine (``m1``) with its own
    keys. Raises ClusterRefused with all mistakes."""
    if setting is None:
        return {}
    if not isinstance(setting, Mapping):
        raise _refused([f"it must be keys with values, not {setting!r}"])
    found = {
        str(key): {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else str(value)
        for key, value in setting.items()
    }
    problems = [problem for key, value in found.items() for problem in _problems(key, value)]
    if problems:
        raise _refused(problems)
    return found


def _problems(key: str, value: str | Mapping[str, str]) -> Iterator[str]:
    if isinstance(value, str):
        if key in machine_names(SIZES[-1]):
            yield f"{key} is a machine and has the value {value!r}; write {key}.KEY"
        elif key in _OWN:
            yield f"{key}: FleetCaptain sets it for each machine; use another key"
        elif not (_WORD.fullmatch(key) and _WORD.fullmatch(value)):
            yield f"{key}={value}: fleet accepts letters, digits, `_`, `.` and `-` only"
    elif key not in machine_names(SIZES[-1]):
        yield f"{key} has keys of its own, but is no machine: machines are called m1 to m{SIZES[-1]}"
    else:
        yield from (f"{key}: {problem}" for name, text in value.items() for problem in _problems(name, text))


def _refused(problems: list[str]) -> ClusterRefused:
    example = "Write `pulumi config set --path fleetcaptain:metadata.m1.disk ssd`, or without the m1 for all machines."
    return ClusterRefused("fleetcaptain:metadata is not valid. Nothing was changed:", [*problems, example])
