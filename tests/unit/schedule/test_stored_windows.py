"""What etcd has of windows."""

from __future__ import annotations

from fleetcaptain.discovery.keys import window_event_key, window_plan_key, window_state_key
from fleetcaptain.schedule.stored_windows import ServiceWindows, read_windows
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.schedule.example_schedule import EVENTS, plan


def test_plan_state_and_events_are_read() -> None:
    """The state is the last event, and among them also when its own key has expired."""
    etcd = FakeEtcd()
    etcd.put(window_plan_key("shop", "web"), plan().to_text())
    etcd.put(window_state_key("shop", "web"), EVENTS[-1].to_text())
    for event in EVENTS[:-1]:
        etcd.put(window_event_key("shop", "web", event.at), event.to_text())
    etcd.put(window_state_key("shop", "mail"), EVENTS[0].to_text())
    etcd.put(window_event_key("shop", "mail", EVENTS[0].at), EVENTS[0].to_text())
    etcd.put(window_plan_key("bank", "other"), plan().to_text())
    found, ignored = read_windows(etcd.store, "shop")
    assert found == {
        "mail": ServiceWindows(None, EVENTS[0], EVENTS[:1]),
        "web": ServiceWindows(plan(), EVENTS[-1], EVENTS),
    }
    assert ignored == ()


def test_what_is_invalid_is_left_out() -> None:
    """And named."""
    etcd = FakeEtcd()
    etcd.put(window_plan_key("shop", "web"), "v2")
    etcd.put(window_event_key("shop", "web", 1), EVENTS[0].to_text())
    etcd.put("/fleetcaptain/shop/_windows/web/other", EVENTS[0].to_text())
    found, ignored = read_windows(etcd.store, "shop")
    assert found == {}
    assert [(value.key.rpartition("/")[2], value.why) for value in ignored] == [
        ("other", "its key is not that of a plan, a state or an event of a window"),
        ("plan", "it is not a plan of windows of version 1"),
        ("1", "its key is not that of a plan, a state or an event of a window"),
    ]


def test_an_app_without_windows_has_none() -> None:
    """There is no directory."""
    assert read_windows(FakeEtcd().store, "shop") == ({}, ())
