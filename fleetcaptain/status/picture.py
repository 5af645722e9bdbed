"""One reading of a cluster: what fleet, etcd and its members answered at one moment. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from fleetcaptain.discovery.documents import Registration, manifest_at, registration_at
from fleetcaptain.discovery.etcd_node import Node
from fleetcaptain.discovery.keys import (
    app_dir,
    current_key,
    lock_key,
    machines_dir,
    maintenance_dir,
    maintenance_key,
    pending_key,
    previous_key,
    releases_dir,
    rollout_key,
    services_dir,
    task_key,
    tasks_dir,
    window_events_dir,
    windows_dir,
)
from fleetcaptain.discovery.maintenance import Maintenance
from fleetcaptain.fleet.entities import Machine, UnitEntity, UnitState
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.members.member import Listed
from fleetcaptain.release.repository import Releases
from fleetcaptain.rollout.journal import JournalEntry
from fleetcaptain.rollout.lock import Owner
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.schedule.stored_windows import ServiceWindows, windows_in
from fleetcaptain.tasks.task_run import TaskRun
from fleetcaptain.untrusted import Ignored, read_all, readable

__all__ = ["AppKeys", "FleetLists", "Members", "Picture", "app_keys", "flattened"]

_T = TypeVar("_T")
_NO_RELEASES = Releases()


@dataclass(frozen=True)
class FleetLists:
    """fleet's three lists, and its *version*."""

    units: tuple[UnitEntity, ...]
    states: tuple[UnitState, ...]
    machines: tuple[Machine, ...]
    version: str = ""


@dataclass(frozen=True)
class AppKeys:
    """The app's directory in etcd: *registrations*, *releases* (their texts only if they were read), the holder of each
    rollout's lock and the last rollout, by service, the ids of machines with a *heartbeat*, and the last run of each of
    its *tasks*. *ignored* are values that are neither. *maintenance*: who began that of a service, by service.
    *records*: service -> the records of its rollouts, the oldest first, where they were read. *windows*: the plan,
    the last event and the events of two days of each service with windows."""

    registrations: tuple[Registration, ...] = ()
    releases: Releases = _NO_RELEASES
    locks: Mapping[str, Owner] = field(default_factory=dict)
    journals: Mapping[str, JournalEntry] = field(default_factory=dict)
    heartbeats: frozenset[str] = frozenset()
    ignored: tuple[Ignored, ...] = ()
    tasks: Mapping[str, TaskRun] = field(default_factory=dict)
    maintenance: Mapping[str, Maintenance] = field(default_factory=dict)
    records: Mapping[str, tuple[RolloutRecord, ...]] = field(default_factory=dict)
    windows: Mapping[str, ServiceWindows] = field(default_factory=dict)

    def with_texts(self, texts: Mapping[str, str], secrets: frozenset[str] = frozenset()) -> AppKeys:
        """The same with the *texts* of the releases' units, by unit hash, and the digests of the *secrets* that etcd
        has."""
        return replace(self, releases=replace(self.releases, texts=texts, secrets=secrets))


@dataclass(frozen=True)
class Members:
    """etcd's members as one of them lists them, None if it did not, whether it has a *quorum*, and its *version*."""

    listed: tuple[Listed, ...] | None = None
    quorum: bool = False
    version: str = ""


@dataclass(frozen=True)
class Picture:
    """All that was read of *app*, deployed by *stack* ("" if unknown), *at* a moment (ISO 8601, UTC).

    *fleet*, *keys* and *members* are None where nothing answered; *unanswered* has a sentence for each. *hosts* are the
    addresses of the machines that the connection names. *managed*: the stack made the cluster. *has_texts*: the texts
    of the releases' units were read.
    """

    app: str
    stack: str
    at: str
    fleet: FleetLists | None = None
    keys: AppKeys | None = None
    members: Members | None = None
    unanswered: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    managed: bool = False
    has_texts: bool = False

    @property
    def snapshot(self) -> Snapshot:
        """The lists of fleet and the registrations, empty where nothing answered. A leftover registration of our unit
        does not describe another app's unit that now has its name."""
        lists, keys = self.fleet or FleetLists((), (), ()), self.keys or AppKeys()
        others = {unit.name for unit in lists.units if unit.mark is not None and unit.mark.app != self.app}
        ours = (entry for entry in keys.registrations if entry.unit not in others)
        return Snapshot.of(lists.units, lists.states, lists.machines, ours, keys.ignored)


def flattened(node: Mapping[str, Any]) -> tuple[Node, ...]:
    """All keys with a value at and below *node*, which etcd answered."""
    found, left = [], [node]
    while left:
        one = left.pop()
        if one.get("dir"):
            left += one.get("nodes") or ()
        elif isinstance(value := one.get("value"), str):
            index = one.get("modifiedIndex")
            found.append(Node(str(one.get("key", "")), value, index if isinstance(index, int) else 0))
    return tuple(found)


def app_keys(nodes: Sequence[Node], app: str) -> AppKeys:
    """The app's directory from all *nodes* below it. Values that are invalid are left out."""
    values = {node.key: node.value for node in nodes if node.key}
    by_age = [node.key for node in sorted(nodes, key=lambda node: node.index)]

    def below(folder: str) -> list[tuple[str, str]]:
        return [(key, values[key]) for key in by_age if key.startswith(f"{folder}/")]

    registrations, ignored = read_all(registration_at, below(services_dir(app)))
    manifests, ignored_too = read_all(manifest_at, below(releases_dir(app)))
    windows, ignored_windows = windows_in((*below(windows_dir(app)), *below(window_events_dir(app))), app)
    current, previous, pending = (values.get(key(app), "") for key in (current_key, previous_key, pending_key))
    return AppKeys(
        registrations,
        Releases(manifests, current, previous, pending),
        _by_service(Owner.from_json, below(f"{app_dir(app)}/locks"), lambda name: lock_key(app, name)),
        _by_service(JournalEntry.from_json, below(f"{app_dir(app)}/rollouts"), lambda name: rollout_key(app, name)),
        frozenset(key.rpartition("/")[2] for key, _ in below(machines_dir(app))),
        (*ignored, *ignored_too, *ignored_windows),
        _tasks(app, below(tasks_dir(app))),
        _by_service(Maintenance.from_json, below(maintenance_dir(app)), lambda name: maintenance_key(app, name)),
        windows=windows,
    )


def _tasks(app: str, values: Iterable[tuple[str, str]]) -> dict[str, TaskRun]:
    """Task -> its last run."""
    found = {}
    for key, text in values:
        name = key.removeprefix(f"{tasks_dir(app)}/").partition("/")[0]
        run = readable(TaskRun.from_json, text) if key == task_key(app, name) else None
        if run is not None:
            found[name] = run
    return found


def _by_service(
    make: Callable[[str], _T], values: Iterable[tuple[str, str]], key_of: Callable[[str], str]
) -> dict[str, _T]:
    found = {}
    for key, text in values:
        name, value = key.rpartition("/")[2], readable(make, text)
        if value is not None and key_of(name) == key:
            found[name] = value
    return found
