"""The text of the agent's program."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from pathlib import Path

from fleetcaptain.agent import program as sources
from fleetcaptain.agent.program import agent_program, encoded, program_hash
from tests.programs import program
from tests.unit.units.shell_machine import SHELLS

FOLDER = Path(sources.__file__).parent


def test_every_source_is_a_part_of_it() -> None:
    """Each once, and what they share comes first."""
    text = agent_program()
    assert text.startswith("#!/bin/sh\n")
    assert [text.count(path.read_text()) for path in FOLDER.glob("*.sh")] == [1] * len(sources._SOURCES)


def test_it_is_named_and_stored_by_its_hash() -> None:
    """As `sha256sum` on a machine sees what base64 makes of the key."""
    assert hashlib.sha256(base64.b64decode(encoded())).hexdigest() == program_hash()
    assert '"' not in encoded()


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    """As POSIX sh."""
    (tmp_path / "agent").write_text(agent_program())
    argv = [str(program("shellcheck")), "-s", "sh", str(tmp_path / "agent")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_each_shell_can_read_it(tmp_path: Path) -> None:
    """Without an error."""
    (tmp_path / "agent").write_text(agent_program())
    for shell in SHELLS:
        done = subprocess.run([shell, "-n", tmp_path / "agent"], capture_output=True, text=True, check=False)
        assert (shell, done.returncode, done.stderr) == (shell, 0, "")


def test_no_function_is_defined_twice_or_never_called() -> None:
    """All sources share their names."""
    text = agent_program()
    names = re.findall(r"^(\w+)\(\) [({]$", text, re.MULTILINE)
    code = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    assert len(names) == len(set(names))
    assert [name for name in names if len(re.findall(rf"\b{name}\b", code)) < 2] == []


def test_it_needs_no_other_programs() -> None:
    """Machines have few: sh, curl, docker, systemctl and coreutils."""
    code = re.sub(r"^\s*#.*$", "", agent_program(), flags=re.MULTILINE)
    assert re.findall(r"\b(?:sed|grep|awk|jq|python|perl|bash|local)\b", code) == []
