"""Starts a Docker engine if none answers, and stops only that one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.pins import BY_HAND
from tools.project_layout import Layout
from tools.shell import answer
from tools.tool_failure import ToolFailed

__all__ = ["Daemon", "engine_version"]

_START_SEC, _STOP_SEC, _TICK_SEC = 60.0, 60.0, 0.2
_OTHER = Path("/var/run/docker.pid")


def engine_version(host: str = "") -> tuple[bool, str]:
    """Whether an engine answers, at *host* or the CLI's default; and its version, or the CLI's error."""
    where = ("-H", host) if host else ()
    return answer(["docker", *where, "version", "--format", "{{.Server.Version}}"])


@dataclass(frozen=True)
class Daemon:
    """The engine that this project starts. Its process id is in ``.tools/run``, and its command line has the path of
    that file, so no other process is mistaken for it. *host* and *options* separate it from the machine's own."""

    layout: Layout
    host: str = ""
    options: tuple[str, ...] = ()

    @property
    def pid_file(self) -> Path:
        """Where dockerd writes its process id."""
        return self.layout.run / "dockerd.pid"

    @property
    def log(self) -> Path:
        """The log of dockerd."""
        return self.layout.run / "dockerd.log"

    def ensure(self) -> str:
        """Start an engine if none answers. Returns which one it is. Raises ToolFailed after a minute."""
        if engine_version(self.host)[0]:
            return "it answers"
        if not self.host and _alive(_OTHER):
            # The package's own start script, or a service manager, was faster.
            self._wait(lambda: False)
            return "started by the system"
        if self.pid() is None:
            self._start()
        self._wait(lambda: self.pid() is None)
        return f"none answered; stops with `make down`, log: {self.log}"

    def pid(self) -> int | None:
        """The process id of the engine that was started here; None if it does not run."""
        try:
            pid = int(self.pid_file.read_text(errors="backslashreplace"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None
        return pid if os.fsencode(f"--pidfile={self.pid_file}") in command else None

    def containers(self) -> tuple[str, ...]:
        """The names of the containers that run in it."""
        where = ("-H", self.host) if self.host else ()
        done, output = answer(["docker", *where, "ps", "--format", "{{.Names}}"])
        return tuple(output.split()) if done else ()

    def stop(self) -> bool:
        """Stop the engine that was started here; False if there is none. Raises ToolFailed if it does not stop."""
        pid = self.pid()
        if pid is None:
            self.pid_file.unlink(missing_ok=True)
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SEC
        while self.pid() is not None:
            if time.monotonic() > deadline:
                raise ToolFailed(f"dockerd ({pid}) did not stop", log=self.log, by_hand=f"kill -KILL {pid}")
            time.sleep(_TICK_SEC)
        self.pid_file.unlink(missing_ok=True)
        return True

    def _start(self) -> None:
        self.layout.run.mkdir(parents=True, exist_ok=True)
        self.pid_file.unlink(missing_ok=True)
        dockerd = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or "dockerd"
        where = ("-H", self.host) if self.host else ()
        argv = [dockerd, f"--pidfile={self.pid_file}", *where, *self.options]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        deadline = time.monotonic() + _START_SEC
        while self.pid() is None and process.poll() is None and time.monotonic() < deadline:
            time.sleep(_TICK_SEC)
        if self.pid() is None:
            raise ToolFailed("dockerd did not start", log=self.log, by_hand=BY_HAND["docker"])

    def _wait(self, gone: Callable[[], bool]) -> None:
        """Wait until the engine answers; fail if it is *gone* or after a minute."""
        deadline = time.monotonic() + _START_SEC
        while not engine_version(self.host)[0]:
            if gone() or time.monotonic() > deadline:
                log = self.log if self.log.exists() else None
                raise ToolFailed("the Docker engine does not answer", log=log, by_hand=BY_HAND["docker"])
            time.sleep(_TICK_SEC)


def _alive(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text(errors="backslashreplace")), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
