"""A hook runs as a program of its own, and never longer than it may."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleetcaptain.hooks.hook_process import run_hook
from tests.programs import is_running


def ran(tmp_path: Path, script: str, timeout_sec: float = 60) -> tuple[str, list[str]]:
    """Why the hook failed, and the lines that it printed."""
    path = tmp_path / "hook"
    path.write_text(script)
    path.chmod(0o755)
    lines: list[str] = []
    why = run_hook(path, tmp_path, {**os.environ, "WORD": "given"}, timeout_sec, lines.append)
    return why, lines


def test_each_line_of_its_output_is_reported(tmp_path: Path) -> None:
    """Of both streams, in its folder and with its variables; a last line without an end, too."""
    assert ran(tmp_path, '#!/bin/sh\necho "$WORD"\npwd >&2\nprintf last\n') == ("", ["given", str(tmp_path), "last"])


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/bin/sh\nexit 3\n", "exit code 3"),
        ("#!/bin/sh\nkill -TERM $$\n", "it was ended by SIGTERM"),
        ("#!/bin/sh\nkill -40 $$\n", "it was ended by the signal 40"),
        ("#!/nowhere/sh\n", "it could not be started: No such file or directory"),
        ("no program", "it could not be started: Exec format error"),
    ],
)
def test_a_failure_has_a_reason_of_one_clause(tmp_path: Path, script: str, why: str) -> None:
    """For the error's sentence."""
    assert ran(tmp_path, script) == (why, [])


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_a_hook_that_does_not_end_is_ended_with_its_children(
    tmp_path: Path, trap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that ignores the first signal."""
    monkeypatch.setattr("fleetcaptain.hooks.hook_process._GRACE_SEC", 0.2)
    script = f"#!/bin/sh\n{trap}sleep 600 &\necho $! > child\necho $$ > self\nwait\nwait\nsleep 600\n"
    why, _ = ran(tmp_path, script, 1)
    assert why == "it did not end within 1 s and was stopped"
    for name in ("child", "self"):
        assert not is_running(int((tmp_path / name).read_text()))


def test_a_process_that_a_hook_leaves_behind_does_not_hold_the_deployment(tmp_path: Path) -> None:
    """Although it has the hook's output open."""
    why, lines = ran(tmp_path, "#!/bin/sh\nsleep 600 &\necho $! > child\necho done\n")
    os.kill(int((tmp_path / "child").read_text()), 9)
    assert (why, lines) == ("", ["done"])


def test_a_hook_may_print_anything(tmp_path: Path) -> None:
    """Bytes that are no text, long lines, and any number of lines."""
    why, lines = ran(tmp_path, "#!/bin/sh\nprintf '\\351\\n'\nhead -c 300000 /dev/zero | tr '\\0' x\necho\nseq 5000\n")
    assert why == ""
    assert lines[0] == "\\xe9"
    assert len(lines[1]) < 600
    assert len(lines) == 1001
    assert lines[-1] == "... and 4,002 more lines, which are not shown"
