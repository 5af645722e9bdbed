"""Draws the README's pictures from real runs: what a terminal shows of a command, as SVG in ``docs/pictures``."""

from __future__ import annotations

import io
import os
import pty
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.e2e.example import example
from tests.e2e.leftovers import begin_run, clear
from tests.e2e.stack import Stack

__all__ = ["main", "picture"]

_FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
_COLUMNS = 120
# As rich's own format, without the fonts that it would fetch from the network.
_FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, monospace; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(folder: Path = _FOLDER) -> None:
    """Deploy the example on a cluster of its own, change it, and write a picture of each command to *folder*."""
    begin_run()
    home = Path(tempfile.mkdtemp(prefix="fleetcaptain-pictures-"))
    stack = Stack("pictures", example(home / "app"), home / "pulumi")
    folder.mkdir(exist_ok=True)
    try:
        stack.up()
        stack.edit("Fleetfile.py", {"restart_sec=5": "restart_sec=6"})
        settings = ("--stack", stack.name, "--config-file", str(stack.settings))
        up = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--color", "always", *settings]
        _draw(stack, up, "pulumi up: the lines of app_server", folder / "rollout.svg", only="fleet:Unit app_server")
        release = str(stack.outputs()["release"])
        for command in (["status"], ["timeline", release, "--service", "app_server"]):
            argv = ["captain", *command, "--stack", stack.name]
            _draw(stack, argv, " ".join(["captain", *command]), folder / f"{command[0]}.svg")
    finally:
        stack.remove()
        clear()
        shutil.rmtree(home, ignore_errors=True)


def _draw(stack: Stack, argv: Sequence[str], title: str, file: Path, *, only: str = "") -> None:
    """*only*: of the output, only lines with this text."""
    lines = _in_terminal(argv, stack).splitlines(keepends=True)
    file.write_text(picture(title, "".join(line for line in lines if only in line)))


def _in_terminal(argv: Sequence[str], stack: Stack) -> str:
    """What *argv* writes to a terminal, with its colours."""
    ours, theirs = pty.openpty()
    sized = ["sh", "-c", f'stty cols {_COLUMNS} rows 60; exec "$@"', "sh", *argv]
    environ = {**stack.environ, "TERM": "xterm-256color"}
    output = b""
    with subprocess.Popen(sized, cwd=stack.root, env=environ, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        while read := _read(ours):
            output += read
    os.close(ours)
    return output.decode(errors="backslashreplace")


def _read(terminal: int) -> bytes:
    """The next output, empty at its end: Linux fails a read of a terminal whose other side is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def picture(title: str, output: str) -> str:
    """*output* of a terminal, with its colours, as the SVG of a window with *title*."""
    console = Console(width=_COLUMNS, record=True, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(output.replace("\r\n", "\n")))
    return console.export_svg(title=title, code_format=_FORMAT, unique_id="t")


if __name__ == "__main__":
    main()
