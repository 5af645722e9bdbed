"""Runs a rollout under its lock and records it in a journal: owner, change and result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from fleetcaptain.discovery.keys import current_key, history_key, lock_key, pending_key, rollout_key, rollouts_dir
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError, Interrupted
from fleetcaptain.history.record_retention import kept, record_name
from fleetcaptain.history.rollout_record import OPERATIONS, WITHOUT_TEXT, RolloutRecord
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.journal_entry import JournalEntry, record_of
from fleetcaptain.rollout.lock import Lock, Owner, this_process
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.recorder import Recorder, Recording
from fleetcaptain.units.agent_calls import agent_name
from fleetcaptain.untrusted import WORD, readable

__all__ = ["JournalEntry", "ensure_free", "guarded", "journal_of", "under_way"]

_ERROR_CHARS = 2000


@contextmanager
def guarded(
    cluster: Cluster,
    service: str,
    to: str,
    report: Callable[[str], None],
    *,
    check: Callable[[Snapshot], None] = lambda _snapshot: None,
    stopping: Callable[[], bool] = lambda: False,
    strategy: str = "",
    wanted: Callable[[Snapshot], int] = lambda _snapshot: 0,
    rollback: bool = False,
) -> Iterator[tuple[Cluster, Snapshot]]:
    """*cluster*, fenced by the lock of *service*, and its snapshot under the lock. The journal records that the units
    of *service* change to the text *to* (SHA1), unless *check* raises first. Raises Locked if another rollout has the
    lock, Interrupted if *stopping* returns true while this one waits for it.

    The rollout is recorded in the history, with its *strategy*, and as a *rollback*. *wanted* returns, for that
    snapshot, the number of instances that the service has to have."""
    owner = this_process()
    lock = _acquired(cluster, service, owner, report, stopping)
    try:
        snapshot = cluster.snapshot()
        check(snapshot)
        present = instances_of(cluster.ownership, service, snapshot)
        before = tuple(sorted({snapshot.units[name].unit_hash for name in present}))
        lock.renew()  # the read may have waited for the cluster
        names = _names_after(cluster, service, to, report)
        entry = JournalEntry(owner.who, owner.since, before, to, "rolling", strategy=strategy)
        release = "" if strategy in OPERATIONS else _release(cluster, service, strategy)
        entry = replace(entry, release=release, history=names, rollback=rollback)
        cluster.store.write(rollout_key(cluster.app, service), entry.to_json())
        recorder, began, count = Recorder(Recording(service, to, cluster.clock())), cluster.clock(), wanted(snapshot)
        recorder.snapshot(cluster.ownership, snapshot, began)

        def end(state: str, error: str = "") -> None:
            ended = replace(entry, state=state, until=_now(), error=error[:_ERROR_CHARS])
            with suppress(FleetCaptainError):
                cluster.store.write(rollout_key(cluster.app, service), ended.to_json())
                seconds = cluster.clock() - began
                _write_record(cluster, names, record_of(service, ended, recorder, seconds=seconds, wanted=count))

        try:
            yield cluster.fenced(lock.renew, recorder), snapshot
        except BaseException as error:
            is_failure = isinstance(error, Exception) and not isinstance(error, Interrupted)
            end("failed" if is_failure else "interrupted", str(error))
            raise
        end("done")
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


def under_way(cluster: Cluster) -> tuple[RolloutRecord, ...]:
    """A record of each rollout that has not ended: ``rolling``, or ``interrupted`` if no process has its lock."""
    found = []
    for node in cluster.store.below(rollouts_dir(cluster.app)):
        service, entry = node.key.rpartition("/")[2], readable(JournalEntry.from_json, node.value)
        if entry is None or entry.state != "rolling":
            continue
        if cluster.store.read(lock_key(cluster.app, service)):
            found.append(replace(record_of(service, entry, Recorder()), state=entry.state))
        else:
            # It may have ended between the two readings.
            found.append(record_of(service, journal_of(cluster, service) or entry, Recorder()))
    return tuple(found)


def _acquired(
    cluster: Cluster, service: str, owner: Owner, report: Callable[[str], None], stopping: Callable[[], bool]
) -> Lock:
    lock = Lock(cluster.store, lock_key(cluster.app, service), owner, service)
    lock.acquire(cluster.sleep, report, stopping)
    return lock


def _names_after(cluster: Cluster, service: str, to: str, report: Callable[[str], None]) -> tuple[str, ...]:
    """The names of the records of *service*, with a new one for this rollout. If the process of the last rollout was
    killed, that is reported, and recorded in its place."""
    last = journal_of(cluster, service)
    names = last.history if last is not None else ()
    if last is not None and last.state == "rolling":
        next_step = "resuming it" if last.to == to else "replacing it with the new target"
        report(f"the rollout that {last.who} began at {last.since} was interrupted; {next_step}")
        with suppress(FleetCaptainError):
            _write_record(cluster, names, record_of(service, last, Recorder()))
    return (*names, record_name(datetime.now(UTC), names))


def _release(cluster: Cluster, service: str, strategy: str) -> str:
    """The tag of the release that is being deployed: the pending one, or the current one, of which a deployment brings
    back what differs. The machine agent is rolled before the release is recorded."""
    if service == agent_name(cluster.app).removesuffix(".service"):
        return ""
    with suppress(FleetCaptainError):
        node = cluster.store.read(pending_key(cluster.app))
        if node is None and strategy not in WITHOUT_TEXT:
            node = cluster.store.read(current_key(cluster.app))
        return node.value if node and WORD.fullmatch(node.value) else ""
    return ""


def _write_record(cluster: Cluster, names: Sequence[str], record: RolloutRecord) -> None:
    """Write *record*, the last of the service's records *names*, and remove those that are no longer kept."""
    for name in names[-1:]:
        cluster.store.write(history_key(cluster.app, record.service, name), record.to_json())
    for name in kept(names)[1]:
        cluster.store.delete(history_key(cluster.app, record.service, name))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
