"""Services with windows in rollouts: what runs, what waits, and what the machine agents get to know."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from fleetcaptain.discovery.keys import window_plan_key
from fleetcaptain.errors import ClusterUnreachable, RolloutMixed
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.observe import live
from fleetcaptain.rollout.strategies.moving import MoveDriver
from fleetcaptain.rollout.strategies.restart import RestartDriver, restart, to_restart
from fleetcaptain.rollout.strategies.scaling import scale, scaled
from fleetcaptain.rollout.targets import DesiredService, RolloutSettings
from fleetcaptain.rollout.update import update
from fleetcaptain.rollout.window_plans import keeps_windows, rebase_windows
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.schedule.window_event import DEPLOYMENT, WindowEvent
from fleetcaptain.schedule.window_plan import plan_of
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import FakeCluster, text_of

OLD, NEW = (UnitFile.parse(text_of("web", description=name)) for name in ("old", "new"))
SETTINGS = RolloutSettings(min_healthy_sec=3, healthy_deadline_sec=20, progress_deadline_sec=40)
PEAK = WindowSpec("peak", 5, ready_by=12 * 60, until=13 * 60, days=(), dates=(date(2026, 12, 24),), timezone="UTC")
NOON = datetime(2026, 12, 24, 12, tzinfo=UTC).timestamp()
RUN, LOADED, INACTIVE = DesiredState.LAUNCHED, DesiredState.LOADED, DesiredState.INACTIVE
mute: Callable[[str], None] = lambda _line: None  # noqa: E731


def cluster_at(moment: float, **options: object) -> FakeCluster:
    """A cluster whose clock shows *moment* now; the time of day passes with it."""
    cluster = FakeCluster(**options)  # type: ignore[arg-type]
    set_clock(cluster, moment)
    return cluster


def set_clock(cluster: FakeCluster, moment: float) -> None:
    """The clock of *cluster* shows *moment* now."""
    begin = moment - cluster.now
    cluster.wall_clock = lambda: begin + cluster.now


def desired(file: UnitFile = OLD, instances: int = 2, windows: tuple[WindowSpec, ...] = (PEAK,)) -> DesiredService:
    """The service web, with two instances and five in the window."""
    return DesiredService("web", file, Mode.ROLLING, instances, settings=SETTINGS, windows=windows)


def slowly(file: UnitFile, min_healthy_sec: float) -> DesiredService:
    """The service with so long a bake time of each instance."""
    return replace(
        desired(file), settings=replace(SETTINGS, min_healthy_sec=min_healthy_sec, progress_deadline_sec=2000)
    )


def deploy(cluster: FakeCluster, service: DesiredService) -> None:
    """One update, and only it is in the history."""
    cluster.history.clear()
    update(cluster, service, mute, lambda: False)


def states(cluster: FakeCluster) -> list[str]:
    """The desired states, by the number of the instance."""
    return [cluster.units[name].desired for name in sorted(cluster.units)]


def test_instances_of_a_window_wait_on_machines() -> None:
    """With the same text; and the machine agents get the plan."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    assert states(cluster) == [RUN, RUN, LOADED, LOADED, LOADED]
    assert all(unit.machine_id and unit.unit_hash == OLD.unit_hash for unit in cluster.units.values())
    windows = cluster.snapshot().windows["web"]
    assert windows.plan is not None
    assert windows.state is not None
    assert (windows.plan.base, windows.plan.most, windows.state.after) == (2, 5, 2)
    assert windows.plan.follows([PEAK], int(NOON - 86400))
    assert cluster.snapshot().waiting == {f"web@{number}.service" for number in (3, 4, 5)}
    found = live(cluster.ownership, "web", OLD.unit_hash, cluster.snapshot())
    assert found is not None
    assert found.state == RUN


def test_they_get_a_new_text_after_the_others_run_it() -> None:
    """None of them starts."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    deploy(cluster, desired(NEW))
    assert [entry for entry in cluster.history if entry.startswith("put")] == [
        f"put web@{number}.service" for number in range(1, 6)
    ]
    assert states(cluster) == [RUN, RUN, LOADED, LOADED, LOADED]
    assert {unit.unit_hash for unit in cluster.units.values()} == {NEW.unit_hash}


@pytest.mark.parametrize("before_sec", [-1800, 100])
def test_a_deployment_in_a_window_rolls_all_open_instances(before_sec: int) -> None:
    """Also just before it, as the agents cannot open it meanwhile."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    cluster.wall_clock = lambda: NOON - before_sec
    deploy(cluster, desired(NEW))
    assert states(cluster) == [RUN] * 5
    assert set(cluster.runs.values()) == {NEW.unit_hash}
    windows = cluster.snapshot().windows["web"]
    assert windows.state is not None
    assert windows.state.after == 5


