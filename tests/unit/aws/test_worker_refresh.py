"""The wait for an instance refresh. Time is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from components.aws.worker_refresh import pending_refresh, wait_refreshed
from fleetcaptain.errors import ClusterRefused, DeadlineExceeded, FleetCaptainError, Interrupted


def refresh(status: str, percent: int = 0, **more: str) -> Mapping[str, Any]:
    """A refresh as AWS describes it."""
    return {
        "InstanceRefreshId": "r-1",
        "AutoScalingGroupName": "workers-1",
        "Status": status,
        "PercentageComplete": percent,
        **more,
    }


def waiting(*states: Mapping[str, Any] | None, is_cancelled: bool = False) -> list[str]:
    """What is reported while one of *states* after the other is seen, ten seconds each, for a minute."""
    seen, told, now = iter([*states, *[states[-1]] * 99]), list[str](), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    wait_refreshed(
        lambda: next(seen), told.append, 60, cancelled=lambda: is_cancelled, clock=lambda: now[0], sleep=sleep
    )
    return told


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


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"])
def test_one_that_failed_is_an_error_with_its_reason(status: str) -> None:
    """In AWS's words, with what to look at."""
    with pytest.raises(ClusterRefused) as told:
        waiting(refresh("RollbackInProgress"), refresh(status, StatusReason="the hook was abandoned"))
    assert f"r-1 ended as {status}" in str(told.value)
    assert "the hook was abandoned" in str(told.value)
    assert "--auto-scaling-group-name workers-1`" in str(told.value)
    assert ("have their last definition again" in str(told.value)) == (status == "RollbackSuccessful")
    with pytest.raises(ClusterRefused, match="AWS gives no reason"):
        pending_refresh(refresh(status))


@pytest.mark.parametrize(("is_cancelled", "error"), [(False, DeadlineExceeded), (True, Interrupted)])
def test_it_is_not_waited_for_for_ever(is_cancelled: bool, error: type[FleetCaptainError]) -> None:
    """And it goes on without this program."""
    with pytest.raises(error, match=r"replacing the workers: 0 % \(Baking\).* continue waiting, run `pulumi up`"):
        waiting(refresh("Baking"), is_cancelled=is_cancelled)
