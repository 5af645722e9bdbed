"""A journalctl on one machine, over SSH, whose entries are read as they come."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Sequence

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.process_output import Tail
from fleetcaptain.fleet.ssh import ssh_error
from fleetcaptain.logs.journal_query import JournalQuery, lacks_grep, pattern_of
from fleetcaptain.logs.log_entry import LogEntry, entry_of

__all__ = ["JournalProcess", "Launch"]

Launch = Callable[[Sequence[str]], Sequence[str]]
"""From a command on the machine to the one that runs it there."""

_SSH_FAILED = 255
_END_SEC = 2.0


class JournalProcess:
    """The entries of the machine with *address* that *query* finds. It runs from the beginning, and waits while its
    output is not read. Raises ClusterUnreachable when ssh is not installed.

    After the entries: *problem*, why the machine did not answer or refused, "" when there is none.
    """

    def __init__(self, address: str, query: JournalQuery, launch: Launch) -> None:
        self.address = address
        self.problem = ""
        self._query = query
        self._launch = launch
        self._ended = False
        self._process, self._errors = self._run(query)

    def entries(self) -> Iterator[LogEntry]:
        """The entries, as they come; a machine that cannot search is searched from here."""
        yield from self._read()
        if self._query.grep and self.problem and lacks_grep(self.problem) and not self._ended:
            pattern = pattern_of(self._query.grep)
            self._process, self._errors = self._run(self._query.without_grep())
            yield from (entry for entry in self._read() if pattern.search(entry.message))

    def end(self) -> None:
        """End it; what reads it gets no more entries."""
        self._ended = True
        _let_go(self._process)

    def _run(self, query: JournalQuery) -> tuple[subprocess.Popen[bytes], Tail]:
        try:
            process = subprocess.Popen(
                list(self._launch(query.command)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A ^C in the terminal is for this process; it ends ssh. A command that follows ends its whole group.
                start_new_session=True,
            )
        except OSError as error:
            raise ClusterUnreachable(f"{self.address}: could not start OpenSSH's client: {error}") from error
        return process, Tail(process.stderr)

    def _read(self) -> Iterator[LogEntry]:
        process = self._process
        if process.stdout is None:
            return
        try:
            for line in process.stdout:
                entry = entry_of(line, self.address)
                if entry is not None:
                    yield entry
        finally:
            self.problem = self._outcome(process)

    def _outcome(self, process: subprocess.Popen[bytes]) -> str:
        with contextlib.suppress(OSError):
            if process.stdout is not None:
                process.stdout.close()
        if self._ended:
            _let_go(process)
        try:
            code = process.wait(_END_SEC)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if self._ended or code == 0:
            return ""
        errors = self._errors.text()
        # journalctl ends with 1, and says nothing, when it finds no entry.
        said = ssh_error(errors) if errors.strip() else ""
        return said or ("the connection was lost" if code == _SSH_FAILED else "")


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Close its input, and end it."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    with contextlib.suppress(OSError):
        process.terminate()
