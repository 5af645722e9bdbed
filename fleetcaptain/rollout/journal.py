"""Runs a rollout under its lock and records it in a journal: owner, change and result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from fleetcaptain.discovery.keys import lock_key, rollout_key
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError, Interrupted
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.lock import Lock, Owner, this_process
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.untrusted import ANY, WORD, json_object, readable

__all__ = ["JournalEntry", "ensure_free", "guarded", "journal_of"]

_ERROR_CHARS = 2000


@dataclass(frozen=True)
class JournalEntry:
    """The last rollout of a service: *who* began it when (*since*), *before* and *to* (SHA1s of unit texts), its
    *state* (rolling, done, failed, interrupted) and, when it failed, the *error*."""

    who: str
    since: str
    before: tuple[str, ...]
    to: str
    state: str
    until: str = ""
    error: str = ""

    def to_json(self) -> str:
        """The text kept in etcd."""
        return json.dumps({**self.__dict__, "before": list(self.before)})

    @classmethod
    def from_json(cls, text: str) -> JournalEntry:
        """The entry that *text* is. Raises Unreadable."""
        fields = json_object(text)
        return cls(
            who=fields.text("who"),
            since=fields.text("since", WORD),
            before=fields.texts("before", WORD),
            to=fields.text("to", WORD),
            state=fields.text("state", WORD),
            until=fields.text("until", WORD, ""),
            error=fields.text("error", ANY, ""),
        )


@contextmanager
def guarded(
    cluster: Cluster,
    service: str,
    to: str,
    report: Callable[[str], None],
    *,
    check: Callable[[Snapshot], None] = lambda _snapshot: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Cluster, Snapshot]]:
    """*cluster*, fenced by the lock of *service*, and its snapshot under the lock. The journal records that the units
    of *service* change to the text *to* (SHA1), unless *check* raises first. Raises Locked if another rollout has the
    lock, Interrupted if *stopping* returns true while this one waits for it."""
    owner = this_process()
    lock = _acquired(cluster, service, owner, report, stopping)
    try:
        snapshot = cluster.snapshot()
        check(snapshot)
        present = instances_of(cluster.ownership, service, snapshot)
        before = tuple(sorted({snapshot.units[name].unit_hash for name in present}))
        entry = JournalEntry(owner.who, owner.since, before, to, "rolling")
        lock.renew()  # the read may have waited for the cluster
        _report_unfinished(cluster, service, to, report)
        cluster.store.write(rollout_key(cluster.app, service), entry.to_json())
        try:
            yield cluster.fenced(lock.renew), snapshot
        except FleetCaptainError as error:
            state = "interrupted" if isinstance(error, Interrupted) else "failed"
            _end(cluster, service, entry, state, str(error)[:_ERROR_CHARS])
            raise
        _end(cluster, service, entry, "done", "")
    finally:
        with suppress(ClusterUnreachable):
            lock.release()


def ensure_free(cluster: Cluster, service: str, report: Callable[[str], None]) -> None:
    """Raise Locked if *service* is being rolled out: its state is then only transitional."""
    _acquired(cluster, service, this_process(), report, lambda: False).release()


def journal_of(cluster: Cluster, service: str) -> JournalEntry | None:
    """The last rollout of *service* in its journal."""
    node = cluster.store.read(rollout_key(cluster.app, service))
    return readable(JournalEntry.from_json, node.value) if node else None


def _acquired(
    cluster: Cluster, service: str, owner: Owner, report: Callable[[str], None], stopping: Callable[[], bool]
) -> Lock:
    lock = Lock(cluster.store, lock_key(cluster.app, service), owner, service)
    lock.acquire(cluster.sleep, report, stopping)
    return lock


def _report_unfinished(cluster: Cluster, service: str, to: str, report: Callable[[str], None]) -> None:
    last = journal_of(cluster, service)
    if last is not None and last.state == "rolling":
        next_step = "resuming it" if last.to == to else "replacing it with the new target"
        report(f"the rollout that {last.who} began at {last.since} was interrupted; {next_step}")


def _end(cluster: Cluster, service: str, entry: JournalEntry, state: str, error: str) -> None:
    ended = JournalEntry(entry.who, entry.since, entry.before, entry.to, state, _now(), error)
    with suppress(ClusterUnreachable):
        cluster.store.write(rollout_key(cluster.app, service), ended.to_json())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
