"""One rollout of a service at a time, over all computers: a key in etcd, held by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable

from fleetcaptain.discovery.store import EtcdStore, Node
from fleetcaptain.errors import ClusterUnreachable, Locked
from fleetcaptain.rollout.owner import Owner, is_dead
from fleetcaptain.untrusted import readable

__all__ = ["LOCK_TTL_SEC", "Lock"]

LOCK_TTL_SEC = 30
_TICK_SEC = 1.0
# A rollout renews its lock every two seconds, so after so many ticks it is not just between two renewals.
_SILENT_TICKS = 6


class Lock:
    """The lock at *key* for *owner*. Every step of a rollout renews it first, and stops where that cannot be done."""

    def __init__(self, store: EtcdStore, key: str, owner: Owner, what: str) -> None:
        self._store = store
        self._key = key
        self._owner = owner
        self._what = what
        self._mine = owner.to_json()

    def acquire(self, sleep: Callable[[float], None], report: Callable[[str], None]) -> None:
        """Take the lock; wait for one whose holder does not renew it any more. Raises Locked when the holder lives."""
        last: Node | None = None
        silent = 0
        while not self._store.create(self._key, self._mine, LOCK_TTL_SEC):
            node = self._store.read(self._key)
            if node is None:
                continue
            if node.value == self._mine:
                return  # the answer to our own first try was lost
            holder = readable(Owner.from_json, node.value)
            if holder is not None and is_dead(holder):
                if self._store.swap(self._key, node, self._mine, LOCK_TTL_SEC):
                    return
                continue
            who = holder.who if holder else "somebody"
            if last is not None and (node.value, node.index) != (last.value, last.index):
                since = f" since {holder.since}" if holder else ""
                raise Locked(
                    f"{self._what} is being rolled out by {who}{since}. Wait until that is done, then run the same "
                    "command again. Nothing was touched."
                )
            silent += 1
            if silent == _SILENT_TICKS:
                report(f"{who} seems to have stopped in the middle; waiting until that lock expires")
            last = node
            sleep(_TICK_SEC)

    def renew(self) -> None:
        """Hold it for another 30 s. Raises Locked when somebody else has it now; then nothing more may be touched."""
        try:
            if self._store.hold(self._key, self._mine, LOCK_TTL_SEC):
                return
            if self._store.create(self._key, self._mine, LOCK_TTL_SEC):
                return  # it expired while etcd had no quorum, and nobody came
            node = self._store.read(self._key)
        except ClusterUnreachable:
            return  # nothing can be touched either, and the next look waits for etcd
        if node is not None and node.value != self._mine:
            holder = readable(Owner.from_json, node.value)
            raise Locked(
                f"{self._what}: {holder.who if holder else 'somebody else'} took the rollout over while this process "
                "could not renew its lock. It goes on there; nothing more is touched from here."
            )

    def release(self) -> None:
        """Give it back, if it is still ours."""
        self._store.let_go(self._key, self._mine)
