"""The machines of windows, resource by resource; and what must not happen while a window is open."""

from __future__ import annotations

import base64
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from components.aws.refresh_guard import GUARD, next_gap, refuse_in_window
from components.aws.workers import LEAST_DRAIN_SEC, drain_sec
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.machine.ec2 import DRAIN_HOOK, LAUNCH_HOOK
from tests.fakes.fake_engine import FakeEngine
from tests.unit.aws.declared import declare
from tests.unit.fleetfile.written import app
from tests.unit.machine.example_machines import files
from tests.unit.schedule.windows import at, window

MEGAQUERY = window(name="megaquery", days=(0, 1, 2, 3, 4), timezone="America/Chicago", machines=4)
CHRISTMAS = window(name="christmas", dates=(date(2026, 12, 24),), machines=6)
NAME = "cluster-windows-america-chicago"


@pytest.fixture(scope="module")
def cluster() -> FakeEngine:
    """A cluster with spot workers, and windows that bring machines; it is Friday morning in Chicago."""
    windows = [[MEGAQUERY, CHRISTMAS], [window()]]
    now = at("2026-11-27T03:25-06:00")
    return declare({"size": "4", "spot": "true"}, windows=windows, now=now, lead_sec=600, drain_sec=900)


def test_without_a_window_that_has_machines_there_is_no_group() -> None:
    """Nothing of it, not even the template."""
    declared = declare({"size": "4"}, windows=[[window()]])
    assert set(declared.of("Group")) == {"cluster-workers"}
    assert set(declared.of("LaunchTemplate")) == {"cluster-worker"}
    assert declared.of("Schedule") == {}


def test_the_groups_are_empty_but_for_their_windows(cluster: FakeEngine) -> None:
    """Each has its machines in a window. What the actions have set since the last update is no difference then."""
    assert set(cluster.of("Group")) == {"cluster-workers", NAME, "cluster-windows-dates"}
    sizes = {
        name: [group[key] for key in ("minSize", "desiredCapacity", "maxSize")]
        for name, group in cluster.of("Group").items()
    }
    assert sizes == {"cluster-workers": [1, 1, 1], NAME: [0, 4, 4], "cluster-windows-dates": [0, 0, 6]}


def test_their_machines_are_on_demand_and_stay_where_they_are(cluster: FakeEngine) -> None:
    """Also when other workers are spot; no refresh and no balance of zones ends one in the middle of its work."""
    assert cluster.one("LaunchTemplate", "cluster-worker")["instanceMarketOptions"] == {"marketType": "spot"}
    assert "instanceMarketOptions" not in cluster.one("LaunchTemplate", "cluster-windows")
    group = cluster.one("Group", NAME)
    assert group["launchTemplate"] == {"id": "LaunchTemplate/cluster-windows", "version": "7"}
    assert not {"instanceRefresh", "capacityRebalance"} & group.keys()
    assert group["suspendedProcesses"] == ["AZRebalance"]


def metadata(cluster: FakeEngine, template: str) -> str:
    """The fleet metadata of machines from a *template*."""
    text = base64.b64decode(cluster.one("LaunchTemplate", template)["userData"]).decode()
    script = files(json.loads(text))["/opt/bin/fleetcaptain-address"]
    return script.partition("FLEET_METADATA=")[2].partition("\\n")[0]


def test_only_their_machines_say_that_they_are_of_windows(cluster: FakeEngine) -> None:
    """By fleet's metadata: the agents count them by it."""
    assert metadata(cluster, "cluster-windows") == "name=%s,zone=%s,role=worker,group=windows"
    assert metadata(cluster, "cluster-worker") == "name=%s,zone=%s,role=worker"


def test_each_change_is_a_scheduled_action(cluster: FakeEngine) -> None:
    """It leaves the limits of the group. Another size is another action: an update would send a time that is over."""
    assert len(cluster.of("Schedule")) == 10 + 2
    assert cluster.one("Schedule", f"{NAME}-mon-0320") == {
        "scheduledActionName": "mon-0320",
        "autoscalingGroupName": f"{NAME}.name",
        "minSize": -1,
        "maxSize": -1,
        "desiredCapacity": 4,
        "recurrence": "20 3 * * 1",
        "timeZone": "America/Chicago",
    }
    once = cluster.one("Schedule", "cluster-windows-dates-2026-12-24-0320")
    assert (once["startTime"], once["desiredCapacity"]) == ("2026-12-24T03:20:00Z", 6)
    assert not {"recurrence", "timeZone"} & once.keys()
    request = cluster.requests["Schedule", f"{NAME}-mon-0320"]
    assert (list(request.replaceOnChanges), request.deleteBeforeReplace) == (["desiredCapacity"], True)


