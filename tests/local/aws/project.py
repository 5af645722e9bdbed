"""The real program in a folder of its own, where Pulumi finds the stand-ins in the place of the plugins."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.local.aws.events import Run, read

__all__ = ["ROOT", "Project"]

ROOT = Path(__file__).resolve().parents[3]
_PROGRAM = ("__main__.py", "components", "fleetcaptain", ".venv", ".tools")
_PLUGINS = ("aws", "tls", "docker-build")
_TIMEOUT_SEC = 600


@dataclass(frozen=True)
class Project:
    """The program with the stack ``prod``; its state and settings are in *folder*, *environ* is added to the
    environment."""

    folder: Path
    environ: dict[str, str]

    @classmethod
    def make(cls, folder: Path, environ: Mapping[str, str], config: Mapping[str, str]) -> Project:
        """A new stack with *config* (``namespace:key`` -> value)."""
        (folder / "state").mkdir(parents=True)
        for name in _PROGRAM:
            (folder / name).symlink_to(ROOT / name)
        where = ROOT / "tests" / "fakes" / "plugins"
        plugins = "".join(f"    - {{name: {name}, path: {where}}}\n" for name in _PLUGINS)
        settings = (ROOT / "Pulumi.yaml").read_text()
        assert "  providers:\n" in settings
        (folder / "Pulumi.yaml").write_text(settings.replace("  providers:\n", f"  providers:\n{plugins}"))
        project = cls(folder, dict(environ))
        project.must("stack", "init", "prod")
        project.configure(config)
        return project

    def configure(self, config: Mapping[str, str]) -> None:
        """Change the stack's settings to *config*, and leave the others."""
        pairs = [word for key, value in config.items() for word in ("--plaintext", f"{key}={value}")]
        self.must("config", "set-all", *pairs)

    @contextmanager
    def changed(self, **changes: str) -> Iterator[None]:
        """*changes* of ``fleetcaptain:`` settings, taken back at the end."""
        file = self.folder / "Pulumi.prod.yaml"
        before = file.read_text()
        self.configure({f"fleetcaptain:{key}": value for key, value in changes.items()})
        try:
            yield
        finally:
            file.write_text(before)

    def preview(self, **changes: str) -> Run:
        """``pulumi preview``, with *changes* of ``fleetcaptain:`` settings for as long as it takes."""
        with self.changed(**changes):
            return self._watch("preview", "--json")

    def up(self, *, planned: Run | None = None, **changes: str) -> Run:
        """A preview, unless it is *planned*, then ``pulumi up``, with *changes* of ``fleetcaptain:`` settings for as
        long as it takes. Whoever deploys sees a preview first, so it has to succeed wherever the update does."""
        with self.changed(**changes):
            preview = planned or self._watch("preview", "--json")
            return replace(self._watch("up", "--yes", "--skip-preview", "--json"), preview=preview)

    def destroy(self, *argv: str) -> Run:
        """``pulumi destroy``, its preview too unless *argv* says otherwise."""
        return self._watch("destroy", "--yes", "--json", *argv)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        outputs: dict[str, Any] = json.loads(self.must("stack", "output", "--json"))
        return outputs

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
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "of the scenario",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
            **self.environ,
        }
        command = ["pulumi", *argv, "--non-interactive"]
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=_TIMEOUT_SEC, check=False
        )
