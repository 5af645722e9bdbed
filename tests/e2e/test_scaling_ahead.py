"""Windows on a real cluster: instances are ready before the moment, without this computer, and stop afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fleetcaptain.schedule.window_event import WindowEvent
from tests.e2e.stack import Stack
from tests.faults.history import recorded
from tests.faults.machine_faults import alive, killed, machines, until, without_etcd

_ZONE = ZoneInfo("America/Chicago")
_FLEETFILE = """
from fleetcaptain import Fleetfile, Rolling, Service, Window

FROM, UNTIL, DATES, TEXT = "12:00", "13:00", ["2100-01-01"], "first"

fleet = Fleetfile(
    app="behavioral",
    image="hackuman/behavioral",
    services=[
        Service(
            "web",
            command="sleep 1000000",
            instances=2,
            env={"TEXT": TEXT},
            stop_sec=1,
            rollout=Rolling(min_healthy_sec=1, max_parallel=2),
            scale=[
                Window("peak", at_least=5, ready_by=FROM, until=UNTIL, dates=DATES, timezone="America/Chicago"),
            ],
        ),
    ],
)
"""
_TIMES = '"12:00", "13:00", ["2100-01-01"], "first"'
_EXTRA = ("web@3.service", "web@4.service", "web@5.service")


@pytest.fixture
def shop(stack: Stack) -> Iterator[Stack]:
    """The stack with a service of two instances, and five in a window far away."""
    (stack.app / "Fleetfile.py").write_text(_FLEETFILE)
    stack.set("strays", "remove")
    stack.up()
    yield stack
    (stack.app / "Fleetfile.py").write_text(_FLEETFILE)


def _minute(ahead_sec: float) -> datetime:
    """The first full minute that is at least *ahead_sec* seconds away, in the zone of the window."""
    moment = datetime.now(UTC) + timedelta(seconds=ahead_sec + 59)
    return moment.replace(second=0, microsecond=0).astimezone(_ZONE)


def _times(first: datetime, last: datetime, text: str = "first") -> dict[str, str]:
    """The change of the Fleetfile that puts the window from *first* to *last*. It may reach over midnight."""
    return {_TIMES: f'"{first:%H:%M}", "{last:%H:%M}", ["{first:%Y-%m-%d}"], "{text}"'}


def _desired(stack: Stack) -> list[str]:
    """The desired states of the instances, by their numbers."""
    units = stack.cluster().snapshot().units
    return [units[f"web@{number}.service"].desired for number in range(1, 6)]


def _hashes(stack: Stack) -> set[str]:
    units = stack.cluster().snapshot().units
    return {unit.unit_hash for name, unit in units.items() if name.startswith("web@")}


def _state(stack: Stack) -> WindowEvent:
    state = stack.cluster().snapshot().windows["web"].state
    assert state is not None
    return state


def _lead_sec(stack: Stack) -> int:
    plan = stack.cluster().snapshot().windows["web"].plan
    assert plan is not None
    return plan.lead_sec


def _wait_until(moment: float) -> None:
    while time.time() < moment:
        time.sleep(0.5)


def _live(stack: Stack) -> int:
    return sum(entry.service == "web" for entry in stack.cluster().snapshot().live)


def test_a_window_is_ready_in_time_whatever_breaks(shop: Stack) -> None:
    """A machine died, and etcd has no quorum when it should open. A deployment in it rolls all its instances, and never
    shrinks it. At its end the extra ones stop."""
    assert _desired(shop) == ["launched"] * 2 + ["loaded"] * 3
    shop.rests()
    first = _minute(_lead_sec(shop) + 60)
    last = first + timedelta(minutes=3)
    shop.edit("Fleetfile.py", _times(first, last))
    shop.up()
    assert _desired(shop) == ["launched"] * 2 + ["loaded"] * 3
    opens = first.timestamp() - _lead_sec(shop)
    with killed(machines(shop)["m3"]):
        _wait_until(opens - 5)
        with without_etcd(shop, ("m2",)):
            _wait_until(opens + 15)
        until(lambda: _state(shop).after == 5, "an agent opened the window")
        until(lambda: _state(shop).ready is not None, "all are ready")
        state = _state(shop)
        assert state.due == first.timestamp()
        assert state.ready is not None
        print(f"ready {state.due - state.ready} s before")
        assert state.ready < state.due
    until(lambda: alive(shop.cluster()) == 3, "the machine is back")
    until(lambda: _live(shop) == 5, "all serve")
    shop.rests()
    preview = shop.preview().output
    assert "Windows in the next 24 h" in preview
    assert "5 -> 2" in preview
    with recorded(shop.cluster(), "web") as history:
        shop.edit("Fleetfile.py", {'"first"': '"second"'})
        shop.up()
    assert history.least >= 3
    assert _desired(shop) == ["launched"] * 5
    assert len(_hashes(shop)) == 1
    shop.rests()
    _wait_until(last.timestamp())
    until(lambda: _desired(shop) == ["launched"] * 2 + ["loaded"] * 3, "the agents closed it")
    until(lambda: _live(shop) == 2, "they are out of discovery")
    shop.rests()
    (schedule,) = json.loads(shop.captain("schedule", "--json").output)
    print(json.dumps(schedule, indent=2))
    assert {"ready", "closed"} <= {change["result"] for change in schedule["last"]}
    assert not any(change["bad"] for change in schedule["last"])


def test_a_failing_rollout_across_the_edge_leaves_the_window_open(shop: Stack) -> None:
    """With the old text, on all that it needs."""
    first = _minute(1)
    with shop.edited("Fleetfile.py", _times(first, first + timedelta(minutes=30), "broken")):
        before = _hashes(shop)
        shop.edit("Fleetfile.py", {'"sleep 1000000"': '"false"'})
        shop.fails("up", "--yes", "--skip-preview")
        assert _hashes(shop) == before
    shop.edit("Fleetfile.py", _times(first, first + timedelta(minutes=30)))
    shop.up()
    assert _desired(shop) == ["launched"] * 5
    assert _hashes(shop) == before
