"""What a deployment says and does about windows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from components.engine import diagnostics
from components.window_checks import KnownWindows, WindowPolicy, announce_windows, hold_for_windows
from fleetcaptain.mode import Mode
from fleetcaptain.release.service_release import Part
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.schedule.stored_windows import ServiceWindows
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.schedule.window_plan import plan_of
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import text_of

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC).timestamp()
PEAK = WindowSpec("peak", 5, 12 * 60, 13 * 60, (), (date(2026, 12, 24),), "UTC")
LATER = replace(PEAK, name="later", ready_by=12 * 60 + 5)
WEB = Part("web", UnitFile.parse(text_of("web")), 2, Mode.ROLLING, windows=(PEAK,))
API = Part("api", UnitFile.parse(text_of("api")), 2, Mode.ROLLING, windows=(LATER,))
PLAIN = Part("api", UnitFile.parse(text_of("api")), 2, Mode.ROLLING)
UNKNOWN = KnownWindows()


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the program says, in order."""
    lines: list[str] = []
    monkeypatch.setattr(diagnostics, "info", lines.append)
    monkeypatch.setattr(diagnostics, "warn", lambda line: lines.append(f"warning: {line}"))
    return lines


def test_a_preview_shows_the_next_day(said: list[str]) -> None:
    """Also before there is a cluster: with the lead time that is assumed then."""
    announce_windows(UNKNOWN, [WEB, PLAIN], lambda: NOON - 7200)
    assert said[0].startswith("web: windows open 180 s before ready_by: no start is recorded yet")
    assert "Windows in the next 24 h:" in said[1]
    assert "2 -> 5" in said[1]
    assert "5 -> 2" in said[1]


def test_a_preview_of_an_app_without_windows_says_nothing(said: list[str]) -> None:
    """As before there were windows."""
    announce_windows(UNKNOWN, [PLAIN], lambda: NOON)
    assert said == []


def test_a_window_that_is_too_near_is_a_warning(said: list[str]) -> None:
    """With the numbers."""
    announce_windows(UNKNOWN, [WEB], lambda: NOON - 100)
    assert "warning: web: the window peak must be ready at" in said[1]
    assert "up to 80 s late" in said[1]


@pytest.fixture
def deployed() -> KnownWindows:
    """The machine agents have the windows already; none is open."""
    windows = {
        part.service: ServiceWindows(
            plan_of(f"{part.service}@%.service", 2, part.windows, 180, int(NOON) - 86400),
            WindowEvent(int(NOON) - 86400, 2, 2, 0, "deployment", int(NOON) - 86400),
        )
        for part in (WEB, API)
    }
    return KnownWindows(snapshot=replace(Snapshot.of((), (), (), ()), windows=windows))


def test_a_window_that_is_open_already_is_not_late(said: list[str]) -> None:
    """Its instances run, as the preview says: what it says of the update counts the usual number."""
    plan = plan_of("web@%.service", 2, [PEAK], 180, int(NOON) - 86400)
    windows = {"web": ServiceWindows(plan, WindowEvent(int(NOON) - 150, 2, 5, int(NOON), "m1"))}
    known = KnownWindows(snapshot=replace(Snapshot.of((), (), (), ()), windows=windows))
    announce_windows(known, [WEB], lambda: NOON - 100)
    assert not [line for line in said if line.startswith("warning")]
    assert "web: 5 instances run now, 3 of them for its windows; an update replaces all of them" in said


@pytest.mark.parametrize("policy", [WindowPolicy.WAIT, WindowPolicy.WARN])
def test_a_window_that_only_this_deployment_brings_is_not_waited_for(said: list[str], policy: WindowPolicy) -> None:
    """It would open late because of that."""
    hold_for_windows(UNKNOWN, [WEB], policy, dry_run=False, clock=lambda: NOON - 300)
    assert said == []


@pytest.mark.parametrize(
    ("policy", "before_sec", "line"),
    [
        (WindowPolicy.WARN, 300, "warning: web must have 5 instances at 2026-12-24 12:00 UTC, and no record says how"),
        (WindowPolicy.IGNORE, 300, ""),
        (WindowPolicy.WARN, 3600, ""),
        (WindowPolicy.WARN, -60, ""),
    ],
)
def test_a_deployment_says_that_it_may_meet_a_window(
    said: list[str], deployed: KnownWindows, policy: WindowPolicy, before_sec: float, line: str
) -> None:
    """Of which no record says how long it takes: ten minutes. In an open window there is nothing to meet."""
    hold_for_windows(deployed, [WEB, PLAIN], policy, dry_run=False, clock=lambda: NOON - before_sec)
    assert len(said) == bool(line)
    assert not line or said[0].startswith(line)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_deployment_waits_until_the_window_must_be_ready(
    said: list[str], deployed: KnownWindows, dry_run: bool
) -> None:
    """A preview says so."""
    now = [NOON - 300]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    hold_for_windows(deployed, [WEB], WindowPolicy.WAIT, dry_run=dry_run, clock=lambda: now[0], sleep=sleep)
    assert now[0] == (NOON - 300 if dry_run else NOON)
    assert ("It waits until then" if dry_run else "waiting until then") in said[0]


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_deployment_waits_for_the_next_window_too(said: list[str], deployed: KnownWindows, dry_run: bool) -> None:
    """It would run into it after the first one. A preview names both."""
    now = [NOON - 300]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    hold_for_windows(deployed, [WEB, API], WindowPolicy.WAIT, dry_run=dry_run, clock=lambda: now[0], sleep=sleep)
    assert now[0] == NOON + (-300 if dry_run else 300)
    times = [line.removeprefix("warning: ").partition(", and")[0] for line in said]
    assert times == [
        "web must have 5 instances at 2026-12-24 12:00 UTC",
        "api must have 5 instances at 2026-12-24 12:05 UTC",
    ]


def test_a_policy_is_one_of_three() -> None:
    """Anything else is refused with all of them."""
    assert WindowPolicy.parse("wait") is WindowPolicy.WAIT
    with pytest.raises(ValueError, match="must be warn, wait, ignore, not 'later'"):
        WindowPolicy.parse("later")
