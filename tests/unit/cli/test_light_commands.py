"""``captain`` in an app's image, where nothing of a deployment is installed."""

from __future__ import annotations

import subprocess
import sys

import typer

from fleetcaptain.cli.build import build

_WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('etcd', 'requests', 'pulumi', 'docker')))"


def test_the_command_line_needs_only_typer() -> None:
    """The commands for apps work; those for operators say at their use what they lack."""
    code = f"{_WITHOUT}; from fleetcaptain.cli import main; sys.exit(main(['discover', '--help']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "List the instances of a service" in done.stdout


def test_the_help_of_each_command_has_a_short_first_line_and_an_example() -> None:
    """`captain --help` shows the first lines whole."""
    commands = typer.main.get_command(build()).commands  # type: ignore[attr-defined]
    texts = {name: command.help.strip() for name, command in commands.items()}
    assert {name for name, text in texts.items() if len(text.splitlines()[0]) > 60} == set()
    assert {name for name, text in texts.items() if "Example" not in text} == set()