def test_a_deployment_never_stops_what_runs() -> None:
    """The agents close a window that ended during a rollout."""
    cluster = cluster_at(NOON + 60)
    deploy(cluster, desired())
    cluster.wall_clock = lambda: NOON + 7200
    deploy(cluster, desired(NEW))
    assert states(cluster) == [RUN] * 5
    assert set(cluster.runs.values()) == {NEW.unit_hash}


def test_a_failed_rollout_touches_none_that_waits() -> None:
    """They have the old text, as the rollback has."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    broken = replace(desired(NEW), settings=replace(SETTINGS, healthy_deadline_sec=5))
    cluster.delay = 1000
    with pytest.raises(RolloutMixed):
        deploy(cluster, broken)
    assert [cluster.units[f"web@{number}.service"].unit_hash for number in (3, 4, 5)] == [OLD.unit_hash] * 3


def test_those_with_machines_of_their_own_wait_without_one() -> None:
    """fleet would place loaded ones at once, and never move them."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired(windows=(PEAK, replace(PEAK, name="rush", at_least=7, machines=2))))
    assert states(cluster) == [RUN, RUN, LOADED, LOADED, LOADED, INACTIVE, INACTIVE]
    assert cluster.snapshot().windows["web"].plan.warm == 5  # type: ignore[union-attr]


def test_without_windows_they_are_removed_and_so_is_the_plan() -> None:
    """As any other surplus instance."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    deploy(cluster, desired(windows=()))
    assert sorted(cluster.units) == ["web@1.service", "web@2.service"]
    assert cluster.snapshot().windows == {}


def test_a_restart_leaves_those_that_wait_alone() -> None:
    """They have no process."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    assert to_restart(cluster.ownership, "web", cluster.snapshot()).names == ("web@1.service", "web@2.service")


@pytest.mark.parametrize(("instances", "running"), [(4, 4), (6, 6), (1, 2)])
def test_scaling_keeps_those_that_wait(instances: int, running: int) -> None:
    """Windows then begin from another number. Of too many the agents stop those that no window needs."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    snapshot = cluster.snapshot()
    target = scaled(to_restart(cluster.ownership, "web", snapshot), instances, snapshot)
    scale(Driver(cluster), snapshot, target, Policy(min_healthy_sec=0))
    rebase_windows(cluster, "web", instances)
    assert states(cluster) == [RUN] * running + [LOADED] * (5 - running)
    windows = cluster.snapshot().windows["web"]
    assert windows.plan is not None
    assert windows.state is not None
    assert (windows.plan.base, windows.plan.most, windows.state.after) == (instances, max(5, instances), running)


def opened_before(cluster: FakeCluster) -> list[float]:
    """How many seconds before noon instances that waited are launched from now on; ten minutes before it is now."""
    found = list[float]()
    set_clock(cluster, NOON - 600)
    ask = cluster._ask

    def noted(name: str, state: DesiredState) -> None:
        if state == RUN and name in cluster.snapshot().waiting:
            found.append(NOON - cluster.wall_clock())
        ask(name, state)

    cluster._ask = noted  # type: ignore[assignment, method-assign]
    return found


def test_a_window_that_opens_during_a_rollout_is_opened_by_it() -> None:
    """In time, with the text that its instances have; then they get the new one, like all others."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    opened = opened_before(cluster)
    deploy(cluster, slowly(NEW, 400))
    assert len(opened) == 3
    assert all(120 < seconds < 300 for seconds in opened)
    assert states(cluster) == [RUN] * 5
    assert set(cluster.runs.values()) == {NEW.unit_hash}


def test_a_deployment_that_begins_when_a_window_is_due_opens_it_at_once() -> None:
    """With the text that its instances have: one after the other they would be late."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    set_clock(cluster, NOON - 100)
    deploy(cluster, slowly(NEW, 100))
    assert cluster.history[:3] == [f"launched web@{number}.service" for number in (3, 4, 5)]
    assert set(cluster.runs.values()) == {NEW.unit_hash}


def test_an_instance_that_was_opened_before_an_outage_gets_the_new_text_too() -> None:
    """It no longer waits when the cluster answers again."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    failed = list[str]()
    set_clock(cluster, NOON - 300)
    ask = cluster._ask

    def breaking(name: str, state: DesiredState) -> None:
        if (name, state, failed) == ("web@4.service", RUN, []):
            failed.append(name)
            raise ClusterUnreachable("it is away")
        ask(name, state)

    cluster._ask = breaking  # type: ignore[assignment, method-assign]
    deploy(cluster, slowly(NEW, 100))
    assert failed
    assert len(cluster.runs) == 5
    assert set(cluster.runs.values()) == {NEW.unit_hash}


