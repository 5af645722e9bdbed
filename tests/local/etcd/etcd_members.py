"""Members of one etcd, each a real process at a loopback address of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from fleetcaptain.machine.definition import Member
from fleetcaptain.members.member import Seen
from fleetcaptain.members.members_api import MembersApi
from tests.local.etcd.etcd_process import free_ports, started

__all__ = ["EtcdMembers", "running_members", "three_and_more"]

# Of an answer: a member without a quorum takes longer, and is asked again.
_TIMEOUT_SEC = 1


def three_and_more(count: int) -> tuple[Member, ...]:
    """The members ``m1``, ``m2``, ..., at addresses of the loopback."""
    return tuple(Member(f"m{number}", f"127.0.0.{10 + number}") for number in range(1, count + 1))


class EtcdMembers:
    """Starts and ends members, whose data is below *folder*. All have the same two ports."""

    def __init__(self, folder: Path, program: Path) -> None:
        self.folder, self._program = folder, program
        self._port, self._peer = free_ports(2)
        self._stack = ExitStack()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def start(self, member: Member, all_: Sequence[Member], options: dict[str, str] | None = None) -> None:
        """Start a *member* of *all_*, with further *options* of etcd."""
        folder = self.folder / member.name
        folder.mkdir(exist_ok=True)
        client = f"http://{member.address}:{self._port}"
        known = {
            "name": member.name,
            "enable-v2": "true",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": self.peer_url(member),
            "initial-advertise-peer-urls": self.peer_url(member),
            "initial-cluster": ",".join(f"{one.name}={self.peer_url(one)}" for one in all_),
            **(options or {}),
        }
        self.processes[member.name] = self._stack.enter_context(started(folder, self._program, known))

    def end(self) -> None:
        """End all of them at once, as by a loss of power: one that ends in order hands over to the others first."""
        for process in self.processes.values():
            process.kill()
        self._stack.close()
        self.processes.clear()

    def data(self, member: Member) -> Path:
        """The folder with the data of *member*."""
        return self.folder / member.name / "data"

    def copy(self, member: Member, to: Path) -> None:
        """Copy the data of *member*, which runs, as it is at one moment: like a snapshot of its volume."""
        process = self.processes[member.name]
        process.send_signal(signal.SIGSTOP)
        try:
            shutil.copytree(self.data(member), to)
        finally:
            process.send_signal(signal.SIGCONT)

    def peer_url(self, member: Member) -> str:
        """Where other members reach *member*."""
        return f"http://{member.address}:{self._peer}"

    def ask(self, member: Member, method: str, path: str, body: str, kind: str = "json") -> tuple[int, str]:
        """The status and text of an answer of *member*; 0 if it does not answer."""
        types = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
        request = urllib.request.Request(
            f"http://{member.address}:{self._port}{path}",
            data=body.encode() or None,
            headers={"Content-Type": types[kind]},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SEC) as answer:  # noqa: S310 - as above
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def api(self, member: Member) -> MembersApi:
        """The list of members, as *member* has it."""
        return MembersApi(lambda method, path, body: self.ask(member, method, path, body))

    def seen(self, members: Sequence[Member]) -> Seen | None:
        """What is observed of *members*; None when none of them answers."""
        healthy = frozenset(member.address for member in members if self.api(member).healthy())
        listed = next((found for member in members if (found := self.api(member).listed())), None)
        return Seen(listed, healthy, frozenset(one.name for one in listed)) if listed else None

    def write(self, member: Member, key: str, value: str) -> bool:
        """Write through *member*; whether it took it."""
        return self.ask(member, "PUT", f"/v2/keys/{key}", f"value={value}", "form")[0] in (200, 201)

    def wait(self, members: Sequence[Member]) -> None:
        """Return when each of *members* takes a write; fail when its process ends."""
        for member in members:
            while not self.write(member, f"ready-{member.name}", "1"):
                assert self.processes[member.name].poll() is None, (self.folder / member.name / "log").read_text()


@contextmanager
def running_members(folder: Path, program: Path, members: Sequence[Member]) -> Iterator[EtcdMembers]:
    """A new etcd with *members*, until the block ends."""
    with EtcdMembers(folder, program) as etcd:
        for member in members:
            etcd.start(member, members)
        etcd.wait(members)
        yield etcd
