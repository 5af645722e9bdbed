"""One reading of a cluster, and the watch that repeats it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fleetcaptain.discovery.keys import (
    history_dir,
    history_key,
    release_key,
    secret_key,
    secrets_dir,
    text_key,
    window_event_key,
    window_plan_key,
    window_state_key,
)
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.status.status_reader import StatusReader
from fleetcaptain.status.status_report import Report, report_of
from fleetcaptain.status.watching import watched
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, STACK, FakeCluster, text_of
from tests.unit.history.example_records import DONE
from tests.unit.schedule.example_schedule import plan
from tests.unit.status.twenty_services import journal, keep, picture_of, release_of, roll, twenty


class _Fleet(FleetClient):
    """A fleet whose calls are counted; those of *hangs* never end, and those of *fails* fail."""

    def __init__(self, cluster: FakeCluster, hangs: str = "", fails: str = "") -> None:
        self.calls: list[str] = []
        self._cluster, self._hangs, self._fails = cluster, hangs, fails

    def units(self) -> Any:
        return self._counted("units")

    def states(self) -> Any:
        return self._counted("states")

    def machines(self) -> Any:
        return self._counted("machines")

    def version(self) -> str:
        return "1.0.0"

    def _counted(self, name: str) -> Any:
        self.calls.append(name)
        if name == self._hangs:
            threading.Event().wait()
        if name == self._fails:
            raise ClusterUnreachable("fleet does not answer")
        return getattr(self._cluster.fleet, name)()


def reader(cluster: FakeCluster, fleet: FleetClient, **more: Any) -> StatusReader:
    """Reads *cluster*, its etcd over HTTP."""
    return StatusReader(APP, fleet, KeysApi(cluster.etcd.url, patience_sec=0), stack=STACK, **more)


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """Twenty services, and etcd listens."""
    cluster = twenty()
    with cluster.etcd:
        yield cluster


def test_fifty_services_cost_what_one_costs(cluster: FakeCluster) -> None:
    """Each list of fleet, the app's directory, its tasks and windows once; texts once while the releases stay."""
    for number in range(30):
        cluster.launch_service(f"more_{number}", 2)
    keep(cluster, release_of(cluster, "v1.2", "2030-02-02T12:00:00+00:00"))
    fleet = _Fleet(cluster)
    reading = reader(cluster, fleet)
    assert len(report_of(reading.read()).services) == 50
    assert sorted(fleet.calls) == ["machines", "states", "units"]
    keys = [key for _, key, form in cluster.etcd.requests if form.get("recursive")]
    folders = ["/fleetcaptain/shop", "/fleetcaptain/shop/_tasks", "/fleetcaptain/shop/_windows"]
    assert keys == [*folders, "/fleetcaptain/shop/_texts"]
    cluster.etcd.requests.clear()
    reading.read()
    keys = [key for _, key, form in cluster.etcd.requests if form.get("recursive")]
    assert keys == folders


@pytest.mark.parametrize("kept", [True, False])
def test_a_release_with_secrets_can_be_rolled_back_to_while_etcd_has_them(cluster: FakeCluster, kept: bool) -> None:
    """They are read once while the releases stay, and only where a text names one."""
    file = UnitFile.parse(text_of("redis")).with_image("redis:7")
    text = f"{file.text}SecretDigest=TOKEN {'a' * 32}\n"
    unit_hash = UnitFile.parse(text).unit_hash
    cluster.etcd.put(text_key(APP, unit_hash), text)
    before = release_of(cluster, "v1.0", "2030-01-31T12:00:00+00:00", text={"redis": unit_hash})
    cluster.etcd.put(release_key(APP, "v1.0"), before.to_json())
    if kept:
        cluster.etcd.put(secret_key(APP, "a" * 32), "encrypted")
    reading = reader(cluster, _Fleet(cluster))
    for _ in range(2):
        why_not = report_of(reading.read()).release.why_not
        assert why_not == (() if kept else ("redis: etcd no longer has the value of TOKEN that the release had",))
    assert [key for _, key, _ in cluster.etcd.requests].count(secrets_dir(APP)) == 1


def test_the_records_of_what_is_rolled_out_are_read(cluster: FakeCluster) -> None:
    """Of no other service; an invalid one is left out, and so are all where there are none."""
    for service in ("api", "app_server"):
        record = replace(DONE, service=service)
        cluster.etcd.put(history_key(APP, service, "2030-01-02T03:04:05.000000"), record.to_json())
    cluster.etcd.put(history_key(APP, "app_server", "2030-01-03T03:04:05.000000"), "{")
    for service in ("app_server", "redis"):
        roll(cluster, service, "0" * 40)
    keys = reader(cluster, _Fleet(cluster)).read().keys
    assert keys is not None
    assert keys.records == {"app_server": (replace(DONE, service="app_server"),), "redis": ()}


