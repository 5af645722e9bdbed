"""Logins at registries, and docker's ``config.json`` with them. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleetcaptain.image_reference import parse_reference, reference_mistake, split_registry

__all__ = [
    "PUBLIC",
    "RegistryLogin",
    "config_key",
    "docker_config",
    "login_mistake",
    "logins_for",
    "merged_config",
    "registry_host",
]

PUBLIC = "docker.io"
"""The host of docker's public registry."""

_PUBLIC_NAMES = (PUBLIC, "index.docker.io", "registry-1.docker.io")
# docker keeps the login at its public registry under the address of its first version.
_PUBLIC_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class RegistryLogin:
    """The *user* and *password* at the *registry*, a host as `registry_host` gives it."""

    registry: str
    user: str
    password: str = field(repr=False)

    @property
    def auth(self) -> str:
        """User and password as HTTP Basic authentication sends them: base64 of ``user:password``."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode(errors="strict")


def registry_host(text: str) -> str:
    """The registry that *text* names, ``host`` or ``host:port``, one name for all that docker's public registry has.
    Raises ValueError when an image's reference could not begin with it."""
    if split_registry(f"{text}/image") != (text, "image") or reference_mistake(f"{text}/image"):
        raise ValueError(f"{text!r} must be a registry's host as in an image's reference, such as ghcr.io")
    return PUBLIC if text in _PUBLIC_NAMES else text


def logins_for(image: str, logins: Iterable[RegistryLogin]) -> tuple[RegistryLogin, ...]:
    """Those of *logins* that are for the registry of the reference *image*: one or none."""
    found = parse_reference(image)
    registry = found and registry_host(found.registry or PUBLIC)
    return tuple(login for login in logins if login.registry == registry)


def login_mistake(user: str, password: str) -> str:
    """Why no registry would accept these as a login; "" if one could. It contains neither."""
    if not user or not password:
        return f"the {'password' if user else 'user'} is empty"
    if ":" in user:
        return "the user contains a colon, which separates it from the password"
    wrong = [name for name, text in (("user", user), ("password", password)) if not text.isprintable()]
    return f"the {wrong[0]} contains a line break or another control character" if wrong else ""


def config_key(registry: str) -> str:
    """The name under which docker keeps the login at *registry*."""
    return _PUBLIC_KEY if registry == PUBLIC else registry


def docker_config(logins: Iterable[RegistryLogin]) -> str:
    """The text of docker's ``config.json`` with *logins*: one line for each, sorted, so that ``sh`` can read it."""
    ordered = sorted(logins, key=lambda login: login.registry)
    lines = [f'{json.dumps(config_key(login.registry))}:{{"auth":"{login.auth}"}}' for login in ordered]
    return "\n".join(['{"auths":{', *([",\n".join(lines)] if lines else []), "}}", ""])


def merged_config(config: Mapping[str, Any], logins: Iterable[RegistryLogin]) -> dict[str, Any]:
    """docker's *config*, parsed, with *logins* in place of its own at their registries."""
    added = {config_key(login.registry): {"auth": login.auth} for login in logins}
    # An empty helper has docker read `auths` for that registry, also beside a store for all of them.
    helpers = {**_mapping(config.get("credHelpers")), **dict.fromkeys(added, "")}
    return {**config, "auths": {**_mapping(config.get("auths")), **added}, "credHelpers": helpers}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