def test_every_group_is_drained(cluster: FakeEngine) -> None:
    """By the hook whose name the machines know; it stays while its group is deleted, which waits for the machines."""
    hooks = {name: hook for name, hook in cluster.of("LifecycleHook").items() if hook["name"] == DRAIN_HOOK}
    assert set(hooks) == {"cluster-drain", f"{NAME}-drain", "cluster-windows-dates-drain"}
    for name, hook in hooks.items():
        assert hook["heartbeatTimeout"] == 900
        assert cluster.requests["LifecycleHook", name].retainOnDelete
    assert cluster.requests["Group", NAME].customTimeouts.delete == "1500s"
    for template in cluster.of("LaunchTemplate").values():
        assert template["metadataOptions"]["instanceMetadataTags"] == "enabled"


def test_a_machine_counts_only_when_fleet_has_it(cluster: FakeEngine) -> None:
    """One that cannot work must not replace one that does, and is terminated. The first ones of a group come before any
    hook could be added; a hook added to it later must be the same."""
    for name, group in cluster.of("Group").items():
        (first,) = group["initialLifecycleHooks"]
        assert first["name"] == LAUNCH_HOOK
        assert first["lifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
        assert first["defaultResult"] == "ABANDON"
        later = dict(cluster.one("LifecycleHook", f"{name}-launch"))
        assert later.pop("autoscalingGroupName") == f"{name}.name"
        assert later == first
        assert cluster.requests["Group", name].ignoreChanges == ["initialLifecycleHooks"], "it replaces a group"


def test_their_machines_are_not_behind_the_balancer_and_no_check_waits_for_them(cluster: FakeEngine) -> None:
    """They have no proxy; those of others lead to what runs there."""
    attached = {inputs["autoscalingGroupName"] for inputs in cluster.of("Attachment").values()}
    assert attached == {"cluster-workers.name"}
    assert cluster.one("ClusterReady", "cluster")["size"] == 4
    assert ("Group", NAME) not in cluster.dependencies("ClusterReady", "cluster")
    assert ("Group", "cluster-workers") in cluster.dependencies("ClusterReady", "cluster")


def test_a_cluster_of_members_only_can_have_windows_too() -> None:
    """The base group is then not there."""
    declared = declare({"size": "3"}, windows=[[MEGAQUERY]])
    assert set(declared.of("Group")) == {NAME}


@pytest.mark.parametrize(
    ("stop_sec", "given"), [("", LEAST_DRAIN_SEC), ("stop_sec=600", 770), ("stop_sec=100000", 7200)]
)
def test_a_machine_has_the_time_that_the_slowest_service_needs(tmp_path: Path, stop_sec: str, given: int) -> None:
    """As far as AWS gives it."""
    slow = f'Service("job", {stop_sec})'
    assert drain_sec(app(tmp_path, f'Service("web"), {slow}')) == given


NOW = at("2026-11-27T12:00")


@pytest.mark.parametrize(
    ("windows", "gap"),
    [
        ([], "12:00"),
        ([(780, 840)], "12:00"),
        ([(779, 840)], "14:00"),
        ([(690, 721)], "12:01"),
        ([(690, 720)], "12:00"),
        ([(720, 750), (779, 840), (899, 930), (1000, 1010)], "15:30"),
    ],
)
def test_a_gap_has_room_for_the_work_before_the_next_window(windows: list[tuple[int, int]], gap: str) -> None:
    """Lead and work take an hour here; times are in minutes after midnight."""
    given = [window(ready_by=first, until=last) for first, last in windows]
    assert next_gap(given, NOW, 600, 3000) == at(f"2026-11-27T{gap}")


def test_there_may_be_no_gap() -> None:
    """Within two weeks."""
    assert next_gap([window(ready_by=0, until=1440)], NOW, 600, 0) is None


def test_workers_are_not_replaced_while_a_window_is_open() -> None:
    """The error says when it is possible, and how to insist."""
    refuse_in_window([window(ready_by=780)], NOW, 600, 720)
    with pytest.raises(ClusterRefused) as refused:
        refuse_in_window([window(ready_by=730, until=780)], NOW, 600, 721)
    text = str(refused.value)
    assert "Cannot replace the workers now" in text
    assert "takes about 13 minutes. It is possible from 2026-11-27 13:00 UTC on" in text
    assert "`pulumi config set fleetcaptain:windows ignore`" in text
    with pytest.raises(ClusterRefused, match="not within two weeks"):
        refuse_in_window([window(ready_by=0, until=1440)], NOW, 600, 720)


@pytest.mark.parametrize(
    ("config", "windows", "guarded"),
    [({"windows": "wait"}, [[window()]], True), ({"windows": "ignore"}, [[window()]], False), ({}, [[], []], False)],
)
def test_the_guard_is_the_workers_templates(config: dict[str, str], windows: list[Any], guarded: bool) -> None:
    """If there is a window at all, whether or not it has machines; and a preview asks it too."""
    declared = declare({"size": "4", **config}, windows=windows)
    assert list(declared.requests["LaunchTemplate", "cluster-worker"].hooks.before_update) == [GUARD] * guarded
    # The wait for the workers may start a replacement too.
    assert ("guard" in declared.one("ClusterReady", "cluster")["workers"]) == guarded
    assert all(hook.opts is not None and hook.opts.on_dry_run for hook in declared.resource_hooks.values())
