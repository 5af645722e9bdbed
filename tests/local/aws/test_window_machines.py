"""The machines of windows, as AWS was asked for them. moto keeps scheduled actions, and runs none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.local.aws.account import Account
from tests.local.aws.scenario import DATES, GROUP, PARTY, WINDOW_DAY, Story

_CRON_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def _sizes(account: Account) -> dict[str, tuple[int, int, int]]:
    """Group -> its sizes: the smallest, the one now, and the largest."""
    return {
        one["AutoScalingGroupName"].rpartition("-")[0]: (one["MinSize"], one["DesiredCapacity"], one["MaxSize"])
        for one in account.scaling
    }


def _actions(account: Account, group: str) -> dict[str, Mapping[str, Any]]:
    found = (one for one in account.schedules if one["AutoScalingGroupName"].startswith(group))
    return {one["ScheduledActionName"]: one for one in found}


def test_a_window_has_an_action_for_each_end_in_the_time_of_its_zone(story: Story) -> None:
    """Twelve minutes ahead of 03:30. Only the number of machines changes, not the limits of the group."""
    actions = _actions(story.account, GROUP)
    day, number = WINDOW_DAY.lower(), _CRON_DAYS.index(WINDOW_DAY)
    assert {name: (one["Recurrence"], one["TimeZone"], one["DesiredCapacity"]) for name, one in actions.items()} == {
        f"{day}-0318": (f"18 3 * * {number}", "America/Chicago", 2),
        f"{day}-0430": (f"30 4 * * {number}", "America/Chicago", 0),
    }
    assert not any({"MinSize", "MaxSize", "StartTime"} & one.keys() for one in actions.values())


def test_a_date_has_actions_that_run_once_in_utc(story: Story) -> None:
    """From 18:00 on 24 December in Chicago, which is midnight in London, until 02:00 of the next day."""
    actions = _actions(story.account, DATES)
    assert {one["StartTime"]: one["DesiredCapacity"] for one in actions.values()} == {
        datetime(PARTY, 12, 24, 23, 48, tzinfo=UTC): 3,
        datetime(PARTY, 12, 25, 8, 0, tzinfo=UTC): 0,
    }
    assert not any("Recurrence" in one for one in actions.values())


def test_there_is_no_machine_until_an_action_launches_it(story: Story) -> None:
    """The largest size is what the windows need together."""
    assert _sizes(story.account) == {"cluster-workers": (1, 1, 1), GROUP: (0, 0, 2), DATES: (0, 0, 3)}


def test_an_update_ends_machines_whose_window_is_not_open(story: Story) -> None:
    """As those of a window that was changed while it was open: no action would end them before the next window."""
    assert story.corrected.code == 0, story.corrected.output
    assert story.corrected.did() == [f"Group {GROUP}"]
    assert story.corrected.step(f"Group {GROUP}", "update").changed == {"desiredCapacity"}
    assert _sizes(story.scaled) == {"cluster-workers": (1, 1, 1), GROUP: (0, 0, 2), DATES: (0, 0, 3)}


def test_no_worker_is_replaced_while_a_window_is_open(story: Story) -> None:
    """The preview fails, and says how to insist."""
    assert story.held.code != 0
    assert any("Cannot replace the workers now" in error for error in story.held.errors), story.held.output
    assert "fleetcaptain:windows ignore" in story.held.output


def test_machines_go_when_the_fleetfile_has_no_window_any_more(story: Story) -> None:
    """Groups and actions too; other workers stay. The hook that drains them is not deleted before them."""
    assert story.changed.code == 0, story.changed.output
    assert set(_sizes(story.fixed)) == {"cluster-workers"}
    assert story.fixed.schedules == ()
    gone = [what.partition(" ")[0] for what in story.changed.did("delete") if "windows" in what]
    assert sorted(set(gone)) == ["Group", "LaunchTemplate", "LifecycleHook", "Schedule"]
