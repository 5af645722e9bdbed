"""`captain status`, `logs` and `discover` on a real cluster: in a rollout, with a dead machine, with etcd away."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.e2e.stack import Stack
from tests.faults.machine_faults import machines, paused, settled, until, without_etcd

_NEW = {"QUEUE=important": "QUEUE=urgent"}


def _status(stack: Stack, expected: int = 0) -> dict[str, Any]:
    """What `captain status --json` says; it has to exit with *expected*."""
    result = stack.captain("status", "--json")
    assert result.code == expected, result.output
    return dict(json.loads(result.output.splitlines()[-1]))


def _services(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {service["name"]: service for service in report["services"]}


def test_status_agrees_with_what_is_there(stack: Stack) -> None:
    """As JSON and as text; discovery works by the stack alone."""
    until(lambda: settled(stack.cluster()), "all is registered")
    report = _status(stack)
    snapshot = stack.cluster().snapshot()
    assert (report["ok"], report["problems"], report["unanswered"], report["strays"]) == (True, [], [], [])
    assert {machine["id"] for machine in report["machines"]} == snapshot.machines.keys()
    assert {machine["state"] for machine in report["machines"]} == {"up"}
    assert report["etcd"]["quorum"] is True
    assert len(report["etcd"]["members"]) == 3
    found = {one["unit"]: one for service in report["services"] for one in service["instances"]}
    assert found.keys() == {entry.unit for entry in snapshot.live}
    assert all(one["healthy"] and one["version"] == report["release"]["tag"] for one in found.values())
    counts = {name: service["wanted"] for name, service in _services(report).items()}
    assert counts == {"app_server": 4, "important_queue": 1, "ongoing_queue": 2, "redis": 1}
    text = stack.captain("status")
    assert text.code == 0, text.output
    print(text.output)
    discovered = stack.captain("discover", "redis", "--json")
    assert discovered.code == 0, discovered.output
    (instance,) = json.loads(discovered.output)
    assert instance["unit"] == next(unit for unit in found if unit.startswith("redis"))


def test_status_shows_a_rollout_under_way(stack: Stack) -> None:
    """Who, from what to what, and how far; it is no problem."""
    with stack.edited("Fleetfile.py", {'description="My App Service"': 'description="Rolled"'}):
        with stack.start("up", "--yes", "--skip-preview") as process:
            seen: dict[str, Any] = {}

            def rolls() -> bool:
                report = json.loads(stack.captain("status", "--json").output.splitlines()[-1])
                rollout = _services(report)["app_server"]["rollout"]
                if rollout is not None and 0 < rollout["done"] < rollout["of"]:
                    seen.update(report)
                return bool(seen)

            until(rolls, "some instances have the new text")
            print(stack.captain("status").output)
            output, _ = process.communicate()
        assert process.returncode == 0, output
        rollout = _services(seen)["app_server"]["rollout"]
        assert rollout["of"] == 4
        assert rollout["to"] == seen["release"]["pending"]
        assert len(_services(seen)["app_server"]["versions"]) == 2
        assert seen["ok"], seen["problems"]
    stack.up()


def test_status_names_a_dead_machine_and_shows_the_others(stack: Stack) -> None:
    """Within the limit, whichever machine the connection leads to first."""
    there = machines(stack)
    address = next(one["address"] for one in _status(stack)["machines"] if one["address"].endswith(".11"))
    with paused(there["m1"]):

        def named() -> bool:
            began = time.monotonic()
            report = json.loads(stack.captain("status", "--json").output.splitlines()[-1])
            print(f"status with a dead machine: {time.monotonic() - began:.1f} s")
            states = {one["address"]: one["state"] for one in report.get("machines", [])}
            return states.get(address) in ("silent", "missing") and list(states.values()).count("up") == 2

        until(named, "the machine is named")
        print(stack.captain("status").output)
    until(lambda: settled(stack.cluster()), "the machine is back")


def test_status_answers_without_a_quorum(stack: Stack) -> None:
    """With what one member knows; two machines have no etcd."""
    with without_etcd(stack, ("m1", "m2")):
        began = time.monotonic()
        report = _status(stack, expected=1)
        took = time.monotonic() - began
        print(f"status without a quorum: {took:.1f} s")
        print(stack.captain("status").output)
        assert report["etcd"]["quorum"] is False
        assert any("etcd has no quorum" in problem for problem in report["problems"])
        assert _services(report).keys() == {"app_server", "important_queue", "ongoing_queue", "redis"}
    until(lambda: settled(stack.cluster()), "the cluster is back")