def test_the_records_of_a_service_with_windows_are_read_again_after_a_rollout(cluster: FakeCluster) -> None:
    """They are large, and its journal changes with them."""
    cluster.etcd.put(window_plan_key(APP, "api"), plan().to_text())
    reading = reader(cluster, _Fleet(cluster))
    for since in ("2030-01-02T03:04:05.000000", "2030-01-03T03:04:05.000000"):
        journal(cluster, "api", since=since)
        cluster.etcd.put(history_key(APP, "api", since), replace(DONE, service="api").to_json())
        for _ in range(2):
            keys = reading.read().keys
    assert keys is not None
    assert len(keys.records["api"]) == 2
    read = [key for _, key, _ in cluster.etcd.requests if key == history_dir(APP, "api")]
    assert len(read) == 2


def test_the_events_of_windows_are_read_where_there_are_windows(cluster: FakeCluster) -> None:
    """The lead time is judged by all openings of two days, and not by the last event alone."""
    cluster.etcd.put(window_plan_key(APP, "api"), plan().to_text())
    events = [WindowEvent(at, 4, 12, at + 180, "10.0.0.1", at + 20) for at in (1000, 90_000)]
    for event in events:
        cluster.etcd.put(window_event_key(APP, "api", event.at), event.to_text())
    cluster.etcd.put(window_state_key(APP, "api"), events[-1].to_text())
    keys = reader(cluster, _Fleet(cluster)).read().keys
    assert keys is not None
    assert keys.windows["api"].events == tuple(events)
    assert keys.windows["api"].state == events[-1]


def test_a_fleet_that_hangs_does_not_keep_the_rest(cluster: FakeCluster) -> None:
    """It is named, and the registrations are shown."""
    picture = reader(cluster, _Fleet(cluster, hangs="states"), limit_sec=0.5).read()
    assert picture.fleet is None
    assert picture.unanswered == ("fleet: no answer within 0.5 s",)
    assert picture.keys is not None
    assert len(picture.keys.registrations) == 50


def test_an_etcd_that_does_not_answer_does_not_keep_the_rest(cluster: FakeCluster) -> None:
    """What fleet knows is shown."""
    cluster.etcd.close()
    picture = reader(cluster, _Fleet(cluster), sleep=lambda _seconds: None).read()
    assert (picture.keys, picture.members) == (None, None)
    assert [sentence.partition(":")[0] for sentence in picture.unanswered] == ["etcd", "etcd's members"]
    assert len(report_of(picture).services) == 20


def test_a_cluster_of_which_nothing_answers_is_an_error(cluster: FakeCluster) -> None:
    """With the first reason."""
    cluster.etcd.close()

    class Silent(_Fleet):
        def _counted(self, name: str) -> Any:
            raise ClusterUnreachable(f"Could not connect to any machine for {name}")

    with pytest.raises(ClusterUnreachable, match="app shop does not answer: Could not connect to any machine"):
        reader(cluster, Silent(cluster), sleep=lambda _seconds: None).read()


def _reports(*answers: Report | Exception | Callable[[], Report]) -> Callable[[], Report]:
    left = list(answers)

    def read() -> Report:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    return read


def test_a_watch_keeps_the_last_report_while_nothing_answers() -> None:
    """And says since when; the next answer ends that."""
    report = report_of(picture_of(FakeCluster()))
    lost = ClusterUnreachable("no route")
    read = _reports(report, lost, lost, report)
    times = (datetime(2030, 1, 1, 12, 0, second, tzinfo=UTC) for second in range(5, 60))
    looks = watched(read, 1, sleep=lambda _seconds: None, now=lambda: next(times))
    silences = [next(looks).silence for _ in range(4)]
    assert silences == ["", "no answer since 12:00:05 UTC: no route", "no answer since 12:00:05 UTC: no route", ""]


def test_a_watch_says_that_a_reading_hangs() -> None:
    """Before it ends."""
    report = report_of(picture_of(FakeCluster()))
    answered = threading.Event()

    def late() -> Report:
        answered.wait()
        return report

    looks = watched(_reports(report, late), 0, late_sec=0.01)
    assert next(looks).silence == ""
    assert next(looks).silence.startswith("no answer since ")
    answered.set()
    assert any(look.silence == "" for look in looks)


def test_a_watch_that_never_had_an_answer_ends() -> None:
    """As the command without it."""
    with pytest.raises(ClusterUnreachable):
        next(watched(_reports(ClusterUnreachable("no route")), 1))
