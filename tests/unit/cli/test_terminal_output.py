"""The screen that is drawn again: what a terminal gets of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

_PROGRAM = """
from fleetcaptain.cli.terminal_output import screen
with screen():
    print("drawn", flush=True)
    input()
"""
_ENTER, _LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"


def test_a_stopped_process_leaves_the_terminal_as_it_was() -> None:
    """And has its screen again when it continues."""
    command = [sys.executable, "-c", _PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == _ENTER + b"drawn\n"
            process.send_signal(signal.SIGTSTP)
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            assert process.stdout.read(len(_LEAVE)) == _LEAVE
            process.send_signal(signal.SIGCONT)
            assert process.stdout.read(len(_ENTER)) == _ENTER
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.read() == _LEAVE
        finally:
            process.kill()
