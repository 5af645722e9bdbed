"""A process of the program ends well only when the program did, whatever tries to end it before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# As Pulumi's language host runs a program: within the loop's first task, which also waits for the resources.
_HOST = """\
import asyncio, atexit, os, subprocess, sys, threading
from components.engine.abort import abort, refuse_early_end

def program():
    refuse_early_end()
    {program}

async def host():
    program()
    await asyncio.sleep(0.1)

asyncio.new_event_loop().run_until_complete(host())
"""
_EARLY = "The program ended before it had declared all resources"


def ended(program: str) -> subprocess.CompletedProcess[str]:
    """How a process ends whose program goes on with the statement *program*."""
    argv = [sys.executable, "-c", _HOST.format(program=program)]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    "program",
    [
        "sys.exit()",
        "sys.exit(256)",
        "os._exit(0)",
        "import posix; posix._exit(0)",
        "from posix import _exit; _exit(0)",
        "import posix; posix.execv(sys.executable, [sys.executable, '-c', ''])",
        "os.fork() and os._exit(0)",
        "os.execv(sys.executable, [sys.executable, '-c', ''])",
        "os.execlpe(sys.executable, sys.executable, '-c', '', {})",
        "asyncio.get_running_loop().call_soon(sys.exit)",
        "atexit.register(os._exit, 0); sys.exit()",
    ],
)
def test_a_program_that_ends_early_fails(program: str) -> None:
    """In the program itself, or in what runs while its resources are registered."""
    done = ended(program)
    assert done.returncode == 1
    assert _EARLY in done.stderr
    assert "run the same command again." in done.stderr


@pytest.mark.parametrize("program", ["sys.exit()", "os._exit(0)", "os.execlp('true', 'true')"])
def test_the_error_has_the_line_that_ended_it(program: str) -> None:
    """Whatever loads the Fleetfile."""
    assert "It ended at <string>:6 (SystemExit(" in ended(program).stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGHUP", "SIGALRM", "SIGABRT"])
def test_a_signal_fails_the_update_by_itself(name: str) -> None:
    """Its status is never that of a program that ended well."""
    assert ended(f"import signal; signal.raise_signal(signal.{name})").returncode < 0


@pytest.mark.parametrize(
    "program",
    [
        "pass",
        "threading.Thread(target=os._exit, args=(0,)).start()",
        "subprocess.run(['true'], check=True)",
        "os.fork() or os._exit(7); assert os.wait()[1] == 7 << 8",
        "os.fork() or sys.exit(); assert os.wait()[1] == 0",
        "assert os.spawnlp(os.P_WAIT, 'false', 'false') == 1",
    ],
)
def test_a_program_that_comes_to_its_end_ends_well(program: str) -> None:
    """Its threads do not end it, and its child processes end as they like."""
    done = ended(program)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("program", "code"),
    [("raise ValueError('wrong')", 1), ("abort(ValueError('wrong'))", 32)],
)
def test_an_error_is_the_only_one(program: str, code: int) -> None:
    """It fails the update already."""
    done = ended(program)
    assert done.returncode == code
    assert "wrong" in done.stderr
    assert _EARLY not in done.stderr
