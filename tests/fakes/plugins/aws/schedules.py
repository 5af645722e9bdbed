"""Scheduled actions of Auto Scaling groups. moto keeps them, and runs none."""

from __future__ import annotations

from tests.fakes.plugins.aws.aws_api import api
from tests.fakes.plugins.aws.refused import check_schedule
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]

_SIZES = words("minSize maxSize desiredCapacity")
_SAME = -1
"""What the plugin takes for a size that the action leaves; AWS then gets none."""


def _schedule(given: Given) -> Made:
    name = given["scheduledActionName"]
    params = given.params("recurrence", "startTime", "endTime", "timeZone")
    # A size that is not given is zero in the plugin.
    sizes = {size: given.get(size, 0) for size in _SIZES}
    params |= {f"{size[0].upper()}{size[1:]}": number for size, number in sizes.items() if number != _SAME}
    group = given["autoscalingGroupName"]
    check_schedule(group, params)
    api("autoscaling").put_scheduled_update_group_action(AutoScalingGroupName=group, ScheduledActionName=name, **params)
    return Made(name)


def _no_schedule(had: Given) -> None:
    api("autoscaling").delete_scheduled_action(
        AutoScalingGroupName=had["autoscalingGroupName"], ScheduledActionName=had.id
    )


KINDS = {
    "aws:autoscaling/schedule:Schedule": Kind(
        _schedule, _no_schedule, replaces=words("autoscalingGroupName scheduledActionName")
    )
}
