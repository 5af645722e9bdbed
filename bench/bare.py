"""The cost of Pulumi itself: dynamic resources as large as an app's, with a provider that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulumi.dynamic import CreateResult, ReadResult, ResourceProvider

from bench.harness import seconds
from components.engine.dynamic_resource import Resource

__all__ = ["BareProvider", "bare_preview", "declare"]

ROOT = Path(__file__).resolve().parents[1]
_PROJECT = """\
name: bare
runtime: {name: python}
options: {refresh: always}
plugins: {providers: [{name: pulumi-python, path: .}]}
"""
_HOST = f"""\
#!/bin/sh
exec {sys.executable} -c 'import sys
from bench.bare import BareProvider
from components.host.provider_service import serve
serve({{"Bare": BareProvider}}, sys.argv[-1])' "$@"
"""


class BareProvider(ResourceProvider):
    """Returns its inputs."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return the inputs."""
        return CreateResult("bare", props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the inputs."""
        return ReadResult(id_, props, props)


def declare(count: int, text: str) -> None:
    """*count* resources, each with *text*."""
    for number in range(count):
        Resource("Bare", f"bare{number}", {"unit": text, "number": number})


@contextmanager
def bare_preview(count: int, text: str) -> Iterator[Callable[[], float]]:
    """A deployed stack of such resources; yields a function that returns the seconds of a preview."""
    with tempfile.TemporaryDirectory(prefix="fleetcaptain-bare-") as name:
        folder = Path(name)
        (folder / "Pulumi.yaml").write_text(_PROJECT)
        (folder / "__main__.py").write_text(f"from bench.bare import declare\n\ndeclare({count}, {text!r})\n")
        host = folder / "pulumi-resource-pulumi-python"
        host.write_text(_HOST)
        host.chmod(0o755)
        environ = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{folder}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PYTHONPATH": str(ROOT),
        }

        def pulumi(*argv: str) -> None:
            subprocess.run(
                ["pulumi", *argv, "--non-interactive"], cwd=folder, env=environ, check=True, capture_output=True
            )

        pulumi("stack", "init", "bare")
        pulumi("up", "--yes", "--skip-preview")
        yield lambda: seconds(lambda: pulumi("preview"))
