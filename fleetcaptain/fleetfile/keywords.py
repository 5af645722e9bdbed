"""What each keyword of a Service may say, and the value that it stands for. Pure; raises `Mistake`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleetcaptain.fleetfile.docker_args import refuse_reserved
from fleetcaptain.fleetfile.kinds import public, ready, rollout
from fleetcaptain.fleetfile.options import options_of
from fleetcaptain.fleetfile.ports import port
from fleetcaptain.fleetfile.problem import Mistake
from fleetcaptain.fleetfile.texts import line_of_text, verbatim, word
from fleetcaptain.fleetfile.times import LONGEST_SEC
from fleetcaptain.fleetfile.values import Build

__all__ = ["PARSERS", "UNIT_CHARACTERS"]

MAX_INSTANCES = 100
UNIT_CHARACTERS = r"A-Za-z0-9:_.\\@-"
"""What the name of a unit is made of, as a set of a regular expression has it."""
# The specifiers are those that fleet and systemd both know.
_UNIT = re.compile(rf"(?:[{UNIT_CHARACTERS}]|%[npiN])+")
_GLOB = re.compile(rf"(?:[][*?^{UNIT_CHARACTERS}]|%[npiN])+")
_MACHINE_ID = re.compile(r"[A-Za-z0-9_.-]+")
_REGISTRY = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
# docker's own grammar (distribution/reference): it takes a word that begins with "-" for an option.
_REFERENCE = re.compile(rf"(?:{_REGISTRY}/)?{_PART}(?:/{_PART})*(?::{_TAG})?(?:@{_DIGEST})?")


def _optional(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else parse(value)


def _list_of(parse: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def parse_list(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise Mistake(f"a list is wanted, not {value!r}")
        return tuple(parse(entry) for entry in value)

    return parse_list


def _lines(value: Any) -> tuple[str, ...]:
    return (_line(value),) if isinstance(value, str) else _list_of(_line)(value)


def _line(value: Any) -> str:
    return verbatim(word(value))


def _name(value: Any) -> str:
    """A service or a unit, of which `together` knows which there are."""
    return _fitting(_UNIT, value, "no name of a service or a unit")


def _names(value: Any) -> tuple[str, ...]:
    return (_name(value),) if isinstance(value, str) else _list_of(_name)(value)


def _glob(value: Any) -> str:
    return _fitting(_GLOB, value, "no name of a unit, or pattern of names")


def _machine_id(value: Any) -> str:
    return _fitting(_MACHINE_ID, value, "no id of a machine, as `fleetctl list-machines` shows them")


def _fitting(form: re.Pattern[str], value: Any, what: str) -> str:
    text = word(value)
    if not form.fullmatch(text):
        raise Mistake(f"{value!r} is {what}")
    return text


def _seconds(least: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LONGEST_SEC:
            raise Mistake(f"it must be whole seconds, from {least} to {LONGEST_SEC}, not {value!r}")
        return value

    return parse


def _instances(value: Any) -> int | bool:
    if value is True:
        return True
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_INSTANCES:
        raise Mistake(f"a number from 1 to {MAX_INSTANCES} is wanted, or True for one that is replaced blue/green")
    return value


def _image(value: Any) -> str | Build:
    if isinstance(value, Build):
        return Build(verbatim(value.context), verbatim(value.dockerfile))
    return _fitting(_REFERENCE, value, 'no image reference, such as "redis:7"; names are lower case and have no spaces')


def _env(value: Any) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise Mistake(f"a mapping of names to values is wanted, not {value!r}")
    pairs = []
    for name, entry in sorted(value.items()):
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise Mistake(f"{name!r} is no name of a variable")
        if not isinstance(entry, str | int | bool):
            raise Mistake(f"{name} must be a text, a number or a bool")
        pairs.append((name, line_of_text(str(entry).lower() if isinstance(entry, bool) else str(entry))))
    return tuple(pairs)


def _docker_args(value: Any) -> tuple[str, ...]:
    words = _list_of(word)(value)
    refuse_reserved(words)
    return words


def _volume(value: Any) -> str:
    text = word(value)
    if not re.fullmatch(r"(/[^:]*|[A-Za-z0-9][A-Za-z0-9_.-]+):/[^:]+(:[a-zA-Z,]+)?", text):
        raise Mistake(
            f'{value!r} is no volume; it must be "name:/in/the/container" or "/on/the/machine:/in/the/container", with '
            '":ro" if need be'
        )
    return text


def _metadata(value: Any) -> tuple[str, ...]:
    pairs = [f"{key}={entry}" for key, entry in value.items()] if isinstance(value, Mapping) else _lines(value)
    for pair in map(verbatim, pairs):
        if not re.fullmatch(r"[A-Za-z0-9_.-]+=[^=\s\"]+", pair):
            raise Mistake(f'{pair!r} is no metadata: fleet ignores all but "key=value" with one "="')
    return tuple(pairs)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Mistake(f"True or False is wanted, not {value!r}")
    return value


PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "not_secret": _list_of(word),
    "description": verbatim,
    "image": _optional(_image),
    "command": _optional(word),
    "ports": _list_of(port),
    "public": _optional(public),
    "volumes": _list_of(_volume),
    "env": _env,
    "docker_args": _docker_args,
    "instances": _instances,
    **dict.fromkeys(
        ("start", "before_start", "after_start", "before_stop", "stop", "after_stop", "reload"), _optional(_lines)
    ),
    "ready": _optional(ready),
    "restart_sec": _seconds(0),
    "stop_sec": _seconds(1),
    "start_sec": _optional(_seconds(1)),
    "after": _list_of(_name),
    "requires": _list_of(_name),
    "machine_id": _optional(_machine_id),
    "machine_of": _names,
    "machine_metadata": _metadata,
    "conflicts": _list_of(_glob),
    "global_unit": _bool,
    "unit": options_of("Unit"),
    "service": options_of("Service"),
    "x_fleet": options_of("X-Fleet"),
    "rollout": _optional(rollout),
    "versions": _list_of(word),
}
