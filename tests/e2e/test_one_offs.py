"""One-off commands and consoles on real machines: exit codes, streams, signals, a terminal, and nothing left behind."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.stack import Stack
from tests.faults.machine_faults import machines, run_on, until

_SERVICE = ("--service", "app_server")
_MEGABYTES = 100
_WAIT_SEC = 60.0


def argv(stack: Stack, command: str, *words: str, then: tuple[str, ...] = ()) -> list[str]:
    """The arguments of ``captain`` for *stack*, with the one-off's own command *then*."""
    return ["captain", command, *words, "--stack", stack.name, *(["--", *then] if then else [])]


def run(
    stack: Stack, *command: str, stdin: bytes | None = None, options: tuple[str, ...] = _SERVICE
) -> tuple[int, str, str]:
    """``captain run`` of *command*: its exit code and both outputs."""
    done = subprocess.run(
        argv(stack, "run", *options, then=command),
        cwd=stack.root,
        env=stack.environ,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=_WAIT_SEC,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def left(stack: Stack) -> str:
    """What one-offs have left on the machines: containers, folders, units and consoles in containers."""
    script = (
        "docker ps -a --format '{{.Names}}' | grep run-; ls -A /run/fleetcaptain-one-offs 2>/dev/null; "
        "systemctl list-units --no-legend --plain '*-run-*'; "
        "grep -lz FLEETCAPTAIN_CONSOLE= /proc/[0-9]*/environ 2>/dev/null; true"
    )
    return "".join(run_on(machine, "sh", "-c", script) for machine in machines(stack).values())


@contextmanager
def running(stack: Stack, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """``captain run`` of *command*, once it has written a line."""
    with subprocess.Popen(
        argv(stack, "run", *_SERVICE, then=("sh", "-c", f"echo begun; {' '.join(command)}")),
        cwd=stack.root,
        env=stack.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        yield process


class Terminal:
    """A process on a pseudo-terminal of 30 lines and 100 columns."""

    def __init__(self, stack: Stack, words: list[str]) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(stack.root)
            os.execvpe(words[0], words, stack.environ)  # noqa: S606
        self._output = b""
        self.resize(30, 100)

    def resize(self, lines: int, columns: int) -> None:
        """As a window that is dragged."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press *keys*."""
        os.write(self._fd, keys)

    def read_to(self, end: bytes) -> bytes:
        """The output up to *end*, which must come."""
        while end not in self._output:
            ready, _, _ = select.select([self._fd], [], [], _WAIT_SEC)
            assert ready, self._output
            self._output += os.read(self._fd, 4096)
        before, _, self._output = self._output.partition(end)
        return before

    def exit_code(self) -> int:
        """The exit code, once the terminal has closed."""
        while True:
            try:
                self._output += os.read(self._fd, 4096)
            except OSError:
                break
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def ready(stack: Stack, *words: str) -> Terminal:
    """A console with *words*, whose shell answers and has a plain prompt."""
    terminal = Terminal(stack, argv(stack, *words, then=("sh",)))
    terminal.read_to(b"# ")
    return terminal


def has_size(terminal: Terminal, size: bytes) -> bool:
    """Whether the console has this size by now: docker passes it on after the start."""
    terminal.type(b"stty size\r")
    terminal.read_to(b"size\r\n")
    return terminal.read_to(b"# ").strip() == size


def test_the_commands_exit_code_and_both_outputs_come_back(stack: Stack) -> None:
    """With the service's identity for lookups, and without what would register it."""
    assert run(stack, "true") == (0, "", "")
    assert run(stack, "sh", "-c", "echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")
    assert run(stack, "sh", "-c", "kill -KILL $$")[0] == 137
    assert run(stack, "/nothing")[0] == 127
    code, output, _ = run(stack, "env")
    names = dict(line.split("=", 1) for line in output.splitlines())
    assert (code, names["FLEETCAPTAIN_SERVICE"], "FLEETCAPTAIN_UNIT" in names) == (0, "app_server", False)


def test_what_fails_before_the_command_has_an_exit_code_of_its_own(stack: Stack) -> None:
    """As with docker. The names that exist are listed."""
    code, output, errors = run(stack, "true", options=("--service", "app_serve"))
    assert (code, output) == (125, "")
    assert "app_server, important_queue, ongoing_queue, redis" in errors


def test_a_release_and_a_machine_can_be_chosen(stack: Stack) -> None:
    """Also a machine that does not run the service."""
    tag = stack.cluster().store.read("/fleetcaptain/behavioral/current")
    assert tag is not None
    options = ("--service", "important_queue", "--release", tag.value, "--machine", "m3")
    code, output, errors = run(stack, "sh", "-c", "echo $FLEETCAPTAIN_HOST", options=options)
    there = run_on(machines(stack)["m3"], "sh", "-c", ". /etc/environment; echo $COREOS_PRIVATE_IPV4")
    assert (code, output) == (0, there), errors


def test_a_hundred_megabytes_come_back_as_they_were(stack: Stack) -> None:
    """From a pipe, through the container, to a pipe."""
    data = os.urandom(2**20) * _MEGABYTES
    with subprocess.Popen(
        argv(stack, "run", *_SERVICE, then=("cat",)),
        cwd=stack.root,
        env=stack.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        output, _ = process.communicate(data, timeout=_WAIT_SEC)
    assert process.returncode == 0
    assert hashlib.sha256(output).digest() == hashlib.sha256(data).digest()


def test_an_interrupt_stops_it_on_the_machine(stack: Stack) -> None:
    """The command may end by itself; the exit code is that of the signal."""
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with running(stack, "trap 'echo bye; exit 7' TERM; while :; do sleep 0.1; done") as process:
            process.send_signal(number)
            output, _ = process.communicate(timeout=_WAIT_SEC)
        assert (process.returncode, output) == (code, b"bye\n")
    until(lambda: not left(stack), "nothing is left")


def test_nothing_is_left_of_a_client_that_was_killed(stack: Stack) -> None:
    """The machine notices that it is gone."""
    with running(stack, "sleep 1000") as process:
        assert "run-" in left(stack)
        process.kill()
    until(lambda: not left(stack), "nothing is left")


def test_a_detached_command_goes_on_and_is_stopped_by_its_unit(stack: Stack) -> None:
    """Its name is the output, and its journal has what it writes."""
    code, unit, errors = run(
        stack, "sh", "-c", "echo begun; sleep 1000", options=(*_SERVICE, "--machine", "m1", "--detach")
    )
    assert code == 0, errors
    there, unit = machines(stack)["m1"], unit.strip()
    until(lambda: "begun" in run_on(there, "journalctl", "-u", unit, "-o", "cat"), "it has begun")
    assert unit in errors
    assert "run-" in left(stack)
    run_on(there, "systemctl", "stop", unit)
    until(lambda: not left(stack), "nothing is left")


def test_a_console_is_a_terminal(stack: Stack) -> None:
    """Its size is that of the window, also after a change; ^C ends a command, and ^D the shell."""
    terminal = ready(stack, "console", "app_server")
    until(lambda: has_size(terminal, b"30 100"), "it has the terminal's size")
    terminal.resize(40, 120)
    until(lambda: has_size(terminal, b"40 120"), "it has the new size")
    terminal.type(b"sleep 1000\r")
    terminal.read_to(b"1000\r\n")
    terminal.type(b"\x03")
    terminal.read_to(b"# ")
    terminal.type(b"(exit 3)\r")
    terminal.read_to(b"# ")
    terminal.type(b"\x04")
    assert terminal.exit_code() == 3
    until(lambda: not left(stack), "nothing is left")


def test_a_console_in_a_running_instance_ends_with_its_client(stack: Stack) -> None:
    """The instance goes on."""
    before = stack.cluster().snapshot().registrations["app_server@2.service"]
    terminal = ready(stack, "console", "app_server@2", "--attach")
    terminal.type(b"echo $FLEETCAPTAIN_UNIT\r")
    terminal.read_to(b"UNIT\r\n")
    assert terminal.read_to(b"# ").strip() == b"app_server@2.service"
    os.kill(terminal.pid, signal.SIGKILL)
    assert terminal.exit_code() == -signal.SIGKILL
    until(lambda: not left(stack), "nothing is left")
    assert stack.cluster().snapshot().registrations["app_server@2.service"] == before


def test_a_shell_on_a_machine(stack: Stack) -> None:
    """By its name; with a terminal where there is one, and with the exit code of the command."""
    words = argv(stack, "ssh", "m2", then=("sh", "-c", "echo $0 | tr x y; exit 4", "x x"))
    done = subprocess.run(
        words, cwd=stack.root, env=stack.environ, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (4, b"y y\n")
    terminal = Terminal(stack, argv(stack, "ssh", "m2"))
    terminal.read_to(b"$ ")
    terminal.type(b"tty; exit 5\r")
    terminal.read_to(b"/dev/pts/")
    assert terminal.exit_code() == 5
