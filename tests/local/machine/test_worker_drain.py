"""The end of a machine of an Auto Scaling group: its script runs for real, with jq, against pretended services."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl

from fleetcaptain.machine import ec2
from tests.programs import program
from tests.unit.machine.imds import METADATA, Pretended, script

_ENDING = {**METADATA, "autoscaling/target-lifecycle-state": "Terminated"}
_UNITS = {"/run/fleet/units": "units"}


_LISTED = "systemctl list-units --state=deactivating --plain --no-legend --full"
_LISTS = """if [ $1 = list-units ]; then printf '%s loaded deactivating stop-sigterm a unit\\n' {}; fi"""


def drain(machine: Pretended, *units: str, stopping: Sequence[str] = ()) -> list[str]:
    """Run the drain of a *machine* on which fleet runs *units*, and systemd still stops *stopping*, whose files fleet
    has removed: the commands that it ran."""
    program("jq")
    (machine.folder / "units").mkdir()
    for unit in units:
        (machine.folder / "units" / unit).touch()
    machine.stub("systemctl", _LISTS.format(" ".join(stopping)) if stopping else "")
    machine.stub("sleep")
    done = machine.run(script(ec2.drain("eu-west-1", machine.url)[0]), _UNITS)
    assert done.returncode == 0, done.stderr
    return machine.calls


def test_a_machine_that_its_group_ends_leaves_the_balancer_first(tmp_path: Path) -> None:
    """Then fleetd hands its units over, and only when all of them have ended the group may go on."""
    with Pretended(tmp_path, _ENDING) as machine:
        assert drain(machine, "shop-agent.service", "web@1.service") == [
            f"sleep {ec2.DEREGISTER_SEC}",
            "systemctl stop fleet.socket fleet.service",
            _LISTED,
            "systemctl stop shop-agent.service web@1.service",
            "systemctl stop drain.timer",
        ]
        (body,) = machine.bodies
        assert dict(parse_qsl(body, strict_parsing=True)) == {
            "Action": "CompleteLifecycleAction",
            "Version": "2011-01-01",
            "LifecycleActionResult": "CONTINUE",
            "LifecycleHookName": ec2.DRAIN_HOOK,
            "InstanceId": "i-0abc",
            "AutoScalingGroupName": "cluster-workers-1a2b3c4",
        }
        (headers,) = machine.said
        assert "/eu-west-1/autoscaling/aws4_request" in headers["Authorization"]
        assert headers["X-Amz-Security-Token"] == "session=="


def test_a_unit_that_still_stops_is_waited_for_without_its_file(tmp_path: Path) -> None:
    """The end of a window unloads the units of its machines, and fleet then removes their files at once."""
    with Pretended(tmp_path, _ENDING) as machine:
        calls = drain(machine, "shop-agent.service", stopping=["web@5.service", "web@6.service"])
        assert calls[2:4] == [_LISTED, "systemctl stop shop-agent.service web@5.service web@6.service"]


def test_the_action_is_completed_even_if_the_group_does_not_wait_yet(tmp_path: Path) -> None:
    """Auto Scaling refuses it until then."""
    with Pretended(tmp_path, _ENDING) as machine:
        machine.refused = 2
        assert drain(machine).count("sleep 5") == 2
        assert len(machine.bodies) == 3


def test_a_spot_instance_has_no_time_to_lose(tmp_path: Path) -> None:
    """Its end comes in two minutes."""
    with Pretended(tmp_path, {**METADATA, "spot/instance-action": '{"action": "terminate"}'}) as machine:
        assert drain(machine, "web@1.service")[0] == "systemctl stop fleet.socket fleet.service"
