"""``captain`` in an app's image, where nothing of a deployment is installed."""

from __future__ import annotations

import subprocess
import sys

_WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('etcd', 'requests', 'pulumi', 'docker')))"


def test_the_command_line_needs_only_typer() -> None:
    """The commands for apps work; those for operators say at their use what they lack."""
    code = f"{_WITHOUT}; from fleetcaptain.cli import main; sys.exit(main(['discover', '--help']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "List the instances of a service" in done.stdout
