"""A pretended app of twenty services, and the picture that a reading of it gives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.etcd_node import Node
from fleetcaptain.discovery.keys import (
    current_key,
    lock_key,
    machines_dir,
    previous_key,
    release_key,
    rollout_key,
    text_key,
)
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.members.member import Listed
from fleetcaptain.rollout.journal import JournalEntry
from fleetcaptain.rollout.lock import Owner
from fleetcaptain.status.picture import FleetLists, Members, Picture, app_keys
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.names import task_unit
from fleetcaptain.units.render_task import render_task
from tests.fakes.fake_cluster import APP, STACK, FakeCluster, text_of
from tests.fakes.fake_etcd import Entry

__all__ = ["AT", "NAMES", "journal", "keep", "new_text", "picture_of", "release_of", "roll", "run_of_task", "twenty"]

AT = "2030-02-01T15:04:05+00:00"
NAMES = ("api", "app_server", "redis", *(f"worker_{number:02}" for number in range(1, 18)))
_COUNTS = {"api": 3, "app_server": 12, "redis": 1}
_LISTED = tuple(Listed(f"id{number}", f"m{number}", f"10.0.0.{number}") for number in (1, 2, 3))


def release_of(cluster: FakeCluster, tag: str, when: str, *, text: dict[str, str] | None = None) -> Release:
    """The release of what runs on *cluster*, with the *text* of some services instead."""
    services = {}
    for name in sorted({unit.partition("@")[0] for unit in cluster.units}):
        units = [unit for unit in cluster.units if unit.partition("@")[0] == name]
        unit_hash = (text or {}).get(name, cluster.units[units[0]].unit_hash)
        services[name] = ServiceRelease(unit_hash, len(units))
    return Release(tag, services, who="ann@laptop", when=when)


def keep(cluster: FakeCluster, release: Release, key: Any = current_key) -> None:
    """Record *release*, with the texts that the cluster has, and make it the current one or what *key* says."""
    cluster.etcd.put(release_key(APP, release.tag), release.to_json())
    cluster.etcd.put(key(APP), release.tag)
    for unit in cluster.units.values():
        if unit.unit_hash in release.unit_hashes.values():
            cluster.etcd.put(text_key(APP, unit.unit_hash), unit.text)


def journal(cluster: FakeCluster, service: str, **more: Any) -> None:
    """The last rollout of *service*, done unless *more* says otherwise."""
    entry = JournalEntry("ann@laptop", "2030-02-01T12:00:00+00:00", (), "0" * 40, "done", "2030-02-01T12:03:00+00:00")
    cluster.etcd.put(rollout_key(APP, service), replace(entry, **more).to_json())


def roll(cluster: FakeCluster, service: str, to: str, *, locked: bool = True) -> None:
    """A rollout of *service* to the text *to* is under way; without *locked* its process was killed."""
    since = "2030-02-01T15:02:00+00:00"
    journal(cluster, service, who="bob@ci", since=since, to=to, state="rolling", until="")
    if locked:
        cluster.etcd.put(lock_key(APP, service), Owner("bob@ci", since, "boot", 7, "1", "token").to_json(), 30)


def twenty() -> FakeCluster:
    """Twenty services of the current release v1.1 run on three machines, all as they should; v1.0 was before."""
    cluster = FakeCluster()
    for name in NAMES:
        cluster.launch_service(name, _COUNTS.get(name, 2))
        journal(cluster, name)
    keep(cluster, release_of(cluster, "v1.0", "2030-01-31T12:00:00+00:00"), previous_key)
    keep(cluster, release_of(cluster, "v1.1", "2030-02-01T12:00:00+00:00"))
    for machine in cluster.machines:
        cluster.etcd.put(f"{machines_dir(APP)}/{machine}", json.dumps({"machine": machine}), 900)
    return cluster


def picture_of(cluster: FakeCluster, **more: Any) -> Picture:
    """What a reading of *cluster* finds; *more* replaces parts of it."""
    machines = (replace(one, metadata={"zone": f"z{one.ip[-1]}"}) for one in cluster.fleet.machines())
    fleet = FleetLists(cluster.fleet.units(), cluster.fleet.states(), tuple(machines), "1.0.0")
    entries: dict[str, Entry] = cluster.etcd.entries
    nodes = [Node(key, entry.value, entry.index) for key, entry in entries.items()]
    texts = {key.rpartition("/")[2]: entry.value for key, entry in entries.items() if "/_texts/" in key}
    read = [node for node in nodes if "/_" not in node.key or "/_tasks/" in node.key or "/_windows/" in node.key]
    keys = app_keys(read, APP).with_texts(texts)
    members = Members(_LISTED, quorum=True, version="3.5.33")
    picture = Picture(APP, STACK, AT, fleet, keys, members, hosts=tuple(cluster.machines), managed=True, has_texts=True)
    return replace(picture, **more)


def run_of_task(cluster: FakeCluster) -> None:
    """A run of the task migrate, on the first machine."""
    spec, unit = ServiceSpec("migrate", "the schema", "shop", ("rake",)), task_unit("migrate", "0badc0de")
    cluster.launch(unit, render_task(TaskSpec(spec), Mark(APP, STACK, "migrate")).text)
    cluster.units[unit] = replace(cluster.units[unit], machine_id="10.0.0.1")


def new_text(service: str) -> str:
    """Another text of *service*."""
    return text_of(service, description="changed")
