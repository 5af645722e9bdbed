"""What a user sees of the main job, from the first deploy on."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.units.unit_file import UnitFile
from tests.e2e.stack import Stack
from tests.faults.history import recorded
from tests.faults.machine_faults import machines
from tests.local.hosting.recorded import STATE, dynamic
from tools.pulumi_output import Shortened

# Instances are replaced within seconds; without a pause the watcher takes the processor from those that it watches.
_PAUSE_SEC = 0.2
# What an earlier version kept of each type's provider.
_PICKLES = {one["type"]: one["inputs"]["__provider"] for one in dynamic(STATE.read_text()).values()}
_PICKLES["pulumi-python:dynamic/fleet:LocalMachines"] = (
    "gASVPAAAAAAAAACMG2NvbXBvbmVudHMuY2x1c3Rlci5wcm92aWRlcpSMFUxvY2FsTWFjaGluZXNQcm92aWRlcpSTlCmBlC4="
)


def _get(url: str, timeout: float = 5) -> object:
    with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310  an address that the stack gave out
        return json.loads(response.read())


def _answers(url: str) -> bool:
    try:
        _get(f"{url}/health", timeout=3)
    except OSError:
        return False
    return True


def _contents(cluster: Cluster) -> Mapping[str, str]:
    return {name: unit.unit_hash for name, unit in cluster.snapshot().units.items()}


def _started(stack: Stack) -> Mapping[str, str]:
    """When each instance was started."""
    return {name: one.since for name, one in stack.cluster().snapshot().registrations.items()}


def test_every_endpoint_answers_when_the_first_up_returns(stack: Stack) -> None:
    """All four servers answer at their endpoints at once, share the visits, and find redis through discovery."""
    urls = stack.outputs()["endpoints"]["app_server"]
    assert len(urls) == 4
    visits = [_get(url)["visits"] for url in urls]  # type: ignore[index]
    assert visits == list(range(visits[0], visits[0] + 4))


def test_an_up_without_changes_changes_nothing(stack: Stack) -> None:
    """Pulumi reports every resource unchanged."""
    stack.rests()


def test_an_up_of_a_stack_of_an_earlier_version_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    """Its state has pickled providers, which this version neither reads nor shows, and keeps as they are."""
    before, state = _started(stack), json.loads(stack.must("stack", "export").output)
    resources = [one for one in state["deployment"]["resources"] if one["type"] in _PICKLES]
    assert len(resources) == 8
    for resource in resources:
        for part in (resource["inputs"], resource["outputs"]):
            part["__provider"] = _PICKLES[resource["type"]]
    (tmp_path / "state.json").write_text(json.dumps(state))
    stack.must("stack", "import", "--file", str(tmp_path / "state.json"))
    assert "__provider" not in stack.preview().output
    stack.rests()
    after = {one["urn"]: one for one in json.loads(stack.must("stack", "export").output)["deployment"]["resources"]}
    for resource in resources:
        assert after[resource["urn"]]["inputs"]["__provider"] == _PICKLES[resource["type"]]
    assert _started(stack) == before


def test_a_changed_line_is_shown_and_rolled_one_instance_at_a_time(stack: Stack) -> None:
    """The preview shows the line; never more than one instance is down, and the others answer all the time. A template
    in a variable, which Pulumi would take for colours, is in the unit in a form that systemd reads back."""
    template = "<{% if a %}div{% endif %}>"
    with stack.edited("Fleetfile.py", {"restart_sec=5,": f"restart_sec=6, env={{'T': '{template}'}},"}):
        shown = stack.must("preview", "--diff", "--color", "always").output
        for words in ("RestartSec=5", "RestartSec=6", r"T=\x3c{%% if a %%}div{%% endif %%}>"):
            assert words in shown
        outputs: list[str] = []
        lost = _most_down_while(stack, lambda: outputs.append(stack.up().output))
        assert len(_rows(outputs[0])) <= 20, outputs[0]
        stack.rests()
        assert _in_each_server(stack, "printenv", "T") == [f"{template}\n"] * 4
    assert lost == 1
    assert "RestartSec=5" in stack.preview().output
    stack.up()


def _rows(output: str) -> list[str]:
    """The rows of an update, as `make up` shows them without a terminal."""
    shown: list[str] = []
    shortened = Shortened(shown.append, quiet=False)
    for line in output.splitlines():
        shortened.line(line)
    return shown[: shown.index("Outputs:")]


def _in_each_server(stack: Stack, *argv: str) -> list[str]:
    """What a command says in the container of each server."""
    ran = [
        machine.exec_run(["docker", "exec", f"fc.behavioral.app_server.{number}", *argv])
        for machine in machines(stack).values()
        for number in range(1, 5)
    ]
    return [output.decode() for code, output in ran if code == 0]


def _most_down_while(stack: Stack, act: Callable[[], object]) -> int:
    """How many of the four servers were down at most, asked at the addresses that discovery knew last."""
    cluster, done, worst = stack.cluster(), threading.Event(), [0]

    def watch() -> None:
        known: dict[str, str] = {}
        with ThreadPoolExecutor(8) as pool:
            while not done.is_set():
                for unit, entry in cluster.snapshot().registrations.items():
                    if entry.service == "app_server":
                        known[unit] = f"http://{entry.connection['host']}:{entry.connection['port']}"
                down = sum(not answers for answers in pool.map(_answers, known.values()))
                worst[0] = max(worst[0], down + 4 - len(known))
                done.wait(_PAUSE_SEC)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        act()
    finally:
        done.set()
        watcher.join()
    return worst[0]


def test_a_volume_that_an_image_declares_and_its_service_does_not_mount_is_warned_of(stack: Stack) -> None:
    """The preview says what to write, and that ends the warning."""
    mounted = "behavioral-redis-var-lib-redis:/var/lib/redis"
    with stack.edited("redis/Dockerfile", {"CMD [": "VOLUME /var/lib/redis\nCMD ["}):
        assert f'redis: volumes=["{mounted}"]' in stack.preview().output
        with stack.edited("Fleetfile.py", {"ports=[6379],": f'ports=[6379],\n            volumes=["{mounted}"],'}):
            assert "lose the data" not in stack.preview().output


def test_a_unit_stopped_by_hand_is_shown_and_started_again(stack: Stack) -> None:
    """``fleetctl stop`` is drift."""
    stack.fleetctl("stop", "app_server@2.service")
    assert "app_server@2.service" in stack.preview().output
    assert stack.up().counts["updated"] >= 1
    stack.rests()


def test_a_unit_destroyed_by_hand_is_shown_and_made_again(stack: Stack) -> None:
    """``fleetctl destroy`` is drift."""
    stack.fleetctl("destroy", "app_server@3.service")
    shown = stack.preview().output
    assert "instances" in shown
    stack.up()
    assert "app_server@3.service" in _contents(stack.cluster())
    stack.rests()


def test_a_unit_edited_by_hand_is_shown_and_put_right(stack: Stack) -> None:
    """Another text under the same name is drift, shown as the lines that differ."""
    cluster = stack.cluster()
    unit = cluster.snapshot().units["app_server@1.service"]
    cluster.fleet.put(
        unit.name, UnitFile.parse(unit.text.replace("RestartSec=5", "RestartSec=77")), DesiredState.LAUNCHED
    )
    assert "RestartSec=77" in stack.preview().output
    stack.up()
    assert _contents(stack.cluster())["app_server@1.service"] == unit.unit_hash
    stack.rests()


@pytest.mark.parametrize("command", ["preview", "up"])
def test_a_stray_unit_fails_the_preview_and_is_named(stack: Stack, command: str) -> None:
    """A unit that nobody declared stops everything before anything is changed."""
    cluster = stack.cluster()
    before = _contents(cluster)
    mark = cluster.snapshot().units["app_server@1.service"].text.replace("Service=app_server", "Service=nobody")
    cluster.fleet.put("nobody@1.service", UnitFile.parse(mark), DesiredState.INACTIVE)
    try:
        result = stack.fails(command, *(["--yes"] if command == "up" else []))
        assert "nobody@1.service" in result.error
        assert "unhandled" not in result.output
        after = dict(_contents(cluster))
        after.pop("nobody@1.service")
        assert after == before
    finally:
        cluster.fleet.delete("nobody@1.service")


def test_a_worker_is_renamed_and_removed_without_a_gap(stack: Stack) -> None:
    """The preview shows the rename as an update. What left the Fleetfile is deleted last, and needs no switch."""
    cluster, before = stack.cluster(), _contents(stack.cluster())
    name = '"steady_queue", renamed_from="ongoing_queue", rollout=Rolling(min_healthy_sec=1),'
    with recorded(cluster, "steady_queue") as history:
        with stack.edited("Fleetfile.py", {'"ongoing_queue",': name}):
            shown = stack.preview().output
            assert '"ongoing_queue" => "steady_queue"' in shown
            assert "steady_queue replaces ongoing_queue" in shown
            assert "deleted" not in stack.up().counts
            assert _contents(cluster).keys() - before.keys() == {"steady_queue@1.service", "steady_queue@2.service"}
            assert not any(unit.startswith("ongoing_queue") for unit in _contents(cluster))
        assert stack.up().counts["deleted"] == 1
    assert _contents(cluster) == before
    workers = {"ongoing_queue", "steady_queue"}
    assert min(sum(entry.service in workers for entry in look.live) for look in history.looks) >= 2
