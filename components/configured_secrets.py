"""The secrets of a stack's configuration, set by ``pulumi config set --secret fleetcaptain:secrets.NAME``, or with
``--path``."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Collection, Mapping
from typing import Any

import pulumi

from components.engine import diagnostics
from components.stack_file import clear_paths, read_stack_file
from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import App
from fleetcaptain.release.repositories import build_secrets
from fleetcaptain.units.unit_file import UnitFile

__all__ = [
    "configured_secrets",
    "encoded_secrets",
    "has_empty_passphrase",
    "missing_secrets",
    "needed_secrets",
    "refuse_no_base64",
    "stack_secrets",
]

_KEY = "fleetcaptain:secrets"


def configured_secrets(
    config: Mapping[str, Any], encrypted: Collection[str], clear: Collection[tuple[str, ...]] = ()
) -> dict[str, str]:
    """Name -> value. *config*: the keys of a stack, with their namespace, and their values in clear; *encrypted*: those
    of its keys that are secrets; *clear*: the paths of values that are none, as far as they are known (`clear_paths`).

    Raises UnitRefused for a value that is not encrypted, that is set in both forms, or that is no text. No message has
    a value.
    """
    found: dict[str, Any] = {}
    problems = []
    by_path = _object(config.get(_KEY, "{}"))
    in_clear = [name for name in sorted(by_path) if _KEY not in encrypted or (_KEY, name) in clear]
    problems += [_in_clear(name, path=True) for name in in_clear]
    found.update(by_path)
    for key in sorted(config):
        name = key.removeprefix(f"{_KEY}.")
        if name == key:
            continue
        if key not in encrypted:
            problems.append(_in_clear(name))
        if name in by_path:
            problems.append(
                f"{name} is set twice; remove one value: `pulumi config rm {key}`, or `pulumi config rm --path {key}`"
            )
        found[name] = config[key]
    others = [name for name, value in found.items() if not isinstance(value, str)]
    problems += [f"{name} is not a text; set it: {_setting(name, encoded=False)}" for name in others]
    if problems:
        raise UnitRefused("The secrets of the configuration cannot be used. Nothing was changed:", problems)
    return found


def missing_secrets(
    needed: Mapping[str, Collection[str]], known: Collection[str], encoded: Collection[str] = ()
) -> None:
    """Raises UnitRefused with each secret of *needed* (name -> who uses it) that *known* does not have, and the command
    that sets it, for those in *encoded* in base64."""
    problems = []
    for name in sorted(needed.keys() - {*known}):
        users = sorted(needed[name])
        like = sorted(one for one in known if one.casefold() == name.casefold())
        similar = f" ({', '.join(like)} has one: names that differ in case are different)" if like else ""
        uses = f"{', '.join(users)} use{'s' if len(users) == 1 else ''}"
        problems.append(f"{name}, which {uses}: {_setting(name, encoded=name in encoded)}{similar}")
    if problems:
        raise UnitRefused("Secrets have no value in this stack's configuration. Nothing was changed:", problems)


def needed_secrets(app: App, files: Mapping[str, UnitFile]) -> dict[str, set[str]]:
    """The name of each secret that a service, task or build of *app* has -> their names. *files*: service -> its
    unit."""
    found = {name: set(builds) for name, builds in build_secrets(app, files).items()}
    for spec in app.containers:
        for name in spec.secret_names:
            found.setdefault(name, set()).add(spec.name)
    return found


def encoded_secrets(app: App) -> set[str]:
    """The names of the secrets that *app* has decoded."""
    return {file.name for spec in app.containers for _, file in spec.secret_files if file.base64}


def refuse_no_base64(app: App, values: Mapping[str, str]) -> None:
    """Raises UnitRefused with each of *values* (name -> value) that *app* has decoded, and that is not base64."""
    problems = [
        f"{name}: the Fleetfile says that it is in base64, and it is not; set it: {_setting(name, encoded=True)}"
        for name in sorted(encoded_secrets(app))
        if not _is_base64(values[name])
    ]
    if problems:
        raise UnitRefused("Secrets cannot be used as they are. Nothing was changed:", problems)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode("".join(text.splitlines()), validate=True)
    except ValueError:
        return False
    return True


def stack_secrets(app: App, files: Mapping[str, UnitFile]) -> dict[str, pulumi.Output[str]]:
    """Those of this stack's configuration that *app* needs, as secrets of Pulumi's; see `needed_secrets`. Raises
    UnitRefused, also when one is missing."""
    needed = needed_secrets(app, files)
    if not needed:
        return {}
    config, encrypted = pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    document = read_stack_file()
    found = configured_secrets(config, encrypted, clear_paths(document, _KEY))
    missing_secrets(needed, {name for name, value in found.items() if value}, encoded_secrets(app))
    refuse_no_base64(app, found)
    if has_empty_passphrase(document, os.environ):
        diagnostics.warn(
            "Secrets are encrypted with an empty passphrase: all who can read the stack's configuration file can read "
            "them. Set PULUMI_CONFIG_PASSPHRASE and run `pulumi stack change-secrets-provider passphrase`."
        )
    return {name: pulumi.Output.secret(found[name]) for name in needed}


def has_empty_passphrase(document: Any, environ: Mapping[str, str]) -> bool:
    """Whether the stack with the file *document* encrypts by a passphrase, which is empty in *environ*. Pulumi uses the
    variable before the file of PULUMI_CONFIG_PASSPHRASE_FILE, also an empty one, and asks if there is neither."""
    by_passphrase = isinstance(document, Mapping) and "encryptionsalt" in document
    return by_passphrase and environ.get("PULUMI_CONFIG_PASSPHRASE") == ""


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
    return (
        f"{name} is in clear in the stack's configuration file; encrypt it: `pulumi config set {how} {_KEY}.{name}`, "
        "with another value if others have read the file"
    )


def _setting(name: str, *, encoded: bool) -> str:
    """The command that sets the secret *name*, also to what a binary file has: *encoded*."""
    source = "base64 -w0 FILE | " if encoded else ""
    return f"`{source}pulumi config set --secret {_KEY}.{name}`"
