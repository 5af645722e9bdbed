"""Windows on a real cluster: instances are ready before the moment, without this computer, and stop afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.schedule.window_plan import WindowPlan
from tests.e2e.conftest import Guests
from tests.e2e.stack import Stack
from tests.faults.history import recorded
from tests.faults.machine_faults import alive, killed, machines, run_on, until, without_etcd
from tests.faults.wrong_clock import wrong_date

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
_OTHER_APP = """
from fleetcaptain import Fleetfile, Rolling, Service, Window

FROM, UNTIL, DATES, TEXT = "12:00", "13:00", ["2100-01-01"], "first"
PEAK = Window("peak", at_least=2, ready_by=FROM, until=UNTIL, dates=DATES, timezone="America/Chicago")

fleet = Fleetfile(
    app="blog",
    services=[Service("posts", start="/bin/sleep infinity", rollout=Rolling(min_healthy_sec=1), scale=[PEAK])],
)
"""
_TIMES = '"12:00", "13:00", ["2100-01-01"], "first"'


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


def _windows(stack: Stack, app: str = "behavioral", service: str = "web") -> tuple[WindowPlan, WindowEvent]:
    """The plan of the windows of a service, and what was done last."""
    found = stack.cluster(app).snapshot().windows[service]
    assert found.plan is not None
    assert found.state is not None
    return found.plan, found.state


def _is_ready(stack: Stack, app: str, service: str, instances: int) -> bool:
    _, state = _windows(stack, app, service)
    return state.after == instances and state.ready is not None


def _wait_until(moment: float) -> None:
    while time.time() < moment:
        time.sleep(0.5)


def _refuses_a_wrong_clock(stack: Stack, moment: float) -> None:
    """A machine on which it is *moment* already leaves the windows to the others, and `doctor` tells why."""
    machine = machines(stack)["m2"]

    def says_so(app: str) -> bool:
        log = run_on(machine, "journalctl", "-u", f"{app}-agent.service", "-o", "cat", "--no-pager")
        return "no windows: its clock is more than" in log

    with wrong_date(machine, int(moment - time.time())):
        until(lambda: says_so("behavioral") and says_so("blog"), "both agents say so")
        assert "ahead of this computer's" in stack.captain("doctor").output


def _live(stack: Stack) -> int:
    return sum(entry.service == "web" for entry in stack.cluster().snapshot().live)


# It waits for the window, after all that makes the first cluster of a run.
@pytest.mark.timeout(1800)
def test_a_window_is_ready_in_time_whatever_breaks(shop: Stack, guests: Guests) -> None:
    """That of each of two apps: a machine has a wrong clock, by which it is open already; one died, and etcd has no
    quorum when it should open. A deployment in it rolls all its instances, and never shrinks it. At its end the extra
    ones stop."""
    assert _desired(shop) == ["launched"] * 2 + ["loaded"] * 3
    shop.rests()
    blog = guests("blog", _OTHER_APP)
    lead_sec = _windows(shop)[0].lead_sec
    first = _minute(lead_sec + 150)
    last = first + timedelta(minutes=3)
    for stack in (shop, blog):
        stack.edit("Fleetfile.py", _times(first, last))
        stack.up()
    assert _desired(shop) == ["launched"] * 2 + ["loaded"] * 3
    plans = _windows(shop), _windows(shop, "blog", "posts")
    opens = first.timestamp() - max(plan.lead_sec for plan, _ in plans)
    _refuses_a_wrong_clock(shop, first.timestamp() + 60)
    assert (_windows(shop), _windows(shop, "blog", "posts")) == plans
    assert time.time() < opens
    with killed(machines(shop)["m3"]):
        _wait_until(opens - 5)
        with without_etcd(shop, ("m2",)):
            _wait_until(opens + 15)
        for app, service, instances in (("behavioral", "web", 5), ("blog", "posts", 2)):
            until(partial(_is_ready, shop, app, service, instances), f"all instances of {service} are ready")
            _, state = _windows(shop, app, service)
            print(f"{service}: ready {state.due - (state.ready or 0)} s before")
            assert state.due == first.timestamp()
            assert (state.ready or 0) < state.due
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
    until(lambda: _is_ready(shop, "blog", "posts", 1), "those of the other app, too")
    shop.rests()
    blog.rests()
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
