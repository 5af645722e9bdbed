"""The replacement of workers, and the wait for it. Time is handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from components.aws.worker_refresh import (
    LAUNCH_SEC,
    WorkerGroup,
    pending_refresh,
    refresh_sec,
    wait_replaced,
)
from fleetcaptain.errors import ClusterRefused, DeadlineExceeded, FleetCaptainError, Interrupted

UNDER_WAY = ["Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"]
ENDED_BADLY = ["Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"]


def refresh(status: str, percent: int = 0, **more: str) -> Mapping[str, Any]:
    """A refresh as AWS describes it."""
    return {
        "InstanceRefreshId": "r-1",
        "AutoScalingGroupName": "workers-1",
        "Status": status,
        "PercentageComplete": percent,
        **more,
    }


class AutoScaling:
    """Auto Scaling. The newest refresh is one of *before* after the other. One that is *started* has one of the states
    *after*, and may not be listed as the newest yet. *machines*: the version and the state of each worker."""

    def __init__(
        self,
        *before: Mapping[str, Any] | None,
        after: Sequence[str] = ("Successful",),
        machines: Sequence[tuple[str | None, str]] = (("8", "InService"),),
    ) -> None:
        self.before, self.after, self.machines = list(before), list(after), machines
        self.started: list[Mapping[str, Any]] = []

    def describe_instance_refreshes(self, **arguments: Any) -> Mapping[str, Any]:
        """The newest one, or the one with an id."""
        assert arguments.pop("AutoScalingGroupName") == "workers-1"
        if arguments == {"InstanceRefreshIds": ["r-2"]}:
            assert self.started
            states = self.after
            state = states.pop(0) if len(states) > 1 else states[0]
            return {"InstanceRefreshes": [{**refresh(state), "InstanceRefreshId": "r-2"}]}
        assert arguments == {"MaxRecords": 1}
        found = self.before.pop(0) if len(self.before) > 1 else self.before[0]
        return {"InstanceRefreshes": [found] if found else []}

    def describe_auto_scaling_groups(self, **arguments: Any) -> Mapping[str, Any]:
        """The group."""
        assert arguments == {"AutoScalingGroupNames": ["workers-1"]}
        machines = [
            {"InstanceId": f"i-{number}", "LifecycleState": state}
            | ({"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": version}} if version else {})
            for number, (version, state) in enumerate(self.machines)
        ]
        return {"AutoScalingGroups": [{"Instances": machines}]}

    def start_instance_refresh(self, **arguments: Any) -> Mapping[str, Any]:
        """A second refresh."""
        assert arguments.pop("AutoScalingGroupName") == "workers-1"
        self.started.append(arguments["Preferences"])
        return {"InstanceRefreshId": "r-2"}


def replace(scaling: AutoScaling, *, is_cancelled: bool = False, open_window: bool = False) -> list[str]:
    """What is reported while the workers of *scaling* get version 8, ten seconds between two looks, for a minute."""
    messages, now = list[str](), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def guard() -> None:
        if open_window:
            raise ClusterRefused("Cannot replace the workers now:", ["a window is open"])

    group = WorkerGroup(lambda: scaling, "workers-1")
    wait_replaced(
        group, "8", guard, messages.append, 60, cancelled=lambda: is_cancelled, clock=lambda: now[0], sleep=sleep
    )
    return messages


def waiting(*states: Mapping[str, Any] | None, is_cancelled: bool = False) -> list[str]:
    """What is reported while one of *states* after the other is seen, after the first of them."""
    return replace(AutoScaling(states[0], *states), is_cancelled=is_cancelled)


def test_it_is_over_when_all_workers_are_new() -> None:
    """Each step is reported once."""
    steps = [refresh("Pending"), refresh("InProgress"), refresh("InProgress", 50), refresh("InProgress", 50)]
    assert waiting(*steps, refresh("Successful", 100)) == [
        "replacing the workers: 0 % (Pending)",
        "replacing the workers: 0 % (InProgress)",
        "replacing the workers: 50 % (InProgress)",
    ]


def test_a_group_without_a_refresh_is_not_waited_for() -> None:
    """As one that is new."""
    assert waiting(None) == []


@pytest.mark.parametrize("status", ENDED_BADLY)
def test_one_that_failed_is_an_error_with_its_reason(status: str) -> None:
    """In AWS's words, with what to look at and what to do. No machine went back to an earlier definition."""
    with pytest.raises(ClusterRefused) as error:
        waiting(refresh("InProgress"), refresh(status, StatusReason="the hook was abandoned"))
    assert f"r-1 ended as {status}" in str(error.value)
    assert "the hook was abandoned" in str(error.value)
    assert "--auto-scaling-group-name workers-1`" in str(error.value)
    assert f"after {LAUNCH_SEC // 60} minutes is terminated" in str(error.value)
    assert "launches all new machines from the new definition" in str(error.value)
    assert "undo the change of the workers, and run `pulumi up`" in str(error.value)
    with pytest.raises(ClusterRefused, match="AWS gives no reason"):
        pending_refresh(refresh(status))


