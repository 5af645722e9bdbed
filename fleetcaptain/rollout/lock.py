"""One rollout of a service at a time, over all computers: a key in etcd, held by compare-and-swap."""

from __future__ import annotations

import getpass
import json
import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from fleetcaptain.discovery.etcd_store import EtcdStore, Node
from fleetcaptain.discovery.keys import CURL, path_of
from fleetcaptain.errors import ClusterUnreachable, Interrupted, Locked
from fleetcaptain.untrusted import WORD, json_object, readable

__all__ = ["AGENT", "LOCK_TTL_SEC", "Lock", "Owner", "is_dead", "this_process"]

LOCK_TTL_SEC = 30
AGENT = "the machine agent of "
"""How `Owner.who` begins of an agent that opens or closes a window."""
_TICK_SEC = 1.0
# A rollout renews its lock every two seconds, so a silence of so many ticks is not a pause between two renewals.
_SILENT_TICKS = 6
# A lock with a lifetime has expired by then.
_STALE_TICKS = int(2 * LOCK_TTL_SEC / _TICK_SEC)
# Agents set at most a hundred units, within seconds unless fleet is slow. One after the other may try.
_AGENTS_SEC = 120
_AGENTS_TICKS = int(_AGENTS_SEC / _TICK_SEC)


class Lock:
    """The lock at *key* for *owner*. Each step of a rollout renews it first, and stops if it cannot."""

    def __init__(self, store: EtcdStore, key: str, owner: Owner, what: str) -> None:
        self._store = store
        self._key = key
        self._owner = owner
        self._what = what
        self._mine = owner.to_json()

    def acquire(
        self,
        sleep: Callable[[float], None],
        report: Callable[[str], None],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take the lock; wait for the expiry of one whose holder no longer renews it, and for machine agents.

        Raises Locked if another holder renews it, if it does not expire within two lifetimes, or if agents have it for
        longer than two minutes; Interrupted if *stopping* returns true during the wait.
        """
        last: Node | None = None
        silent = waited = 0
        while not self._store.create(self._key, self._mine, LOCK_TTL_SEC):
            if stopping():
                raise Interrupted(
                    f"{self._what}: stopped on request while waiting for the lock of another rollout. Nothing was "
                    "changed. Run the same command again when that rollout is done."
                )
            node = self._store.read(self._key)
            if node is None:
                continue
            if node.value == self._mine:
                return  # the response to our first attempt was lost
            holder = readable(Owner.from_json, node.value)
            if holder is not None and is_dead(holder):
                if self._store.swap(self._key, node, self._mine, LOCK_TTL_SEC):
                    return
                continue
            who = holder.who if holder else "another process"
            is_agent = who.startswith(AGENT)
            if last is not None and (node.value, node.index) != (last.value, last.index):
                if not is_agent:
                    raise Locked(self._rolled_out(who, holder))
                silent = 0
            silent += 1
            waited += 1
            if silent > _STALE_TICKS:
                raise Locked(self._stale(who, node))
            if is_agent and waited > _AGENTS_TICKS:
                raise Locked(self._by_agents(who))
            if (waited if is_agent else silent) == _SILENT_TICKS:
                report(_waiting_for(who, is_agent))
            last = node
            sleep(_TICK_SEC)

    def _rolled_out(self, who: str, holder: Owner | None) -> str:
        since = f" since {holder.since}" if holder else ""
        return (
            f"{self._what} is being rolled out by {who}{since}. Wait until that is done, then run the same command "
            "again. Nothing was changed."
        )

    def _by_agents(self, who: str) -> str:
        return (
            f"{self._what}: machine agents have opened or closed its windows for {_AGENTS_SEC} s, at last {who}. "
            "Nothing was changed. Find the reason with `sudo journalctl -t fleetcaptain-agent` on the machines of the "
            "cluster, then run the same command again."
        )

    def _stale(self, who: str, node: Node) -> str:
        url = f"http://127.0.0.1:2379{path_of(self._key)}?prevIndex={node.index}"
        return (
            f"{self._what}: the lock {self._key} of {who} was not renewed for {2 * LOCK_TTL_SEC} s and did not expire, "
            "so it has no lifetime and FleetCaptain did not write it. Nothing was changed. Make sure that no "
            f"rollout of {self._what} runs, remove the lock with `{CURL} -X DELETE '{url}'` on a machine of the "
            "cluster, then run the same command again."
        )

    def renew(self) -> None:
        """Hold it for another 30 s. Raises Locked if another process has it now; the caller must then change nothing
        more."""
        try:
            if self._store.hold(self._key, self._mine, LOCK_TTL_SEC):
                return
            if self._store.create(self._key, self._mine, LOCK_TTL_SEC):
                return  # it expired while etcd had no quorum, and no other process took it
            node = self._store.read(self._key)
        except ClusterUnreachable:
            return  # nothing can be changed either, and the next snapshot waits for etcd
        if node is not None and node.value != self._mine:
            holder = readable(Owner.from_json, node.value)
            raise Locked(
                f"{self._what}: {holder.who if holder else 'another process'} took over the rollout while this process "
                "could not renew its lock. The rollout continues there; this process changes nothing more."
            )

    def release(self) -> None:
        """Release it if it is still ours."""
        self._store.let_go(self._key, self._mine)


def _waiting_for(who: str, is_agent: bool) -> str:
    if is_agent:
        return f"waiting until {who} has opened or closed a window"
    return f"{who} seems to have stopped during a rollout; waiting for its lock to expire"


@dataclass(frozen=True)
class Owner:
    """One rollout of one process: *who* (``user@host``), *since* (ISO 8601, UTC), *place* (the boot and the process
    namespace of *pid*), *started* (the process's start, by its kernel's clock) and *token*, which is unique."""

    who: str
    since: str
    place: str
    pid: int
    started: str
    token: str

    def to_json(self) -> str:
        """The text kept in etcd."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Owner:
        """The owner that *text* is. Raises Unreadable."""
        fields = json_object(text)
        return cls(
            who=fields.text("who"),
            since=fields.text("since", WORD),
            place=fields.text("place"),
            pid=fields.number("pid", 1, 2**32),
            started=fields.text("started", WORD),
            token=fields.text("token", WORD),
        )


def this_process() -> Owner:
    """A new owner: this process, now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return Owner(who, now, _place(), os.getpid(), _started(os.getpid()), uuid.uuid4().hex)


def is_dead(owner: Owner) -> bool:
    """Whether *owner* was a process of this computer that has ended; false for other computers, where it is unknown."""
    return owner.place == _place() and _started(owner.pid) != owner.started


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(errors="backslashreplace").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str:
    """The start of process *pid* in ticks since boot (proc(5), field 22 of stat); empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="backslashreplace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
