"""Parsers of a Service's keywords: what each accepts, and the value that it resolves to. Pure; raises
`ValidationError`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleetcaptain.fleetfile.build_inputs import build, number_text
from fleetcaptain.fleetfile.calendar import Calendar
from fleetcaptain.fleetfile.command_words import command, docker_words
from fleetcaptain.fleetfile.custom_line import check_custom_line
from fleetcaptain.fleetfile.docker_args import refuse_reserved
from fleetcaptain.fleetfile.letters import check_verbatim, letters, sample, verbatim, word
from fleetcaptain.fleetfile.nested_values import alive, ready, rollout
from fleetcaptain.fleetfile.ports import port
from fleetcaptain.fleetfile.public_routes import public
from fleetcaptain.fleetfile.secret_specs import secret_files, secret_names
from fleetcaptain.fleetfile.time_limits import LONGEST_SEC
from fleetcaptain.fleetfile.unit_options import options_of
from fleetcaptain.fleetfile.validation_error import ValidationError, represented
from fleetcaptain.fleetfile.values import Build, Expand, Literal, Plain
from fleetcaptain.fleetfile.window_specs import windows
from fleetcaptain.image_reference import reference_mistake
from fleetcaptain.units.names import SERVICE_NAME, UNIT_CHARACTERS

__all__ = ["PARSERS", "TASK_PARSERS"]

MAX_INSTANCES = 100
# Only specifiers that both fleet and systemd know.
_UNIT = re.compile(rf"(?:[{UNIT_CHARACTERS}]|%[npiN])+")
_GLOB = re.compile(rf"(?:[][*?^{UNIT_CHARACTERS}]|%[npiN])+")
_MACHINE_ID = re.compile(r"[A-Za-z0-9_.-]+")
# docker takes any name but an empty one; it ends at the first "=", and an --env-file has no blanks in names either.
_VARIABLE = re.compile(r"[^=\s]+")
# docker's names of volumes, of two letters at least, and its modes of a mount, of each kind one (moby's
# volume/mounts/linux_parser.go).
_VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+")
_MODES: Mapping[str, str] = {
    **dict.fromkeys(("ro", "rw"), "access"),
    **dict.fromkeys(("z", "Z"), "label"),
    **dict.fromkeys(("shared", "slave", "private", "rshared", "rslave", "rprivate"), "propagation"),
    "nocopy": "copy",
    **dict.fromkeys(("consistent", "cached", "delegated"), "consistency"),
}


def _description(value: Any) -> str:
    return check_verbatim(letters(value, variables=False))


def _optional(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else parse(value)


def _list_of(parse: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def parse_list(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ValidationError(f"must be a list, not {represented(value)}")
        return tuple(parse(entry) for entry in value)

    return parse_list


def _lines(value: Any) -> tuple[str, ...]:
    return (_line(value),) if isinstance(value, str) else _list_of(_line)(value)


def _line(value: Any) -> str:
    return verbatim(word(value))


def _commands(value: Any) -> tuple[str, ...]:
    return tuple(map(check_custom_line, _lines(value)))


def _name(value: Any) -> str:
    """The name of a service or a unit. `cross_checks` checks that it exists."""
    return _fitting(_UNIT, value, "not the name of a service or a unit")


def _service_name(value: Any) -> str:
    return _fitting(SERVICE_NAME, value, "not the name of a service")


def _names(value: Any) -> tuple[str, ...]:
    return (_name(value),) if isinstance(value, str) else _list_of(_name)(value)


def _glob(value: Any) -> str:
    return _fitting(_GLOB, value, "not the name of a unit or a pattern of names")


def _machine(value: Any) -> str:
    found = _line(value)
    if re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{32}", found):
        raise ValidationError(f"{represented(found)} is the id of a machine; write it as machine_id=")
    if not re.fullmatch(r"[^=\s\"]+", found):
        raise ValidationError(f'{represented(found)} is not the name of a machine, such as "m1"')
    return found


def _machine_id(value: Any) -> str:
    found = _fitting(_MACHINE_ID, value, "not a machine id as `fleetctl list-machines` shows it")
    if found.endswith("..."):
        raise ValidationError(f"{represented(value)} is not a machine id; remove the dots, or write the whole id")
    return found


def _fitting(form: re.Pattern[str], value: Any, what: str) -> str:
    text = word(value)
    if not form.fullmatch(text):
        raise ValidationError(f"{represented(value)} is {what}")
    return text


def _seconds(least: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LONGEST_SEC:
            raise ValidationError(
                f"must be an integer number of seconds from {least} to {LONGEST_SEC}, not {represented(value)}"
            )
        return value

    return parse


def _instances(value: Any) -> int | bool:
    if value is True:
        return True
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_INSTANCES:
        raise ValidationError(
            f"must be an integer from 1 to {MAX_INSTANCES}, or True for a single instance that is replaced "
            f"blue/green, not "
            f"{represented(value)}"
        )
    return value


def _image(value: Any) -> str | Build:
    if isinstance(value, Build):
        return build(value)
    text = word(value)
    if re.search(r"\$[{(\w]", text):
        raise ValidationError(
            f"{represented(text)}: variables in an image reference are not replaced; write their values, or read "
            f"them in the "
            "Fleetfile: f\"{os.environ['REGISTRY']}/web:1\""
        )
    mistake = reference_mistake(text)
    if mistake:
        raise ValidationError(f'{represented(text)} is not an image reference, such as "redis:7": {mistake}')
    return text


def _env(value: Any) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise ValidationError(f"must be a mapping of names to values, not {represented(value)}")
    pairs = []
    for name, entry in value.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(word(name)):
            raise ValidationError(
                f'{represented(name)} is not a variable name; it must be a string without "=" and blanks'
            )
        pairs.append((word(name), _env_value(name, entry)))
    return tuple(sorted(pairs, key=lambda pair: pair[0]))


def _env_value(name: str, value: Any) -> str:
    if isinstance(value, str):
        return letters(Literal(str.__str__(value)) if isinstance(value, Plain) else value)
    text = number_text(value)
    if text is not None:
        return text
    raise ValidationError(f"{name} must be a string, a number or a bool, not {represented(value)}")


def _docker_args(value: Any) -> tuple[str, ...]:
    words = docker_words(value)
    refuse_reserved(words)
    return words


def _volume(value: Any) -> str:
    text = letters(value)
    source, _, rest = sample(text).partition(":")
    path, colon, modes = rest.partition(":")
    if isinstance(text, Expand) and (text.startswith("$") or (text.startswith("%") and "/" in source)):
        source = f"/{source}"  # a variable that stands for a path
    if source.startswith((".", "~")) or ("/" in source and not source.startswith("/")):
        raise ValidationError(
            f"{represented(value)}: a unit has no working directory that {source!r} could be relative to; write the "
            f"absolute path on "
            'the machine, or the name of a docker volume, as in "shop-data:/data"'
        )
    if not (source.startswith("/") or _VOLUME_NAME.fullmatch(source)) or not re.fullmatch(r"/+[^/:][^:]*", path):
        raise ValidationError(
            f'{represented(value)} is not a volume; it must be "name:/in/the/container" or '
            '"/on/the/machine:/in/the/container", optionally with ":ro"; a name must have at least two characters'
        )
    _check_modes(value, modes.split(",") if colon else [], source.startswith("/"))
    return text


def _check_modes(volume: str, modes: Sequence[str], on_machine: bool) -> None:
    kinds = [_MODES.get(mode, "") for mode in modes]
    if "" in kinds or len(set(kinds)) < len(kinds):
        raise ValidationError(
            f"{represented(volume)}: {','.join(modes)!r} is not a mount mode of docker; write :ro, :rw, :z, :Z or "
            f":nocopy"
        )
    if ("propagation" if not on_machine else "copy") in kinds:
        what = "a path of the machine" if "propagation" in kinds else "a named volume"
        raise ValidationError(f"{represented(volume)}: docker supports {','.join(modes)!r} only for {what}; remove it")


def _metadata(value: Any) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        given = [
            (key, entry)
            for key, found in value.items()
            for entry in (found if isinstance(found, list | tuple) else [found])
        ]
        pairs = tuple(
            f"{word(key)}={word(entry) if isinstance(entry, str) else _env_value(key, entry)}" for key, entry in given
        )
    else:
        pairs = _lines(value)
    for pair in map(verbatim, pairs):
        if not re.fullmatch(r"[A-Za-z0-9_.-]+=[^=\s\"]+", pair):
            raise ValidationError(
                f'{represented(pair)} is not metadata: fleet ignores everything except "key=value" with one "="; '
                f"write that"
            )
    return tuple(pairs)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValidationError(f"must be True or False, not {represented(value)}")
    return value


PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "not_secret": _list_of(word),
    "description": _description,
    "image": _optional(_image),
    "command": lambda value: () if value is None else command(value),
    "ports": _list_of(port),
    "public": public,
    "volumes": _list_of(_volume),
    "env": _env,
    "secrets": secret_names,
    "secret_files": secret_files,
    "docker_args": _docker_args,
    "instances": _instances,
    "scale": windows,
    **dict.fromkeys(
        ("start", "before_start", "after_start", "before_stop", "stop", "after_stop", "reload"), _optional(_commands)
    ),
    "ready": _optional(ready),
    "alive": _optional(alive),
    "restart_sec": _seconds(0),
    "stop_sec": _seconds(1),
    "start_sec": _optional(_seconds(1)),
    "after": _list_of(_name),
    "requires": _list_of(_name),
    "machine": _optional(_machine),
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
    "renamed_from": _optional(_service_name),
}

_SHARED = (
    "not_secret",
    "description",
    "image",
    "command",
    "volumes",
    "env",
    "secrets",
    "secret_files",
    "docker_args",
    "machine",
    "machine_metadata",
)
TASK_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    **{keyword: PARSERS[keyword] for keyword in _SHARED},
    "before": _list_of(_name),
    "after": _list_of(_name),
    "every": _optional(lambda value: Calendar.parse(verbatim(word(value))).text),
    "timeout_sec": _seconds(1),
}
"""The keywords of a Task. Those that a Service has too mean the same."""
