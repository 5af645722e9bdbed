"""The real program in a folder of its own, where Pulumi finds the stand-ins in the place of the plugins."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.aws.cloud import Cloud
from tests.aws.events import Run, read

__all__ = ["ROOT", "Project"]

ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = ("__main__.py", "components", "fleetcaptain", "examples", ".venv", ".tools")
_PLUGINS = ("aws", "tls", "docker-build")
_TIMEOUT_SEC = 120


@dataclass(frozen=True)
class Project:
    """The program with the stack ``prod``, its state and its settings in *folder*; AWS is *cloud*."""

    folder: Path
    cloud: Cloud

    @classmethod
    def make(cls, folder: Path, cloud: Cloud, config: Mapping[str, str]) -> Project:
        """A new stack with *config* (``namespace:key`` -> value)."""
        (folder / "state").mkdir(parents=True)
        for name in _PROGRAM:
            (folder / name).symlink_to(ROOT / name)
        where = ROOT / "tests" / "fakes" / "plugins"
        plugins = "".join(f"    - {{name: {name}, path: {where}}}\n" for name in _PLUGINS)
        settings = (ROOT / "Pulumi.yaml").read_text()
        (folder / "Pulumi.yaml").write_text(f"{settings}plugins:\n  providers:\n{plugins}")
        project = cls(folder, cloud)
        project.must("stack", "init", "prod")
        project.configure(config)
        return project

    def configure(self, config: Mapping[str, str]) -> None:
        """Change the stack's settings to *config*, and leave the others."""
        pairs = [word for key, value in config.items() for word in ("--plaintext", f"{key}={value}")]
        self.must("config", "set-all", *pairs)

    def preview(self, **changes: str) -> Run:
        """``pulumi preview``, with *changes* of ``fleetcaptain:`` settings, which are taken back after it."""
        file = self.folder / "Pulumi.prod.yaml"
        before = file.read_text()
        self.configure({f"fleetcaptain:{key}": value for key, value in changes.items()})
        try:
            return self._watch("preview", "--json")
        finally:
            file.write_text(before)

    def up(self, *argv: str) -> Run:
        """``pulumi up``."""
        return self._watch("up", "--yes", "--skip-preview", "--json", *argv)

    def destroy(self) -> Run:
        """``pulumi destroy``."""
        return self._watch("destroy", "--yes", "--skip-preview", "--json")

    def state(self) -> list[dict[str, Any]]:
        """All resources of the state, secrets too."""
        told = json.loads(self.must("stack", "export", "--show-secrets"))
        resources: list[dict[str, Any]] = told["deployment"].get("resources", [])
        return resources

    def must(self, *argv: str) -> str:
        """The output of ``pulumi`` with *argv*, which has to succeed."""
        done = self._run(*argv)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _watch(self, *argv: str) -> Run:
        done = self._run(*argv)
        return read(done.returncode, done.stdout.splitlines(keepends=True), done.stderr)

    def _run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            **self.cloud.environ,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
        }
        command = ["pulumi", *argv, "--non-interactive"]
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=_TIMEOUT_SEC, check=False
        )
