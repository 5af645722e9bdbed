"""What each keyword of a Service may say, and the value that it stands for. Pure; raises `Mistake`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleetcaptain.fleetfile.kinds import public, ready, rollout
from fleetcaptain.fleetfile.ports import port
from fleetcaptain.fleetfile.problem import Mistake
from fleetcaptain.fleetfile.values import Build

__all__ = ["PARSERS", "line_of_text"]

MAX_INSTANCES = 100
_LINE_BYTES = 2048
_SECRET = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|_KEY|APIKEY)$", re.IGNORECASE)
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


def line_of_text(value: Any) -> str:
    """A text of one line that fits in a unit."""
    if not isinstance(value, str):
        raise Mistake(f"a text is wanted, not {value!r}")
    if "\n" in value or "\r" in value:
        raise Mistake("it must be one line: fleet would read the next one as an option of its own")
    if len(value.encode()) >= _LINE_BYTES - 64:
        raise Mistake(f"it is too long: fleet takes lines of less than {_LINE_BYTES} bytes")
    return value


def _word(value: Any) -> str:
    text = line_of_text(value)
    if not text.strip():
        raise Mistake("it must not be empty")
    return text


def _optional(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else parse(value)


def _list_of(parse: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def parse_list(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise Mistake(f"a list is wanted, not {value!r}")
        return tuple(parse(entry) for entry in value)

    return parse_list


def _lines(value: Any) -> tuple[str, ...]:
    return (_word(value),) if isinstance(value, str) else _list_of(_word)(value)


def _seconds(least: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise Mistake(f"whole seconds are wanted, {least} or more, not {value!r}")
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
        return value
    text = _word(value)
    if text != text.lower().split("@")[0] + text[len(text.split("@")[0]) :] or " " in text:
        raise Mistake(f"{value!r} is no image reference; names are lower case and have no spaces")
    return text


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
        if _SECRET.search(name) and str(entry):
            raise Mistake(
                f"{name} looks like a secret, and fleet keeps every text for ever; put it into a file on the machines "
                'and say docker_args=["--env-file", "/etc/..."]'
            )
        pairs.append((name, line_of_text(str(entry).lower() if isinstance(entry, bool) else str(entry))))
    return tuple(pairs)


def _volume(value: Any) -> str:
    text = _word(value)
    if not re.fullmatch(r"/[^:]*:/[^:]+(:[a-zA-Z,]+)?", text):
        raise Mistake(f'{value!r} is no volume; "/on/the/machine:/in/the/container" is wanted, with ":ro" if need be')
    return text


def _metadata(value: Any) -> tuple[str, ...]:
    pairs = [f"{key}={entry}" for key, entry in value.items()] if isinstance(value, Mapping) else _lines(value)
    for pair in pairs:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+=[^=\s\"]+", pair):
            raise Mistake(f'{pair!r} is no metadata: fleet ignores all but "key=value" with one "="')
    return tuple(pairs)


def _options(value: Any) -> tuple[tuple[str, str], ...]:
    pairs = value.items() if isinstance(value, Mapping) else value
    found = []
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:  # noqa: PLR2004  a pair
            raise Mistake("a mapping of option names to values is wanted, or a list of pairs")
        name, given = pair
        if not isinstance(name, str) or not _OPTION.fullmatch(name):
            raise Mistake(f"{name!r} is no name of an option")
        values = given if isinstance(given, list | tuple) else [given]
        found += [(name, _word(str(entry))) for entry in values]
    return tuple(found)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Mistake(f"True or False is wanted, not {value!r}")
    return value


PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "description": line_of_text,
    "image": _optional(_image),
    "command": _optional(_word),
    "ports": _list_of(port),
    "public": _optional(public),
    "volumes": _list_of(_volume),
    "env": _env,
    "docker_args": _list_of(_word),
    "instances": _instances,
    **dict.fromkeys(
        ("start", "before_start", "after_start", "before_stop", "stop", "after_stop", "reload"), _optional(_lines)
    ),
    "ready": _optional(ready),
    "restart_sec": _seconds(0),
    "stop_sec": _seconds(1),
    "start_sec": _seconds(1),
    "after": _list_of(_word),
    "requires": _list_of(_word),
    "machine_id": _optional(_word),
    "machine_of": _lines,
    "machine_metadata": _metadata,
    "conflicts": _list_of(_word),
    "global_unit": _bool,
    "unit": _options,
    "service": _options,
    "x_fleet": _options,
    "rollout": _optional(rollout),
    "versions": _list_of(_word),
}
