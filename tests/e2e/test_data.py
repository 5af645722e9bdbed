"""Data in a named volume: its service stays with it through deploys, rollbacks, and the loss of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.stack import Stack

_QUEUE = 'command="python3 -m behavioral.worker QUEUE=important",'
_STORE = f'{_QUEUE} volumes=["e2e-rows:/rows"], rollout=Rolling(min_healthy_sec=2),'
_UNIT, _CONTAINER = "important_queue@1.service", "fc.behavioral.important_queue.1"
_LOST_SEC = 90


def _machine(stack: Stack) -> str | None:
    """The name of the machine that has the service; None if none has it."""
    snapshot = stack.cluster().snapshot()
    machine = snapshot.machines.get(snapshot.units[_UNIT].machine_id or "")
    return machine.metadata["name"] if machine else None


def _in_container(stack: Stack, command: str) -> str:
    """What *command* prints in the service's container."""
    machine = stack.containers()[_machine(stack) or ""]
    code, output = machine.exec_run(["docker", "exec", _CONTAINER, "sh", "-c", command])
    assert code == 0, output
    return str(output.decode()).strip()


def _wait(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _LOST_SEC
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.5)


def test_rows_stay_with_their_service(stack: Stack, tmp_path: Path) -> None:
    """In a deploy and a rollback, from a backup, and while its machine is away, when it starts nowhere else.
    The cluster goes only with consent."""
    with stack.edited("Fleetfile.py", {_QUEUE: _STORE}):
        stack.up()
        home, backup = _machine(stack), str(tmp_path / "rows.tar")
        assert home is not None
        _in_container(stack, "echo 1 > /rows/rows")
        assert stack.captain("backup", "important_queue", "--output", backup).code == 2
        done = stack.captain("backup", "important_queue", "--stop", "--output", backup)
        assert done.code == 0, done.output
        _in_container(stack, "echo 2 > /rows/rows")
        with stack.edited("Fleetfile.py", {_STORE: f'{_STORE} env={{"A": "2"}},'}):
            stack.up()
        assert (_machine(stack), _in_container(stack, "cat /rows/rows")) == (home, "2")
        back = stack.captain("rollback", "--yes", "--config-file", str(stack.settings))
        assert back.code == 0, back.output
        assert (_machine(stack), _in_container(stack, "cat /rows/rows")) == (home, "2")
        done = stack.captain("restore", "important_queue", backup, "--stop")
        assert done.code == 0, done.output
        assert _in_container(stack, "cat /rows/rows") == "1"
        assert f"{home}*" in stack.captain("volumes").output
        kept = stack.run("destroy", "--yes", FLEETCAPTAIN_LOSE_DATA="")
        assert f"{home} has the data of e2e-rows" in kept.output, kept.output
        assert any(urn.endswith("Unit::important_queue") for urn in stack.urns())
        stack.containers()[home].remove(force=True)
        _wait(lambda: len(stack.cluster().snapshot().machines) == 2, "the machine is not lost")
        _wait(lambda: _machine(stack) is None, "the service is elsewhere")
        assert "stays down" in stack.captain("status").output
        stack.up()
        assert (_machine(stack), _in_container(stack, "cat /rows/rows")) == (home, "1")
