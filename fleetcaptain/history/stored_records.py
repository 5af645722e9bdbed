"""Reads the records of rollouts from etcd."""

from __future__ import annotations

from collections.abc import Iterable

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import histories_dir, history_dir, history_key
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.untrusted import Ignored, Unreadable, read_all

__all__ = ["read_records", "records_in"]


def _record_at(key: str, text: str) -> RolloutRecord:
    """Parse the record at *key*. Raises Unreadable, also when its service is not the key's."""
    record = RolloutRecord.from_json(text)
    app, name = key.split("/")[2], key.rpartition("/")[2]
    if key != history_key(app, record.service, name):
        raise Unreadable(f"it is the record of a rollout of {record.service}")
    return record


def read_records(
    store: EtcdStore, app: str, service: str = ""
) -> tuple[tuple[RolloutRecord, ...], tuple[Ignored, ...]]:
    """The records of the rollouts of *service*, or of all services of *app*, the oldest first; and the invalid ones."""
    directory = history_dir(app, service) if service else histories_dir(app)
    nodes = store.below(directory)
    return records_in((node.key, node.value) for node in nodes)


def records_in(values: Iterable[tuple[str, str]]) -> tuple[tuple[RolloutRecord, ...], tuple[Ignored, ...]]:
    """The records in *values*, each with its key, the oldest first; and the invalid ones."""
    found, ignored = read_all(_record_at, values)
    return tuple(sorted(found, key=lambda record: (record.since, record.service))), ignored
