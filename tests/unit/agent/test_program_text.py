"""The text of the agent's program."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from fleetcaptain.agent import program as sources
from fleetcaptain.agent.program import agent_program, encoded, program_hash
from fleetcaptain.doctor import findings
from fleetcaptain.rollout import lock
from fleetcaptain.schedule import lead_time, outcome, window, window_event, window_plan
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
    """Machines have few: sh, curl, docker, systemctl and coreutils; where there are secrets also openssl, and sed,
    which writes 64 KiB of them at once."""
    code = re.sub(r"^\s*#.*$", "", agent_program(), flags=re.MULTILINE)
    assert re.findall(r"\b(?:sed|grep|awk|jq|python|perl|bash|local)\b", code) == ["sed"]


def constant(name: str) -> str:
    """The value of *name* in the program, which sets it once."""
    (value,) = re.findall(rf"^{name}=(.*)$", agent_program(), re.MULTILINE)
    return str(value).strip("'")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WINDOW_KEEP_SEC", window_plan.KEEP_SEC),
        ("PLAN_BYTES", window_plan._LONGEST),
        ("MOST_INSTANCES", window.MOST_INSTANCES),
        ("WINDOW_EVENT_SEC", window_event.EVENT_SEC),
        ("WINDOWS_EVERY_SEC", lead_time._EVALUATION_SEC),
        ("CLOCK_OFF_SEC", findings._CLOCK_OF_WINDOWS_SEC),
        ("WINDOW_LOCK_SEC", lock.LOCK_TTL_SEC),
        ("LOCKED_BY_AGENT", lock.AGENT),
    ],
)
def test_what_the_library_knows_of_the_agent_is_so(name: str, value: object) -> None:
    """The shell cannot import it."""
    assert constant(name) == str(value)


def test_another_agent_has_its_turn_within_the_time_that_windows_open_earlier() -> None:
    """An agent looks, and ends; a minute later each other one has looked. Nothing is late before that."""
    pause_sec, every_sec = int(constant("WINDOWS_PAUSE_SEC")), int(constant("WINDOWS_EVERY_SEC"))
    assert pause_sec <= every_sec == lead_time._TAKEOVER_SEC
    assert 2 * every_sec <= outcome.RESPONSE_SEC


def test_the_documentation_says_how_often_open_windows_are_checked() -> None:
    """Nothing else depends on it."""
    assert constant("WINDOWS_CHECK_EVERY_SEC") == "600"
    assert "every ten minutes" in (FOLDER.parents[1] / "docs" / "agent.md").read_text()


def test_nothing_opens_connections_by_the_files_of_bash() -> None:
    """Flatcar's bash is built without them: a check by them never holds there."""
    root = Path(__file__).resolve().parents[3]
    folders = [root / name for name in ("fleetcaptain", "components", "examples", "bench")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".sh", ".service"}]
    assert len(files) > 100
    assert [path.name for path in files if re.search(r"/dev/(tcp|udp)/", path.read_text())] == []
