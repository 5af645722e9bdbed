"""The programs found on this machine, as values: the only input of `tools.install_plan`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.profile import Profile

__all__ = ["Engine", "Found", "Pulumi", "numbers"]


@dataclass(frozen=True)
class Pulumi:
    """The first `pulumi` on PATH that was not built here. *has_host*: its Python host is in the same folder."""

    path: str
    version: str
    has_host: bool


@dataclass(frozen=True)
class Engine:
    """The state of the Docker engine: its *version* if it answers, otherwise the CLI's *error*.

    *elsewhere*: DOCKER_HOST or a context points away from this machine's own socket.
    """

    version: str = ""
    error: str = ""
    elsewhere: bool = False


@dataclass(frozen=True)
class Found:
    """A machine. Paths of missing programs are empty; *built* are the tools with a pinned build in the project, *stale*
    those with an older build. *ensurepip*: this Python can create virtual environments; *venv*: the profile
    that the project's environment was installed for, None if it is missing or older than pyproject.toml
    or its lock."""

    root: bool = False
    apt: bool = False
    systemd: bool = False
    go: str = ""
    built: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    pulumi: Pulumi | None = None
    docker_build: str = ""
    buildx: str = ""
    docker: str = ""
    dockerd: str = ""
    engine: Engine = Engine()
    base_image: bool = False
    ssh: str = ""
    test_programs: frozenset[str] = frozenset()
    ensurepip: bool = True
    venv: Profile | None = None


def numbers(version: str) -> tuple[int, ...]:
    """The first three numbers of a version: ``v3.260.0-alpha.1`` is ``(3, 260, 0)``; ``()`` if there are none."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in match.groups()) if match else ()
