"""The logins at registries of a stack's configuration: ``fleetcaptain:registryLogin`` and ``registryLogins``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.stack_file import clear_paths, read_stack_file
from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.registry_login import RegistryLogin, login_mistake, registry_host

__all__ = ["LOGIN_SETTINGS", "ConfiguredLogins", "configured_logins", "logins_of_stack"]

_CLUSTER, _REGISTRY = "fleetcaptain:cluster", "fleetcaptain:registry"
_OWN, _FOREIGN = "fleetcaptain:registryLogin", "fleetcaptain:registryLogins"
LOGIN_SETTINGS = (_CLUSTER, _REGISTRY, _OWN, _FOREIGN)
"""The keys that decide about logins."""

_FROM_DOCKER = "docker"
_MEMBERS = {"user", "password"}


@dataclass(frozen=True)
class ConfiguredLogins:
    """*logins*: the configured ones, by registry. *from_docker*: registries whose login this computer's docker has.
    *registry*: the host of the app's own registry on an existing cluster, else ""."""

    logins: tuple[RegistryLogin, ...] = ()
    from_docker: tuple[str, ...] = ()
    registry: str = ""

    @property
    def own(self) -> RegistryLogin | None:
        """The login at the registry of the app's own images; None if this computer's docker has it, or none is
        needed."""
        return next((login for login in self.logins if login.registry == self.registry), None)

    @property
    def foreign(self) -> tuple[RegistryLogin, ...]:
        """The logins at all other registries."""
        return tuple(login for login in self.logins if login.registry != self.registry)


def logins_of_stack() -> ConfiguredLogins:
    """`configured_logins` of the stack whose program runs. Raises UnitRefused."""
    texts = {key: text for key in LOGIN_SETTINGS if (text := pulumi.runtime.get_config(key)) is not None}
    # Pulumi says of a whole setting whether a part of it is encrypted.
    document = read_stack_file() if {_OWN, _FOREIGN} & texts.keys() else None
    clear = [path for key in (_OWN, _FOREIGN) for path in clear_paths(document, key)]
    return configured_logins(texts, [key for key in texts if pulumi.runtime.is_config_secret(key)], clear)


def configured_logins(
    config: Mapping[str, Any], encrypted: Collection[str], clear: Collection[tuple[str, ...]] = ()
) -> ConfiguredLogins:
    """The logins in *config*: keys of a stack, with their namespace, and their values in clear. *encrypted*: those of
    its keys that contain secrets. *clear*: the paths of values that are none, as far as they are known; see
    `clear_paths`.

    Raises UnitRefused with all problems: a password that is not encrypted, half a login, a login that no registry could
    accept, a registry that is named twice or is no host. No message has a user or a password.
    """
    problems: list[str] = []
    logins: dict[str, RegistryLogin] = {}
    from_docker: set[str] = set()
    paths: dict[str, str] = {}
    for name, path, value in (*_own(config, problems), *_foreign(config, problems)):
        try:
            registry = registry_host(name)
        except ValueError as error:
            problems.append(f"{path}: {error}")
            continue
        if registry in paths:
            problems.append(f"{path} and {paths[registry]} are both for {registry}; remove one of them")
        elif value == _FROM_DOCKER:
            from_docker.add(registry)
        elif wrong := _problems(value, path, is_encrypted=_is_encrypted(name, path, encrypted, clear)):
            problems += wrong
        else:
            logins[registry] = RegistryLogin(registry, str(value["user"]), value["password"])
        paths[registry] = path
    if problems:
        raise UnitRefused("The logins at registries cannot be used. Nothing was changed:", problems)
    ordered = tuple(logins[registry] for registry in sorted(logins))
    return ConfiguredLogins(ordered, tuple(sorted(from_docker)), _own_registry(config))


def _is_encrypted(name: str, path: str, encrypted: Collection[str], clear: Collection[tuple[str, ...]]) -> bool:
    """Whether the password of the registry *name*, whose setting is *path*, is encrypted."""
    at = (_OWN, "password") if path == _OWN else (_FOREIGN, name, "password")
    return at[0] in encrypted and at not in clear


# The registry, the path of its setting, and the setting's value.
_Entry = tuple[str, str, Any]


def _own(config: Mapping[str, Any], problems: list[str]) -> list[_Entry]:
    if not config.get(_OWN):
        return []
    kind = config.get(_CLUSTER) or ClusterKind.LOCAL
    if kind != ClusterKind.EXISTING:
        problems.append(
            f"{_OWN} is for {_CLUSTER}=existing: the registry of the cluster {kind!r} needs no configured login. Run "
            f"`pulumi config rm {_OWN}`; logins for foreign images are in {_FOREIGN}"
        )
        return []
    registry = _own_registry(config)
    if not registry:
        problems.append(f"{_OWN} requires {_REGISTRY} with a host, such as registry.example.org:5000; set it")
        return []
    return [(registry, _OWN, _value(config[_OWN]))]


def _own_registry(config: Mapping[str, Any]) -> str:
    """The registry of the app's own images on an existing cluster; "" for other kinds and for an invalid one."""
    if config.get(_CLUSTER) != ClusterKind.EXISTING:
        return ""
    try:
        return registry_host((config.get(_REGISTRY) or "").partition("/")[0])
    except ValueError:
        return ""


def _foreign(config: Mapping[str, Any], problems: list[str]) -> list[_Entry]:
    found = _value(config.get(_FOREIGN) or "{}")
    if isinstance(found, dict):
        return [(name, f'{_FOREIGN}["{name}"]', value) for name, value in sorted(found.items())]
    command = _command(f'{_FOREIGN}["ghcr.io"].password')
    problems.append(f"{_FOREIGN} must have a login for each registry; set each by commands such as {command}")
    return []


def _problems(value: Any, path: str, *, is_encrypted: bool) -> list[str]:
    """Why *value* is not the user and password of the setting *path*."""
    user, password = f"`pulumi config set --path '{path}.user' NAME`", _command(f"{path}.password")
    both = f"{user} and {password}"
    if not isinstance(value, dict):
        return [f'{path} must be "{_FROM_DOCKER}", or a user and a password: {both}']
    found = []
    if "password" in value and not is_encrypted:
        found.append(f"the password of {path} is in clear in the stack's configuration file; encrypt it: {password}")
    for name, command in (("user", user), ("password", password)):
        if name not in value:
            found.append(f"{path} has no {name}; set it: {command}")
    if value.keys() - {"user", "password"}:
        found.append(f"{path} has more than a user and a password; remove the rest with `pulumi config rm --path`")
    if found:
        return found
    name, secret = value["user"], value["password"]
    # Pulumi makes a number of a user of digits.
    if isinstance(name, bool) or not isinstance(name, str | int) or not isinstance(secret, str):
        return [f"{path} must have two texts; set them: {both}"]
    mistake = login_mistake(str(name), secret)
    return [f"{path}: {mistake}; set it again: {both}"] if mistake else []


def _command(path: str) -> str:
    return f"`pulumi config set --secret --path '{path}'`"


def _value(text: str) -> Any:
    """The object in a setting, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