OLD = [("8", "InService"), ("7", "InService")]


@pytest.mark.parametrize("status", [*ENDED_BADLY, "Successful", None])
def test_workers_that_an_earlier_refresh_left_are_replaced(status: str | None) -> None:
    """The group has no difference for Pulumi any more, so Pulumi starts no refresh. AWS may list the new one late."""
    scaling = AutoScaling(refresh(status) if status else None, after=["Pending", "Successful"], machines=OLD)
    assert replace(scaling) == ["replacing the workers: 0 % (Pending)"]
    (preferences,) = scaling.started
    assert preferences["MinHealthyPercentage"] == 100 < preferences["MaxHealthyPercentage"]
    assert preferences["SkipMatching"] is True
    assert "AutoRollback" not in preferences


def test_another_refresh_that_fails_is_an_error() -> None:
    """Each `up` tries once."""
    scaling = AutoScaling(refresh("Failed"), after=["Failed"], machines=OLD)
    with pytest.raises(ClusterRefused, match="r-2 ended as Failed"):
        replace(scaling)
    assert len(scaling.started) == 1


@pytest.mark.parametrize("status", [*ENDED_BADLY, "Successful"])
def test_an_old_failure_does_not_matter_when_all_workers_are_new(status: str) -> None:
    """One that is about to end counts no more."""
    machines = [("8", "InService"), ("7", "Terminating:Wait"), (None, "Terminated")]
    scaling = AutoScaling(refresh(status), machines=machines)
    assert replace(scaling) == []
    assert scaling.started == []


def test_a_worker_without_a_version_is_an_old_one() -> None:
    """Of a launch template that is gone."""
    scaling = AutoScaling(refresh("Failed"), machines=[(None, "InService")])
    replace(scaling)
    assert scaling.started


@pytest.mark.parametrize("status", UNDER_WAY)
def test_one_under_way_is_not_started_again(status: str) -> None:
    """AWS would refuse that."""
    scaling = AutoScaling(refresh(status), refresh("Successful"), machines=OLD)
    replace(scaling)
    assert scaling.started == []


def test_no_worker_is_replaced_in_a_window() -> None:
    """As when Pulumi starts the refresh; but one that is under way is waited for."""
    scaling = AutoScaling(refresh("Failed"), machines=OLD)
    with pytest.raises(ClusterRefused, match="a window is open"):
        replace(scaling, open_window=True)
    assert scaling.started == []
    replace(AutoScaling(refresh("InProgress"), refresh("Successful"), machines=OLD), open_window=True)


def test_the_wait_outlives_the_attempts_of_aws() -> None:
    """AWS tries again with a machine that never counts, and its reason is worth more than a timeout."""
    assert refresh_sec(1, 180) >= 3600 + LAUNCH_SEC
    assert refresh_sec(3, 180) - refresh_sec(1, 180) == 2 * (LAUNCH_SEC + 180 + 180)


@pytest.mark.parametrize(("is_cancelled", "error"), [(False, DeadlineExceeded), (True, Interrupted)])
def test_it_is_not_waited_for_for_ever(is_cancelled: bool, error: type[FleetCaptainError]) -> None:
    """And it goes on without this program."""
    with pytest.raises(
        error, match=r"replacing the workers: 0 % \(Baking\).* continue waiting, run `pulumi up`"
    ) as raised:
        waiting(refresh("Baking"), is_cancelled=is_cancelled)
    assert ("--auto-scaling-group-name workers-1` shows each machine" in str(raised.value)) == (not is_cancelled)
