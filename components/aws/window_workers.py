"""The machines of windows: Auto Scaling groups that are empty until a scheduled action gives them machines."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi_aws as aws

from components.aws.launch_context import Launch, LaunchContext
from components.aws.window_schedule import SizeChange, WindowGroup
from components.aws.workers import make_group, make_template

__all__ = ["make_window_workers"]

# What a scheduled action leaves as it is.
_SAME = -1


def make_window_workers(context: LaunchContext, launch: Launch, groups: Sequence[WindowGroup], drain: int) -> None:
    """Make *groups*. *drain*: see `drain_sec`.

    The machines are on demand even if other workers are not: a spot instance has no date. New ones are launched from
    the newest template, so the groups need no instance refresh.
    """
    template = make_template(context, launch, "windows", spot=False)
    for group in groups:
        _make_group(context, launch, template, group, drain)


def _make_group(
    context: LaunchContext, launch: Launch, template: aws.ec2.LaunchTemplate, plan: WindowGroup, drain: int
) -> None:
    group = make_group(
        context,
        launch,
        plan.name,
        template,
        machine="windows",
        hook=f"{plan.name}-drain",
        drain=drain,
        min_size=0,
        max_size=plan.most,
        # By the plan and the time, like the actions, so an update in a window changes nothing. After a change of the
        # windows it sets what no action would set before the next window.
        desired_capacity=plan.now,
        # AWS would end a machine in the middle of its work to have as many in each zone.
        suspended_processes=["AZRebalance"],
    )
    for change in plan.changes:
        _schedule(context, plan, group, change)


def _schedule(context: LaunchContext, plan: WindowGroup, group: aws.autoscaling.Group, change: SizeChange) -> None:
    aws.autoscaling.Schedule(
        context.scope.named(f"{plan.name}-{change.name}"),
        scheduled_action_name=change.name,
        autoscaling_group_name=group.name,
        min_size=_SAME,
        max_size=_SAME,
        desired_capacity=change.size,
        recurrence=change.recurrence or None,
        time_zone=plan.timezone or None,
        start_time=change.start or None,
        # An update would send the next time along as AWS once computed it, which may be over (pulumi-aws#2473). And no
        # two actions of a group may have one time.
        opts=context.scope.child(delete_before_replace=True, replace_on_changes=["desired_capacity"]),
    )