@pytest.mark.parametrize("driver", [RestartDriver, MoveDriver])
def test_a_window_that_opens_during_a_restart_or_a_move_is_opened_by_it(driver: type[RestartDriver]) -> None:
    """What it brings is not restarted and not waited for; the machine agents know of it, and note when all is ready."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    target = to_restart(cluster.ownership, "web", cluster.snapshot())
    opened = opened_before(cluster)
    cluster.history.clear()
    restart(driver(cluster), target, Policy(min_healthy_sec=400, progress_deadline_sec=2000))
    assert len(opened) == 3
    assert all(120 < seconds < 300 for seconds in opened)
    assert states(cluster) == [RUN] * 5
    stops = [entry.split()[1] for entry in cluster.history if entry.startswith(f"{driver.stops} ")]
    assert stops == ["web@1.service", "web@2.service"]
    windows = cluster.snapshot().windows["web"]
    assert windows.state is not None
    assert windows.state == WindowEvent(int(NOON - opened[-1]), 2, 5, int(NOON), DEPLOYMENT)
    assert windows.state in windows.events


def test_a_restart_starts_no_unit_of_another_app() -> None:
    """Such a name may be theirs by now."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    target = to_restart(cluster.ownership, "web", cluster.snapshot())
    foreign = UnitFile.parse(text_of("web").replace("App=shop", "App=other"))
    cluster.put("web@5.service", foreign, LOADED)
    opened_before(cluster)
    restart(RestartDriver(cluster), target, Policy(min_healthy_sec=400, progress_deadline_sec=2000))
    assert states(cluster) == [RUN] * 4 + [LOADED]


def test_one_of_an_open_window_that_moves_is_off_its_machine_before_it_starts() -> None:
    """Else it would stay there."""
    cluster = cluster_at(NOON)
    deploy(cluster, desired())
    target = to_restart(cluster.ownership, "web", cluster.snapshot())
    assert len(target.names) == 5
    cluster.history.clear()
    restart(MoveDriver(cluster), target, Policy(min_healthy_sec=0))
    moves = [entry for entry in cluster.history if entry.split()[1] == "web@5.service"]
    assert moves == ["inactive web@5.service", "put web@5.service"]


def test_after_a_failure_the_agents_know_what_runs() -> None:
    """They stop what no window needs. It was opened by the windows of the deployment that failed."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired(windows=(replace(PEAK, dates=(date(2026, 12, 31),)),)))
    cluster.wall_clock = lambda: NOON
    cluster.delay = 1000
    with pytest.raises(RolloutMixed):
        deploy(cluster, replace(desired(NEW), settings=replace(SETTINGS, healthy_deadline_sec=5)))
    windows = cluster.snapshot().windows["web"]
    assert windows.plan is not None
    assert windows.state is not None
    assert windows.plan.desired(NOON) == 2
    assert windows.state.after == states(cluster).count(RUN)


def test_scaling_creates_no_missing_instance_of_a_window() -> None:
    """The next deployment does."""
    cluster = cluster_at(NOON - 86400)
    deploy(cluster, desired())
    cluster.fleet.delete("web@5.service")
    snapshot = cluster.snapshot()
    target = scaled(to_restart(cluster.ownership, "web", snapshot), 3, snapshot)
    scale(Driver(cluster), snapshot, target, Policy(min_healthy_sec=0))
    assert states(cluster) == [RUN, RUN, RUN, LOADED]


def test_what_a_window_lacks_is_drift() -> None:
    """A missing instance, one that does not wait on a machine, other sizes, and a lead time that became too short."""
    cluster = cluster_at(NOON - 86400)
    service = desired()
    deploy(cluster, service)
    assert keeps_windows(cluster, service, cluster.snapshot())
    key = window_plan_key(cluster.app, "web")
    text = cluster.etcd.values[key]
    for old, new in (("most=5", "most=9"), ("lead=", "lead=1;"), ("warm=5", "warm=4")):
        cluster.etcd.put(key, text.replace(old, new))
        assert not keeps_windows(cluster, service, cluster.snapshot())
    cluster.etcd.put(key, re.sub("lead=[0-9]+", "lead=10", text))
    assert not keeps_windows(cluster, service, cluster.snapshot())
    cluster.etcd.put(key, text)
    assert keeps_windows(cluster, service, cluster.snapshot())
    unit = cluster.units["web@4.service"]
    cluster.units["web@4.service"] = replace(unit, desired=INACTIVE)
    assert not keeps_windows(cluster, service, cluster.snapshot())
    del cluster.units["web@4.service"]
    assert not keeps_windows(cluster, service, cluster.snapshot())


def test_a_plan_is_renewed_when_it_no_longer_fits() -> None:
    """Other windows, other time zones, or too little time left."""
    now = int(NOON) - 86400
    daily = replace(PEAK, dates=(), days=(0, 1, 2, 3, 4))
    plan = plan_of("web@%.service", 2, [daily], 130, now)
    assert plan.follows([daily], now)
    assert plan.follows([daily], now + 300 * 86400)
    assert not plan.follows([replace(daily, at_least=6)], now)
    assert not plan.follows([replace(daily, timezone="Europe/London", ready_by=11 * 60)], now)
    assert not plan.follows([daily, replace(daily, name="other")], now)
    assert not plan.follows([daily], now + 400 * 86400)
