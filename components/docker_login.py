"""The logins of this computer's docker: its configuration with others added, and the one that it has itself."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from components.configured_logins import ConfiguredLogins
from fleetcaptain.errors import FleetCaptainError, UnitRefused
from fleetcaptain.printable import last_lines
from fleetcaptain.registry_login import RegistryLogin, login_mistake, merged_config

__all__ = ["docker_environment", "machine_logins"]

_CONFIG = "config.json"
_LINES = 3
_ADVICE = "Run `docker login {}`, or configure a user and a password; see docs/registries.md"


@contextmanager
def docker_environment(logins: Sequence[RegistryLogin]) -> Iterator[Mapping[str, str] | None]:
    """The environment for a docker command that uses *logins*, at all other registries the operator's own; None, this
    process's, without *logins*.

    It names a folder of mode 0700, which is removed at the end, with a ``config.json`` of mode 0600. All else that the
    operator's folder has, such as buildx among the plugins, is there too. Raises FleetCaptainError when it cannot be
    made.
    """
    if not logins:
        yield None
        return
    with ExitStack() as made:
        try:
            own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker").absolute()
            folder = Path(made.enter_context(tempfile.TemporaryDirectory(prefix="fleetcaptain-docker-")))
            _fill(folder, own, logins)
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
            raise FleetCaptainError(
                f"Could not use the configured logins at registries: {error}. docker's folder (DOCKER_CONFIG, "
                "else ~/.docker) must be readable, and the one for temporary files (TMPDIR) writable."
            ) from error
        yield {**os.environ, "DOCKER_CONFIG": str(folder)}


def _fill(folder: Path, own: Path, logins: Sequence[RegistryLogin]) -> None:
    """Make *folder* one of docker with *logins*, and all else that the operator's *own* has."""
    for path in own.iterdir() if own.is_dir() else ():
        if path.name != _CONFIG:
            (folder / path.name).symlink_to(path)
    descriptor = os.open(folder / _CONFIG, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(merged_config(_read(own / _CONFIG), logins), file)


def _read(path: Path) -> Mapping[str, Any]:
    """docker's configuration; empty when there is none, and when docker itself could not read it."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def machine_logins(configured: ConfiguredLogins) -> tuple[RegistryLogin, ...]:
    """The logins that machines pull images with, by registry: those in *configured*, and copies of those that this
    computer's docker has, from its configuration or from credential helpers.

    Raises UnitRefused with each registry at which docker has no login, or a token that only docker can use.
    """
    found, problems = list(configured.logins), []
    for registry in configured.from_docker:
        try:
            found.append(_docker_login(registry))
        except ValueError as error:
            problems.append(f"{registry}: {error}. {_ADVICE.format(registry)}")
    if problems:
        raise UnitRefused("Cannot use the logins of this computer's docker. Nothing was changed:", problems)
    return tuple(sorted(found, key=lambda login: login.registry))


def _docker_login(registry: str) -> RegistryLogin:
    """The login that this computer's docker has at *registry*. Raises ValueError with the reason why it has none."""
    # A fifth of a second, which most programs do not need.
    from docker.auth import load_config
    from docker.errors import DockerException

    try:
        found: Mapping[str, Any] = load_config().resolve_authconfig(registry) or {}
    except (DockerException, OSError, ValueError, KeyError) as error:
        raise ValueError(f"docker could not read its login: {last_lines(str(error), _LINES)}") from None
    user, password = (str(found.get(name) or found.get(name.lower()) or "") for name in ("Username", "Password"))
    if found.get("IdentityToken"):
        raise ValueError("docker has an identity token, which machines cannot use")
    if not user and not password:
        raise ValueError("docker has no login")
    if mistake := login_mistake(user, password):
        raise ValueError(mistake)
    return RegistryLogin(registry, user, password)
