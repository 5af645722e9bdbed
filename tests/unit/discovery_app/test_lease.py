"""A registration that the app holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from fleetcaptain.discovery import lease
from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.discovery.keys import TTL_SEC
from fleetcaptain.discovery.lease import Lease
from fleetcaptain.errors import ClusterUnreachable
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.discovery_app.app_container import KEY, MACHINE, UNIT, of_the_unit


class Clock:
    """Time that passes only when a test says so; sleeping takes it."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        """Seconds."""
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def held(identity: Identity, clock: Clock) -> Iterator[Lease]:
    """A lease on the unit's own key."""
    lease = Discovery(identity, clock.read, clock.pass_by).register("web", {"port": 8080})
    yield lease
    lease.stop()


def renewals(etcd: FakeEtcd) -> int:
    """How often somebody asked for a longer life."""
    return sum("refresh" in form for _, _, form in etcd.requests)


def test_renewing_changes_nothing_but_the_time_to_live(etcd: FakeEtcd, held: Lease) -> None:
    """No watcher wakes."""
    events, value = len(etcd.events), etcd.entries[KEY].value
    etcd.entries[KEY].ttl = 1
    held.renew()
    assert (len(etcd.events), etcd.entries[KEY].value, etcd.entries[KEY].ttl) == (events, value, 60)
    assert held.held


def test_a_mark_of_the_machine_agent_is_renewed_with_it(
    etcd: FakeEtcd, held: Lease, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """However long the maintenance lasts. Afterwards the registration is as the app wrote it."""
    value = etcd.entries[KEY].value
    marked = f'{value[:-1]},"draining":true,"maintenance":true}}'
    etcd.entries[KEY].value = marked
    for _ in range(5):
        clock.pass_by(TTL_SEC / 3)
        etcd.entries[KEY].ttl = 1
        held.renew()
        assert (etcd.entries[KEY].value, etcd.entries[KEY].ttl, held.held) == (marked, 60, True)
    etcd.entries[KEY].value = value
    held.renew()
    assert (etcd.entries[KEY].value, caplog.text) == (value, "")


def test_it_is_renewed_three_times_within_its_life() -> None:
    """One renewal that fails, and one that is late, lose nothing."""
    assert lease._PERIOD_SEC * 3 <= TTL_SEC


def test_a_thread_renews_until_it_is_closed(
    etcd: FakeEtcd, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing ends the thread and takes the registration back."""
    monkeypatch.setattr(lease, "_PERIOD_SEC", 0.001)
    with Discovery(identity).register("web", {"port": 8080}) as held:
        with etcd.changed:
            assert etcd.changed.wait_for(lambda: renewals(etcd) >= 3, timeout=60)
        assert held.held
    assert not held.held
    assert not [thread for thread in threading.enumerate() if KEY in thread.name]
    assert etcd.value(KEY)["draining"]
    asked = len(etcd.requests)
    held.close()
    assert len(etcd.requests) == asked


def test_the_thread_survives_an_etcd_that_is_away(
    etcd: FakeEtcd, identity: Identity, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, tries again, and renews when etcd is back."""
    monkeypatch.setattr(lease, "_PERIOD_SEC", 0.001)
    monkeypatch.setattr(lease, "_AGAIN_SEC", 0.001)
    held = Discovery(identity, clock.read, clock.pass_by).register("web", {"port": 8080})
    with etcd.changed:
        etcd.failures = 30
        assert etcd.changed.wait_for(lambda: not etcd.failures, timeout=60)
        before = renewals(etcd)
        assert etcd.changed.wait_for(lambda: renewals(etcd) > before, timeout=60)
    assert held.held
    held.stop()


def test_what_expired_while_etcd_was_away_is_written_again(etcd: FakeEtcd, held: Lease, clock: Clock) -> None:
    """More than its life has passed since the last renewal."""
    value = etcd.entries[KEY].value
    etcd.remove(KEY)
    clock.pass_by(60)
    held.renew()
    assert etcd.entries[KEY].value == value
    assert held.held


def test_what_the_unit_took_back_is_not_put_again(etcd: FakeEtcd, held: Lease, clock: Clock) -> None:
    """The app still runs while its unit stops it, be it for minutes."""
    etcd.remove(KEY)
    clock.pass_by(20)
    held.renew()
    clock.pass_by(200)
    held.renew()
    assert etcd.values == {}
    assert not held.held


def test_what_the_agent_put_back_is_replaced(etcd: FakeEtcd, held: Lease) -> None:
    """The unit is active after all: the key was lost, by a clock that jumped for instance."""
    value = etcd.entries[KEY].value
    etcd.remove(KEY)
    held.renew()
    etcd.put(KEY, of_the_unit())
    held.renew()
    assert etcd.entries[KEY].value == value
    assert held.held


@pytest.mark.parametrize(
    "found", [of_the_unit(draining=True), of_the_unit(machine="elsewhere"), of_the_unit(lease="app"), "no JSON"]
)
def test_a_value_of_another_process_stands(etcd: FakeEtcd, held: Lease, found: str) -> None:
    """A rollout's mark, another machine's unit, a later process."""
    etcd.put(KEY, found)
    held.renew()
    assert etcd.entries[KEY].value == found
    assert not held.held


def test_a_second_registration_takes_the_place_of_the_first(etcd: FakeEtcd, identity: Identity) -> None:
    """Only one thread renews a key."""
    mine = Discovery(identity)
    first = mine.register("web", {"port": 1})
    second = mine.register("web", {"port": 2})
    assert (first.held, second.held) == (False, True)
    assert etcd.value(KEY)["connection"]["port"] == 2
    first.close()
    assert "draining" not in etcd.value(KEY)
    second.stop()


def test_a_registration_that_failed_leaves_no_thread(etcd: FakeEtcd, identity: Identity, clock: Clock) -> None:
    """The caller decides whether to try again."""
    etcd.failures = 1000
    with pytest.raises(ClusterUnreachable):
        Discovery(identity, clock.read, clock.pass_by).register("web", {})
    assert not [thread for thread in threading.enumerate() if KEY in thread.name]


@pytest.mark.usefixtures("held")
def test_the_value_begins_as_the_units_lines_expect(etcd: FakeEtcd) -> None:
    """Machine, lease and run, without blanks: a shell pattern looks for exactly this."""
    assert etcd.entries[KEY].value.startswith(
        f'{{"machine":"{MACHINE}","lease":"app","run":"0123abcd","service":"web",'
    )
    assert etcd.value(KEY)["unit"] == UNIT
