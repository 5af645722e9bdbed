"""The Pulumi CLI on a terminal of its own, as a person has it: with colours, and with what moves the cursor."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import termios
from dataclasses import dataclass
from pathlib import Path

from fleetcaptain.printable import unprintable
from tests.programs import program

__all__ = ["Screen", "Session"]

_ROOT = Path(__file__).resolve().parents[3]
_LINKED = ("components", "fleetcaptain", "tests", ".venv", ".tools")
_SETTINGS = """\
name: hostile
runtime: {{name: python, options: {{toolchain: pip, virtualenv: .venv}}}}
plugins: {{providers: [{{name: pulumi-python, path: {host}}}]}}
"""
_PROGRAM = "from {module} import declare\n\ndeclare()\n"
# The product's, with other providers.
_HOST = """\
#!/bin/sh
exec "$PULUMI_RUNTIME_VIRTUALENV/bin/python" -c '
import sys
from components.host.provider_service import serve
from {module} import PROVIDERS
serve(PROVIDERS, sys.argv[-1])' "$@"
"""
_SIZE = (50, 400)
# What Pulumi itself sends: colours, cursor and line controls, and a wheel that turns; and how a terminal ends lines.
_PULUMIS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\b]")


@dataclass(frozen=True)
class Screen:
    """How a command ended: its exit *code*, and all that came to the terminal."""

    code: int
    output: str

    @property
    def text(self) -> str:
        """What a person reads."""
        return _PULUMIS.sub("", self.output)

    @property
    def raw(self) -> tuple[str, ...]:
        """What came to the terminal that neither Pulumi nor a person's text has."""
        return unprintable(self.text)


@dataclass(frozen=True)
class Session:
    """The stack ``dev`` of the program in *folder*, with its state there."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, module: str, host: str = "host") -> Session:
        """A new stack of the program that *module* declares. *host* is the folder of its host, unless its providers
        are those in ``PROVIDERS`` of *module*."""
        for name in _LINKED:
            (folder / name).symlink_to(_ROOT / name)
        (folder / "Pulumi.yaml").write_text(_SETTINGS.format(host=host))
        (folder / "__main__.py").write_text(_PROGRAM.format(module=module))
        executable = folder / "host" / "pulumi-resource-pulumi-python"
        executable.parent.mkdir()
        executable.write_text(_HOST.format(module=module))
        executable.chmod(0o755)
        (folder / "state").mkdir()
        session = cls(folder)
        assert session.pulumi("stack", "init", "dev").code == 0
        return session

    def pulumi(self, *argv: str, folder: str = ".", **environ: str) -> Screen:
        """Run ``pulumi`` with *argv* on a terminal, in a *folder* relative to the project's, with *environ* added."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(ours, _SIZE)
        try:
            process = subprocess.Popen(
                [program("pulumi"), *argv],
                cwd=self.folder / folder,
                env=self.environ(**environ),
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        try:
            output = b"".join(iter(lambda: _read(ours), b""))
        finally:
            os.close(ours)
            code = process.wait(60)
        return Screen(code, output.decode(errors="surrogateescape"))

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of its commands, with *more*."""
        ours = {
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "TERM": "xterm-256color",
        }
        inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")}
        return {**inherited, **ours, **more}


def _read(terminal: int) -> bytes:
    """The next bytes; none when the last process has closed its end."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
