"""The sliding window, over random clusters and failures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Policy, RolloutState, Target
from fleetcaptain.rollout.sliding_window import decide
from tests.unit.rollout.simulated import NEW, NEW_FILE, OLD, Fault, Simulated, run, running

FAST = Policy(min_healthy_sec=3, healthy_deadline_sec=30, progress_deadline_sec=200)


def cluster(count: int, unit_hash: str = OLD, **faults: Fault) -> Simulated:
    """*count* running instances named i1, i2, ..."""
    names = [f"i{number}" for number in range(1, count + 1)]
    return Simulated({name: running(name, unit_hash) for name in names}, faults)


def test_nothing_to_do() -> None:
    """Instances that already run the target content are left alone, without any wait."""
    simulated = cluster(3, NEW)
    assert run(simulated, FAST).ticks == 0
    assert simulated.touched == []


def test_one_after_the_other() -> None:
    """With max_parallel 1 never more than one instance is down, and each is touched once."""
    simulated = cluster(4)
    result = run(simulated, FAST)
    assert result.last.finished
    assert result.least_serving == 3
    assert simulated.touched == ["i1", "i2", "i3", "i4"]


def test_first_alone() -> None:
    """However wide the window, one instance goes alone before the others."""
    simulated = cluster(6, i1=Fault(how="failed"))
    result = run(simulated, Policy(max_parallel=6, min_healthy_sec=3))
    assert result.last.failure is not None
    assert simulated.touched == ["i1"]


def test_window_opens_after_the_first() -> None:
    """After the first has proven itself the window is as wide as the policy says."""
    result = run(cluster(7), Policy(max_parallel=3, min_healthy_sec=3))
    assert result.most_down_at_once == 3


def test_bake_time_restarts_with_a_restart() -> None:
    """An instance that restarts within its bake time has failed, though it comes back."""
    target = Target("web", ("i1",), NEW_FILE)
    state = decide({"i1": running("i1", OLD)}, target, FAST, RolloutState(), 0).state
    state = decide({"i1": running("i1", NEW)}, target, FAST, state, 1).state
    again = Instance("i1", NEW, "launched", "launched", "10.0.0.1", NEW, "activating", "auto-restart")
    decision = decide({"i1": again}, target, FAST, state, 2)
    assert decision.failure is not None
    assert "keeps restarting it" in decision.failure.reason


def test_an_alive_check_that_fails_in_the_bake_time_fails_the_rollout() -> None:
    """As if it had restarted; where restarts are allowed, so are failing checks."""
    target = Target("web", ("i1",), NEW_FILE)
    state = decide({"i1": running("i1", OLD)}, target, FAST, RolloutState(), 0).state
    state = decide({"i1": running("i1", NEW)}, target, FAST, state, 1).state
    failing = replace(running("i1", NEW), registered=None, failing="GET /alive answered 503")
    failure = decide({"i1": failing}, target, FAST, state, 2).failure
    assert failure is not None
    assert failure.reason == "its alive check fails: GET /alive answered 503"
    decision = decide({"i1": failing}, target, replace(FAST, restarts_allowed=1), state, 2)
    assert decision.failure is None
    late = decide({"i1": failing}, target, replace(FAST, restarts_allowed=1), decision.state, 40).failure
    assert late is not None
    assert late.reason == "it was not healthy within 30 s: its alive check fails: GET /alive answered 503"


def test_the_alive_check_of_the_old_text_is_no_failure() -> None:
    """A rollout may repair what fails."""
    failing = replace(running("i1", OLD), registered=None, failing="GET /alive answered 503")
    simulated = Simulated({"i1": failing}, {})
    assert run(simulated, FAST).last.finished


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("failed", "systemd says that it failed"),
        ("loop", "keeps restarting it"),
        ("stuck", "was not healthy within 30 s"),
        ("unregistered", "has not registered itself"),
    ],
)
def test_failures_say_why(how: str, says: str) -> None:
    """Each way of not coming up ends the rollout with its own reason, and only the first instance was touched."""
    simulated = cluster(3, i1=Fault(how=how))
    result = run(simulated, FAST)
    assert result.last.failure is not None
    assert says in result.last.failure.reason
    assert simulated.touched == ["i1"]


def test_no_machine() -> None:
    """A unit that no machine takes fails with that reason."""
    target = Target("web", ("i1",), NEW_FILE)
    waiting = {"i1": Instance("i1", NEW, "launched")}
    state = decide({"i1": Instance("i1")}, target, FAST, RolloutState(), 0).state
    state = decide(waiting, target, FAST, state, 1).state
    decision = decide(waiting, target, FAST, state, 31)
    assert decision.failure is not None
    assert "no machine took it" in decision.failure.reason


def test_missing_state_is_unknown() -> None:
    """An instance whose state is not reported for a while is neither failed nor does its bake time restart."""
    target = Target("web", ("i1",), NEW_FILE)
    state = decide({"i1": running("i1", OLD)}, target, FAST, RolloutState(), 0).state
    state = decide({"i1": running("i1", NEW)}, target, FAST, state, 1).state
    blackout = Instance("i1", NEW, "launched", "loaded", "10.0.0.1", None, "", "", NEW)
    state = decide({"i1": blackout}, target, FAST, state, 2).state
    assert decide({"i1": running("i1", NEW)}, target, FAST, state, 4).finished


def test_unhealthy_first() -> None:
    """Old instances that are down already are replaced before those that serve."""
    simulated = cluster(3)
    simulated.instances["i3"] = Instance("i3", OLD, "launched", "launched", "10.0.0.1", OLD, "failed", "failed")
    run(simulated, FAST)
    assert simulated.touched[0] == "i3"


def test_failed_unit_under_the_same_text_is_started_again() -> None:
    """A failed unit is stopped and seen stopped before it is launched again: fleet ignores anything less."""
    simulated = cluster(2, NEW)
    simulated.instances["i2"] = Instance("i2", NEW, "launched", "launched", "10.0.0.1", NEW, "failed", "failed")
    result = run(simulated, FAST)
    assert result.last.finished
    assert simulated.touched == ["i2"]


def test_an_instance_that_hung_before_is_started_again() -> None:
    """The machine agent would have restarted it, were it not for the rollout."""
    simulated = cluster(2, NEW)
    simulated.instances["i2"] = replace(running("i2", NEW), registered=None, failing="no answer")
    assert run(simulated, FAST).last.finished
    assert (simulated.stopped, simulated.touched) == (["i2"], ["i2"])


def halted(name: str, unit_hash: str = NEW) -> Instance:
    """An instance that fleet takes for launched, of which systemd runs nothing."""
    return Instance(name, unit_hash, "launched", "launched", "10.0.0.1", unit_hash, "inactive", "dead")


def test_an_instance_that_stands_still_is_started_again() -> None:
    """It is never done: fleet would not start it, so it is stopped and seen stopped first."""
    simulated = cluster(3, NEW)
    simulated.instances["i2"] = halted("i2")
    result = run(simulated, FAST)
    assert result.last.finished
    assert (simulated.stopped, simulated.touched) == (["i2"], ["i2"])
    assert result.most_down_at_once == 1


def test_an_old_instance_that_stands_still_is_replaced_first() -> None:
    """It serves nothing, and needs no stop: the new text is another unit to fleet."""
    simulated = cluster(3)
    simulated.instances["i3"] = halted("i3", OLD)
    assert run(simulated, FAST).last.finished
    assert (simulated.stopped, simulated.touched) == ([], ["i3", "i1", "i2"])


def test_an_instance_that_stays_still_in_a_rollout_is_started_once_more() -> None:
    """Its start was dropped, or a unit that it is bound to stopped again; the others wait meanwhile."""
    simulated = cluster(3, i2=Fault(how="halted"))
    result = run(simulated, FAST)
    assert result.last.finished
    assert (simulated.stopped, simulated.touched) == (["i2"], ["i1", "i2", "i2", "i3"])
    assert result.most_down_at_once == 1


def test_an_instance_that_stands_still_again_fails_at_the_deadline() -> None:
    """Not before: the start may wait for another unit."""
    simulated = cluster(2, i1=Fault(how="halted", times=2))
    result = run(simulated, FAST)
    assert result.last.failure is not None
    assert result.last.failure.reason == "it was not healthy within 30 s: systemd says inactive/dead"
    assert result.ticks > 30
    assert simulated.stopped == ["i1"]


def test_a_start_that_is_reported_late_is_no_standstill() -> None:
    """fleet takes a unit for launched some seconds before it reports what systemd says of it."""
    simulated = cluster(2)
    target = Target("web", ("i1", "i2"), NEW_FILE)
    state = decide(simulated.instances, target, FAST, RolloutState(), 0).state
    for second in range(1, 15):
        decision = decide({**simulated.instances, "i1": halted("i1")}, target, FAST, state, second)
        assert (decision.stop, decision.put, decision.failure) == ((), (), None)
        state = decision.state
    decision = decide({**simulated.instances, "i1": running("i1", NEW)}, target, FAST, state, 15)
    assert decision.stop == ()


def test_what_fleet_has_not_started_yet_is_not_stopped() -> None:
    """The agent is about to."""
    waiting = replace(halted("i1"), current="loaded")
    decision = decide({"i1": waiting}, Target("web", ("i1",), NEW_FILE), FAST, RolloutState(), 0)
    assert (decision.stop, decision.put, decision.waiting) == ((), (), ("i1",))


def test_an_instance_without_what_is_bound_to_it_is_not_healthy() -> None:
    """It counts as down, and when its time is over the reason names the unit."""
    target = Target("web", ("i1", "i2"), NEW_FILE)
    lacking = replace(running("i1", NEW), missing_bound="announcer@1.service")
    state = decide({"i1": running("i1", OLD), "i2": running("i2", OLD)}, target, FAST, RolloutState(), 0).state
    for second in (1, 20):
        decision = decide({"i1": lacking, "i2": running("i2", OLD)}, target, FAST, state, second)
        assert (decision.put, decision.waiting, decision.failure) == ((), ("i1",), None)
        state = decision.state
    decision = decide({"i1": lacking, "i2": running("i2", OLD)}, target, FAST, state, 34)
    assert decision.failure is not None
    assert "announcer@1.service, which is bound to it, does not run again" in decision.failure.reason


def test_an_old_process_that_outlived_the_change_is_stopped_and_the_new_one_started() -> None:
    """fleet takes it for the new text, but what is registered is the old one; no other instance is down meanwhile."""
    simulated = cluster(3, i2=Fault(how="outlived"))
    result = run(simulated, FAST)
    assert result.last.finished
    assert simulated.stopped == ["i2"]
    assert simulated.touched == ["i1", "i2", "i2", "i3"]
    assert result.most_down_at_once == 1


def test_an_instance_is_stopped_for_its_old_process_only_once() -> None:
    """One that keeps registering another text fails for that reason when its time is over."""
    simulated = cluster(2, i1=Fault(how="outlived", times=2))
    result = run(simulated, FAST)
    assert result.last.failure is not None
    assert "its registration is for another text" in result.last.failure.reason
    assert simulated.stopped == ["i1"]


def test_an_old_registration_is_not_at_once_taken_for_an_old_process() -> None:
    """States and registrations are not read in one moment: one that is put right within seconds was none."""
    target = Target("web", ("i1",), NEW_FILE)
    stale_process = replace(running("i1", NEW), registered=OLD)
    state = decide({"i1": running("i1", OLD)}, target, FAST, RolloutState(), 0).state
    for second in (1, 15):
        decision = decide({"i1": stale_process}, target, FAST, state, second)
        assert decision.stop == ()
        state = decision.state
    state = decide({"i1": running("i1", NEW)}, target, FAST, state, 16).state
    assert decide({"i1": stale_process}, target, FAST, state, 17).stop == ()


@given(
    count=st.integers(1, 8),
    width=st.integers(1, 8),
    bake=st.integers(0, 5),
    delays=st.lists(st.integers(0, 9), min_size=8, max_size=8),
    already=st.sets(st.integers(1, 8)),
)
def test_availability_is_never_below_the_promise(
    count: int, width: int, bake: int, delays: list[int], already: set[int]
) -> None:
    """Whatever the delays and wherever a killed rollout stopped, never more than max_parallel are down; it ends."""
    faults = {f"i{number}": Fault(delay=delays[number - 1]) for number in range(1, count + 1)}
    simulated = cluster(count, OLD, **faults)
    for number in already:
        if number <= count:
            simulated.instances[f"i{number}"] = running(f"i{number}", NEW)
    result = run(simulated, Policy(max_parallel=width, min_healthy_sec=bake, healthy_deadline_sec=60))
    assert result.last.finished
    assert result.most_down_at_once <= width
    assert len(simulated.touched) == len(set(simulated.touched))


@given(
    count=st.integers(2, 8),
    width=st.integers(1, 4),
    bad=st.dictionaries(st.integers(1, 8), st.sampled_from(["failed", "loop", "stuck", "unregistered"]), min_size=1),
)
def test_a_bad_instance_never_costs_more_than_the_window(count: int, width: int, bad: dict[int, str]) -> None:
    """With failures anywhere the rollout ends, and never more than max_parallel instances are down at once."""
    faults = {f"i{number}": Fault(how=how) for number, how in bad.items() if number <= count}
    simulated = cluster(count, OLD, **faults)
    result = run(simulated, Policy(max_parallel=width, min_healthy_sec=2, healthy_deadline_sec=20))
    assert result.most_down_at_once <= width
    assert result.last.finished == (not faults)


@given(
    count=st.integers(1, 8),
    width=st.integers(1, 4),
    still=st.sets(st.integers(1, 8)),
    new=st.sets(st.integers(1, 8)),
    dropped=st.sets(st.integers(1, 8)),
)
def test_whatever_stands_still_runs_in_the_end(
    count: int, width: int, still: set[int], new: set[int], dropped: set[int]
) -> None:
    """Of either text, before the rollout or in it; none that serves is taken beyond the window for it."""
    simulated = cluster(count, OLD, **{f"i{number}": Fault(how="halted") for number in dropped if number <= count})
    for number in range(1, count + 1):
        text = NEW if number in new else OLD
        simulated.instances[f"i{number}"] = (halted if number in still else running)(f"i{number}", text)
    down = len(still & set(range(1, count + 1)))
    result = run(simulated, Policy(max_parallel=width, min_healthy_sec=1, healthy_deadline_sec=60))
    assert result.last.finished
    assert all(instance.healthy(NEW) for instance in simulated.instances.values())
    assert result.most_down_at_once <= max(width, down)
    untouched = {f"i{number}" for number in new - still if number <= count}
    assert untouched.isdisjoint({*simulated.touched, *simulated.stopped})
