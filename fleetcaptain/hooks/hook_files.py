"""The hooks in an app's folder, and the variables that they get."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path

from fleetcaptain.errors import FleetfileError

__all__ = ["FOLDER", "Hook", "find_hooks", "hook_environ"]

FOLDER = "hooks"
_ERROR_CHARS = 4000


class Hook(StrEnum):
    """The hooks, by the names of their files."""

    PRE_DEPLOY = "pre-deploy"
    POST_DEPLOY = "post-deploy"
    ON_FAILURE = "on-failure"


def find_hooks(root: Path) -> Mapping[Hook, Path]:
    """The hooks of the app in the folder *root*. Raises FleetfileError for one that cannot be started."""
    found = {hook: root / FOLDER / hook.value for hook in Hook if (root / FOLDER / hook.value).exists()}
    problems = []
    for hook, path in found.items():
        if not path.is_file():
            problems.append(f"{FOLDER}/{hook.value} is not a file. Replace it with a program, or remove it.")
        elif not os.access(path, os.X_OK):
            problems.append(f"{FOLDER}/{hook.value} is not executable. Run `chmod +x {path}`, or remove the file.")
    if problems:
        raise FleetfileError(f"Cannot run the deploy hooks of {root}. Nothing was changed:", problems)
    return found


def hook_environ(
    hook: Hook,
    *,
    app: str,
    stack: str,
    release: str,
    services: Collection[str],
    result: str = "",
    failed: str = "",
    error: str = "",
) -> Mapping[str, str]:
    """The variables of *hook*, in addition to those of the shell that runs Pulumi. *result*: ``done`` or ``failed``, ""
    before the deployment; *failed*: the resource that failed, with its *error*."""
    values = {
        "HOOK": hook.value,
        "APP": app,
        "STACK": stack,
        "RELEASE": release,
        "SERVICES": " ".join(services),
        "RESULT": result,
        "FAILED": failed,
        "ERROR": error[:_ERROR_CHARS],
    }
    # The kernel ends a variable at a null character.
    return {f"FLEETCAPTAIN_{name}": value.replace("\0", "") for name, value in values.items()}
