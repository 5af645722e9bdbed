"""A rollout records itself: the states of its instances, how many serve, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from fleetcaptain.discovery.keys import current_key, history_dir, history_key, pending_key, rollout_key
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError, RolloutFailed
from fleetcaptain.history.record_retention import KEPT
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.journal import JournalEntry, guarded
from fleetcaptain.rollout.recorder import state_of
from fleetcaptain.rollout.remove import remove
from fleetcaptain.rollout.targets import DesiredService, RolloutSettings
from fleetcaptain.rollout.update import update
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, FakeCluster, text_of

NEW = UnitFile.parse(text_of("web", description="another"))
SETTINGS = RolloutSettings(min_healthy_sec=3, healthy_deadline_sec=20, progress_deadline_sec=40)
mute: Callable[[str], None] = lambda _line: None  # noqa: E731


def records(cluster: FakeCluster, service: str = "web") -> list[RolloutRecord]:
    """The records of *service*, the oldest first."""
    return [RolloutRecord.from_json(node.value) for node in cluster.store.below(history_dir(APP, service))]


def rolled(cluster: FakeCluster, instances: int = 2, mode: Mode = Mode.ROLLING) -> None:
    """One update to `NEW`."""
    update(cluster, DesiredService("web", NEW, mode, instances, settings=SETTINGS), mute, lambda: False)


def test_a_rollout_records_the_states_of_each_instance() -> None:
    """In the order in which they had them, with the seconds since its beginning; and what served meanwhile."""
    cluster = FakeCluster()
    cluster.launch_service("web", 2)
    cluster.etcd.put(pending_key(APP), "v2")
    rolled(cluster)
    [record] = records(cluster)
    assert (record.state, record.release, record.strategy, record.wanted) == ("done", "v2", "rolling", 2)
    assert record.to == NEW.unit_hash
    assert record.before == (UnitFile.parse(text_of("web")).unit_hash,)
    states = {name: [state for _, state in one.states] for name, one in record.instances.items()}
    assert states == {name: ["old", "stopped", "ready", "done"] for name in ("web@1.service", "web@2.service")}
    first, second = ({state: at for at, state in one.states} for one in record.instances.values())
    assert first["done"] - first["ready"] >= 3
    assert second["stopped"] >= first["done"]
    assert second["done"] <= record.seconds
    assert [number for _, number in record.serving] == [2, 1, 2, 1, 2]
    assert {one.machine for one in record.instances.values()} == {"10.0.0.1", "10.0.0.2"}


def test_a_rollout_without_a_pending_release_is_of_the_current_one() -> None:
    """A deployment of the current release brings back what differs; a removal deploys nothing."""
    cluster = FakeCluster()
    cluster.etcd.put(current_key(APP), "v2")
    for strategy, release in (("rolling", "v2"), ("remove", ""), ("retire", ""), ("restart", "")):
        with guarded(cluster, strategy, NEW.unit_hash, mute, strategy=strategy):
            pass
        [record] = records(cluster, strategy)
        assert record.release == release


def test_a_rollout_that_was_rolled_back_says_so() -> None:
    """Its instances are as before, and the first line of its error is kept."""
    cluster = FakeCluster(run=lambda *_: "a line of the journal")
    cluster.launch_service("web", 2)
    stuck = {NEW.unit_hash}
    reach = cluster._reach
    cluster._reach = lambda name: None if cluster.units[name].unit_hash in stuck else reach(name)  # type: ignore[method-assign]
    with pytest.raises(RolloutFailed):
        rolled(cluster)
    [record] = records(cluster)
    assert record.state == "rolled back"
    assert record.error.startswith("web@1.service on 10.0.0.1: it was not healthy within")
    assert "\n" not in record.error
    assert [state for _, state in record.instances["web@1.service"].states] == ["old", "stopped", "old"]
    assert [state for _, state in record.instances["web@2.service"].states] == ["old"]


def test_a_blue_green_rollout_records_both_generations() -> None:
    """The old one drains and is removed."""
    cluster = FakeCluster()
    cluster.launch("web-1@1.service", text_of("web"))
    rolled(cluster, 1, Mode.BLUE_GREEN)
    [record] = records(cluster)
    new, old = sorted(record.instances, key=lambda name: name == "web-1@1.service")
    assert [state for _, state in record.instances[new].states] == ["stopped", "ready", "done"]
    assert [state for _, state in record.instances[old].states][:2] == ["old", "draining"]
    assert record.instances[old].states[-1][1] == "removed"
    assert min(number for _, number in record.serving) == 1


def test_a_blue_green_rollout_that_failed_is_rolled_back() -> None:
    """Its new generation is removed, and the old one never stopped serving."""
    cluster = FakeCluster()
    cluster.launch("web-1@1.service", text_of("web"))
    reach = cluster._reach
    cluster._reach = lambda name: None if cluster.units[name].desired == "launched" else reach(name)  # type: ignore[method-assign]
    with pytest.raises(RolloutFailed):
        rolled(cluster, 1, Mode.BLUE_GREEN)
    [record] = records(cluster)
    assert record.state == "rolled back"
    assert {number for _, number in record.serving} == {1}
    assert [state for _, state in record.instances["web-1@1.service"].states] == ["old"]


def test_a_removal_is_recorded() -> None:
    """With no text to go to."""
    cluster = FakeCluster()
    names = cluster.launch_service("web", 1)
    with guarded(cluster, "web", "", mute, strategy="remove") as (fenced, _):
        remove(fenced, "web", names)
    [record] = records(cluster)
    assert (record.to, record.state, record.strategy) == ("", "done", "remove")
    assert record.instances["web@1.service"].states[-1][1] == "removed"


def test_a_rollout_whose_process_was_killed_is_recorded_by_the_next_one() -> None:
    """Once, with what its journal says."""
    cluster = FakeCluster()
    cluster.launch_service("web", 2)
    killed = JournalEntry(
        "ann@laptop", "2030-01-01T00:00:00+00:00", ("old",), "new", "rolling", release="v1", history=("a",)
    )
    cluster.store.write(rollout_key(APP, "web"), killed.to_json())
    rolled(cluster)
    rolled(cluster)
    first, *others = records(cluster)[::-1]  # "a" comes after all times
    assert (first.state, first.who, first.since, first.to, first.release) == (
        "interrupted",
        "ann@laptop",
        killed.since,
        "new",
        "v1",
    )
    assert first.until == ""
    assert [record.state for record in others] == ["done", "done"]


def test_only_the_last_records_of_a_service_are_kept() -> None:
    """By the names in its journal: no reading of the records."""
    cluster = FakeCluster()
    cluster.launch_service("web", 1)
    names = tuple(f"{number:03}" for number in range(KEPT))
    for name in names:
        cluster.store.write(history_key(APP, "web", name), "{}")
    entry = JournalEntry("ann@laptop", "2030-01-01T00:00:00+00:00", (), "new", "done", history=names)
    cluster.store.write(rollout_key(APP, "web"), entry.to_json())
    with guarded(cluster, "web", "new", mute):
        pass
    left = [node.key.rpartition("/")[2] for node in cluster.store.below(history_dir(APP, "web"))]
    assert len(left) == KEPT
    assert left[:2] == ["001", "002"]
    assert json.loads(cluster.etcd.values[rollout_key(APP, "web")])["history"][-1] == left[-1]


@pytest.mark.parametrize("error", [ClusterUnreachable("no quorum"), FleetCaptainError("etcd refused")])
def test_a_record_that_cannot_be_written_fails_nothing(error: FleetCaptainError) -> None:
    """A rollout that is done is done."""
    cluster = FakeCluster()
    cluster.launch_service("web", 1)
    write = cluster.store.write

    def refuse(key: str, value: str, ttl_sec: int | None = None) -> None:
        if "/_history/" in key:
            raise error
        write(key, value, ttl_sec)

    cluster.store.write = refuse  # type: ignore[method-assign]
    rolled(cluster, 1)
    assert cluster.runs == {"web@1.service": NEW.unit_hash}
    assert records(cluster) == []


def unit(**fields: object) -> Instance:
    """An instance with the text "new", as the fields say."""
    return Instance("web@1.service", **{"unit_hash": "new", "desired": "launched", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("instance", "state"),
    [
        (unit(running="old", active="active", sub="running", registered="old"), "stopping"),
        (unit(), "stopped"),
        (unit(running="new", active="activating", sub="start-post"), "starting"),
        (unit(running="new", active="active", sub="running"), "starting"),
        (unit(running="new", active="failed", sub="failed"), "failed"),
        (unit(running="new", active="active", sub="running", registered="new"), "ready"),
        (unit(unit_hash="old", running="old", active="active", sub="running", registered="old"), "old"),
        (unit(running="new", active="inactive", desired="loaded"), "stopped"),
        (unit(unit_hash=None, running="old", active="active"), "stopping"),
        (unit(unit_hash=None), "removed"),
    ],
)
def test_the_state_of_an_instance(instance: Instance, state: str) -> None:
    """From one snapshot."""
    assert state_of(instance, "new") == state


def test_units_without_registrations_are_ready_when_they_run() -> None:
    """fleet starts the machine agent on all machines, and nothing registers it."""
    assert state_of(unit(running="new", active="active", sub="running"), "new", registers=False) == "ready"
