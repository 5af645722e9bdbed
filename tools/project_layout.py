"""The paths of the project."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.profile import WHEELS

__all__ = ["Layout", "put"]

_PULUMI_PLUGIN = "pulumi-resource-docker-build"


@dataclass(frozen=True)
class Layout:
    """The paths under the project's folder *root*."""

    root: Path

    @property
    def home(self) -> Path:
        """The output of the toolchain; git ignores it."""
        return self.root / ".tools"

    @property
    def bin(self) -> Path:
        """The built programs, one folder for PATH."""
        return self.home / "bin"

    @property
    def fingerprints(self) -> Path:
        """The fingerprint of each program, a file with its name."""
        return self.home / "fingerprints"

    @property
    def logs(self) -> Path:
        """The log of each step, a file with its name."""
        return self.home / "log"

    @property
    def scratch(self) -> Path:
        """Unfinished files; emptied at the start of a run."""
        return self.home / "tmp"

    @property
    def run(self) -> Path:
        """The log and process id of the engine that was started here."""
        return self.home / "run"

    @property
    def docker_config(self) -> Path:
        """The folder in which the Docker CLI finds the built buildx; see `tools.plugins`."""
        return self.home / "docker"

    @property
    def pulumi_home(self) -> Path:
        """Pulumi's own folder, for users who have none."""
        return self.home / "pulumi-home"

    @property
    def venv(self) -> Path:
        """The project's virtual environment."""
        return self.root / ".venv"

    @property
    def stacks(self) -> Path:
        """The local files of stacks, a folder each, and Pulumi's state."""
        return self.root / ".fleetcaptain"

    @property
    def state(self) -> Path:
        """Pulumi's state."""
        return self.stacks / "pulumi"

    def settings(self, stack: str) -> Path:
        """Pulumi's settings of *stack*, which may be named with its project and organization."""
        return self.root / f"Pulumi.{stack.rpartition('/')[2]}.yaml"

    @property
    def python(self) -> Path:
        """The locks of the Python packages, and the wheels of those that are published as source only."""
        return self.root / WHEELS

    def modules(self, module: str) -> Path:
        """The Go module *module* of ``tools/go``."""
        return self.root / "tools" / "go" / module

    def installed(self, tool: str) -> Path:
        """The path of the program *tool*: plugins are not on PATH, Docker's is in Docker's plugin folder."""
        folders = {"docker-buildx": self.docker_config / "cli-plugins", _PULUMI_PLUGIN: self.home / "plugins"}
        return folders.get(tool, self.bin) / tool

    def log(self, step: str) -> Path:
        """The log of *step*."""
        return self.logs / (step.strip(".").replace(" ", "-").replace(":", "-") + ".log")


def put(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write *path* atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
