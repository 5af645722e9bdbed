"""The commands of README.md and docs/first-app.md in a fresh clone, in the order in which they stand, with the real
Pulumi.

What needs a cluster is not done: `pulumi up` ends once its stack is there. The other commands of `captain` are in
`tests/unit/cli/test_documented_commands.py` and `tests/e2e/test_day.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documented import commands, lines
from tests.programs import program

ROOT = Path(__file__).resolve().parents[3]
# The Makefile's, without the installation.
_TOOLS = 'variables=$$(python3 -m tools env) && eval "$$variables"'
# What needs no cluster.
_HERE = ("cp ", "rm ", "sed ", "eval ", "make ", "pulumi ", "python3 ", "captain check")
# An edit that must change a file.
_EDIT = """\
cp -r ../guestbook ../before
{edit}
if diff -r ../before ../guestbook; then exit 1; fi
rm -r ../before"""
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


@pytest.fixture
def deployed(clone: Path, tmp_path: Path) -> Callable[[list[str]], list[list[str]]]:
    """Runs lines in the clone, each of which must end with 0: the stack and the project of each deployment. The tools
    are there already."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "pulumi").write_text(_PULUMI.format(pulumi=program("pulumi")))
    (tools / "pulumi").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    environ = {**kept, "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def run(lines: list[str]) -> list[list[str]]:
        made = [line.replace("make ", f"make TOOLS='{_TOOLS}' < /dev/null ", 1) for line in lines]
        done = subprocess.run(
            ["sh", "-c", "\n".join(["set -ex", *made])],
            cwd=clone,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("deployed ")]

    return run


def test_the_readmes_commands_work_in_their_order(
    clone: Path, deployed: Callable[[list[str]], list[list[str]]]
) -> None:
    """Each ends with 0, and each deployment has the stack and the settings that the page has set."""
    written = []
    for words in commands(clone / "README.md", "make", "eval", "pulumi"):
        match words:
            case ["make", "test" | "tools"]:
                pass
            case ["eval", line]:
                written.append(f'eval "{line}"')
            case _:
                written.append(" ".join(words))
    assert deployed(written) == [["dev", "examples/behavioral"], ["shop", "../shop"], ["old", "../shop"]]


def test_the_first_apps_commands_work_in_their_order(
    clone: Path, deployed: Callable[[list[str]], list[list[str]]]
) -> None:
    """Two environments with settings of their own; each line ends with 0, and a change of a file changes it."""
    page = [line.command for line in lines(clone / "docs" / "first-app.md")]
    here = [line for line in page if line != "make tools" and line.startswith(_HERE)]
    found = deployed([_EDIT.format(edit=line) if line.startswith("sed ") else line for line in here])
    assert found == [*[["test", "../guestbook"]] * page.count("make up STACK=test"), ["prod", "../guestbook"]]
    assert not (clone.parent / "guestbook").exists()
