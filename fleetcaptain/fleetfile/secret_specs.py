"""Validation of ``secrets=`` and ``secret_files=``. Pure; raises `ValidationError`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fleetcaptain.fleetfile.docker_args import docker_options
from fleetcaptain.fleetfile.letters import verbatim, word
from fleetcaptain.fleetfile.validation_error import ValidationError, represented
from fleetcaptain.fleetfile.values import SecretFile

__all__ = ["secret_files", "secret_mistakes", "secret_name", "secret_names"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# systemd, docker's client and the shell of the unit's own lines read these themselves.
_TAKEN = re.compile(
    r"PATH|HOME|SHELL|USER|IFS|ENV|TZ|IMAGE|MAINPID|INVOCATION_ID|(?:DOCKER|LD|SYSTEMD|FLEETCAPTAIN|COREOS)_.*|[a-z]+_proxy|[A-Z]+_PROXY"
)
_PATH = re.compile(r"(?:/[A-Za-z0-9_@+=-][A-Za-z0-9_.@+=-]*)+")
_MODE = re.compile(r"0(?!000)(?:[4-7][0-7][0-7]|[0-7][4-7][0-7]|[0-7][0-7][4-7])")
_OWNER = re.compile(r"[0-9]{1,9}:[0-9]{1,9}")


def secret_names(value: Any) -> tuple[str, ...]:
    """The names of the secrets that a container has as variables, each once, sorted."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValidationError(f"must be a list of names, not a {type(value).__name__}")
    if any(isinstance(entry, SecretFile) for entry in value):
        raise ValidationError("a SecretFile is no variable; write it in secret_files=")
    names = [secret_name(entry) for entry in value]
    for name in names:
        if _TAKEN.fullmatch(name):
            raise ValidationError(f"{name} is a variable of the machine's own programs; choose another name")
        if names.count(name) > 1:
            raise ValidationError(f"{name} is given twice; remove one")
    return tuple(sorted(names))


def secret_files(value: Any) -> tuple[tuple[str, SecretFile], ...]:
    """The files of a container that hold a secret, sorted by their path."""
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise ValidationError(f"must be a mapping of paths in the container to names, not a {type(value).__name__}")
    return tuple(sorted((_path(path), _file(given)) for path, given in value.items()))


def secret_mistakes(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with the secrets of a service or task beside its other keywords: (keyword, message)."""
    variables = {name for name, _ in values.get("env", ())}
    for name in values.get("secrets", ()):
        if name in variables:
            yield "secrets", f"{name} is in env= too; remove it there"
    if values.get("start") is None:
        options = docker_options(values.get("docker_args", ()))
        for name in sorted({value.partition("=")[0] for option, value in options if option == "env"}):
            if name in values.get("secrets", ()):
                yield "secrets", f"{name} is in docker_args= too, as --env; remove it there"
    if values.get("secret_files") and values.get("start") is not None:
        yield "secret_files", "only a container that command= starts has them; write command= in place of start="
    mounted = {volume.split(":")[1] for volume in values.get("volumes", ()) if volume.count(":")}
    for path, _ in values.get("secret_files", ()):
        if path in mounted:
            yield "secret_files", f"{path} is in volumes= too; remove it from one of them"


def secret_name(value: Any) -> str:
    """*value*, if it is the name of a secret."""
    name = verbatim(word(value))
    if not _NAME.fullmatch(name):
        # It may be a value: no message shows it.
        raise ValidationError("an entry is not the name of a secret; use letters, digits and _, as in DATABASE_URL")
    return name


def _path(value: Any) -> str:
    path = verbatim(word(value))
    if not _PATH.fullmatch(path):
        raise ValidationError(
            f"{represented(path)} is not an absolute path of a file in the container, such as /run/secrets/tls.key"
        )
    return path


def _file(value: Any) -> SecretFile:
    given = value if isinstance(value, SecretFile) else SecretFile(value)
    name, mode, owner = secret_name(given.name), given.mode, given.owner
    if not isinstance(mode, str) or not _MODE.fullmatch(mode):
        raise ValidationError(f'{name}: the mode must be four octal digits that allow reading, such as "0400"')
    if not isinstance(owner, str) or not _OWNER.fullmatch(owner):
        raise ValidationError(
            f'{name}: the owner must be "uid:gid" in numbers, such as "1000:1000", not {represented(owner)}: the '
            "machine does not know the names of the container's users"
        )
    if not isinstance(given.base64, bool):
        raise ValidationError(f"{name}: base64 must be True or False, not {represented(given.base64)}")
    return replace(given, name=name)
