"""The environment of all other programs, printed by ``python3 -m tools env`` for the Makefile. Pure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from tools.project_layout import Layout

__all__ = ["environment", "exports"]


def environment(environ: Mapping[str, str], layout: Layout, *, own_buildx: bool, pulumi_home: Path) -> dict[str, str]:
    """What to set: tools first on PATH, state in the project, no questions. The user's own values stay.

    *own_buildx*: buildx was built here, so the Docker CLI must look into `Layout.docker_config`.
    """
    ours = [str(layout.venv / "bin"), str(layout.bin)]
    theirs = [part for part in environ.get("PATH", "").split(os.pathsep) if part and part not in ours]
    variables = {
        "PATH": os.pathsep.join([*ours, *theirs]),
        "PULUMI_HOME": str(pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # They have the time of the build, so a build from the cache would have another digest, and roll its services.
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }
    if own_buildx:
        variables["DOCKER_CONFIG"] = str(layout.docker_config)
    if not environ.get("PULUMI_BACKEND_URL"):
        variables["PULUMI_BACKEND_URL"] = f"file://{layout.state}"
    if not (environ.get("PULUMI_CONFIG_PASSPHRASE") or environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")):
        # A local stack of the example has no secret except the key of its own machines, which is stored next to it
        # unencrypted. The program warns where there are others.
        variables["PULUMI_CONFIG_PASSPHRASE"] = ""
    return variables


def exports(variables: Mapping[str, str]) -> str:
    """Lines for ``eval`` in a POSIX shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
