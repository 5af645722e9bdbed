"""Validation of ``Build(...)``. Pure; raises `ValidationError`."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from fleetcaptain.fleetfile.letters import verbatim
from fleetcaptain.fleetfile.validation_error import ValidationError, represented
from fleetcaptain.fleetfile.values import Build, Expand, Literal, Plain
from fleetcaptain.printable import COLOUR_MARK, unprintable

__all__ = ["build", "number_text"]

# The names of a Dockerfile's ARG, and of a variable of the environment, in which the build gets a secret.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHOWN = 5
_RESERVED = "FLEETCAPTAIN_"
_STAGE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_PLATFORM = re.compile(r"linux/(?:386|amd64|arm|arm64|mips64|mips64le|ppc64le|riscv64|s390x)")


def build(value: Build) -> Build:
    """*value*, if its fields are valid: *args* as pairs by name, the lists as tuples by name."""
    return Build(
        verbatim(value.context),
        verbatim(value.dockerfile),
        _target(value.target),
        _args(value.args),
        _secrets(value.secrets),
        _platforms(value.platforms),
        _only(value.only),
    )


def number_text(value: Any) -> str | None:
    """A bool (``true``) or a finite number as the text of a variable; None for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _target(value: Any) -> str | None:
    if value is None:
        return None
    if not _is_word(value) or not _STAGE.fullmatch(value):
        raise ValidationError(
            f"Build(target={represented(value)}): must be the name of a stage of the Dockerfile, as in "
            '"FROM ... AS web"; remove it to build the last stage'
        )
    return str(value)


def _args(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping) and value != ():
        raise ValidationError(
            f'Build(args={represented(value)}): must be a mapping of names to values, such as {{"NODE_VERSION": "22"}}'
        )
    pairs = value.items() if isinstance(value, Mapping) else ()
    return tuple(sorted((_arg_name(name), _arg_value(name, given)) for name, given in pairs))


def _arg_name(name: Any) -> str:
    if not _is_word(name) or not _NAME.fullmatch(name):
        raise ValidationError(
            f"Build(args=...): {represented(name)} is not the name of a build argument; it must have letters, digits "
            "and _, and no digit first"
        )
    if name.startswith(_RESERVED):
        raise ValidationError(
            f"Build(args=...): {name} is reserved, because FleetCaptain passes {_RESERVED} arguments itself; choose "
            "another name"
        )
    return str(name)


def _arg_value(name: str, value: Any) -> str:
    text = number_text(value)
    if text is not None:
        return text
    if not isinstance(value, str) or isinstance(value, Expand | Literal):
        raise ValidationError(
            f"Build(args=...): {name} must be a string, a number or a bool, not {represented(value)}: nothing in it is "
            "replaced"
        )
    text = str.__str__(value)
    odd = [*unprintable(text), *(one for one in (r"\n", COLOUR_MARK) if one.replace(r"\n", "\n") in text)]
    if odd:
        raise ValidationError(
            f"Build(args=...): {name} must be one line without characters that are invisible or control a terminal; "
            f"remove {', '.join(odd[:_SHOWN])}"
        )
    return text


def _secrets(value: Any) -> tuple[str, ...]:
    for name in _listed("secrets", value, '["NPM_TOKEN"]'):
        if not _is_word(name) or not _NAME.fullmatch(name):
            raise ValidationError(
                f"Build(secrets=...): {represented(name)} is not the name of a secret; it must have letters, digits "
                "and _, and no digit first"
            )
    return tuple(sorted(set(value)))


def _platforms(value: Any) -> tuple[str, ...]:
    platforms = _listed("platforms", value, '["linux/amd64"]')
    for platform in platforms:
        if not _is_word(platform) or not _PLATFORM.fullmatch(platform):
            raise ValidationError(
                f"Build(platforms=...): {represented(platform)} is not a platform of machines; write one such as "
                '"linux/amd64" or "linux/arm64"'
            )
    if len(platforms) > 1:
        raise ValidationError(
            f"Build(platforms={represented(value)}): must have one platform, that of the machines; remove the others"
        )
    return platforms


def _only(value: Any) -> tuple[str, ...]:
    patterns = _listed("only", value, '["web/", "lib/"]')
    if not patterns and value != ():
        raise ValidationError(
            f"Build(only={represented(value)}): must have a pattern; remove it to send the whole folder"
        )
    for pattern in patterns:
        if not _is_word(pattern) or not pattern.strip("/. ") or unprintable(pattern) or "\n" in pattern:
            raise ValidationError(
                f"Build(only=...): {represented(pattern)} is not a pattern of files; write one as in a "
                '.dockerignore, such as "web/" or "**/*.py"'
            )
        if pattern.strip().startswith("!"):
            raise ValidationError(
                f"Build(only=...): {represented(pattern)} must not begin with !; exclude files in .dockerignore"
            )
    return tuple(sorted({posixpath.normpath(pattern.strip()) for pattern in patterns}))


def _listed(keyword: str, value: Any, example: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValidationError(f"Build({keyword}={represented(value)}): must be a list such as {example}")
    return tuple(value)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Expand | Literal | Plain)
