"""The README's commands in a fresh clone, in the order in which they stand, with the real Pulumi.

What needs a cluster is not done: `pulumi up` ends once its stack is there. The commands of `captain` are in
`tests/unit/cli/test_documented_commands.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.documented import commands
from tests.programs import program

ROOT = Path(__file__).resolve().parents[3]
# The Makefile's, without the installation.
_TOOLS = 'variables=$$(python3 -m tools env) && eval "$$variables"'
# Pulumi, without deployments. Of `pulumi up --stack NAME` it says which folder the stack deploys.
_PULUMI = """\
#!/bin/sh
[ "$1" = up ] || exec {pulumi} "$@"
{pulumi} stack "$2" "$3" --show-name --non-interactive > /dev/null || exit 1
echo deployed "$3" "$({pulumi} config get fleetcaptain:project "$2" "$3")"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that git has, beside the app ``shop``."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True)
    for name in done.stdout.split("\0")[:-1]:
        target = tmp_path / "clone" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, target)
    (tmp_path / "shop").mkdir()
    (tmp_path / "clone" / ".fleetcaptain" / "pulumi").mkdir(parents=True)  # as the installation of the tools does
    return tmp_path / "clone"


def test_the_commands_work_in_their_order(clone: Path, tmp_path: Path) -> None:
    """Each ends with 0, and each deployment has the stack and the settings that the page has set. The tools are there
    already."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "pulumi").write_text(_PULUMI.format(pulumi=program("pulumi")))
    (tools / "pulumi").chmod(0o755)
    lines = []
    for words in commands(clone / "README.md", "make", "eval", "pulumi"):
        match words:
            case ["make", "test" | "tools"]:
                pass
            case ["make", *_]:
                lines.append(f"make TOOLS='{_TOOLS}' {' '.join(words[1:])} < /dev/null")
            case ["eval", line]:
                lines.append(f'eval "{line}"')
            case _:
                lines.append(" ".join(words))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    environ = {**kept, "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    script = "set -ex\n" + "\n".join(lines)
    done = subprocess.run(
        ["sh", "-c", script], cwd=clone, env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    deployed = [line.split() for line in done.stdout.splitlines() if line.startswith("deployed ")]
    assert [words[1:] for words in deployed] == [
        ["dev", "examples/behavioral"],
        ["shop", "../shop"],
        ["old", "../shop"],
    ]
