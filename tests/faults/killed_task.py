"""A deployment of a task that is killed after its n-th change of the cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from urllib3.connectionpool import HTTPConnectionPool

from components.cluster.handles import handle_of
from fleetcaptain.tasks.install_pair import install_pair
from fleetcaptain.tasks.periodic_pair import PeriodicPair
from fleetcaptain.tasks.run_task import run_task
from fleetcaptain.units.render_task import TaskFiles
from fleetcaptain.units.unit_file import UnitFile
from tests.e2e.stack import Stack

__all__ = ["run_killed"]

_READS = ("GET", "HEAD")


def run_killed(stack: Stack, task: str, files: TaskFiles, changes: int) -> bool:
    """Whether a process that ran *task* by its *files*, with the image, or installed a periodic one, was killed: after
    so many *changes* of fleet or etcd, and before it could read the answer of the last one. Else it succeeded."""
    mark = files.unit.mark
    assert mark is not None
    given = {
        "connection": stack.outputs()["connection"],
        "app": mark.app,
        "stack": mark.stack,
        "task": task,
        "unit": files.unit.text,
        "timer": files.timer.text if files.timer else "",
        "changes": changes,
    }
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(given),
        cwd=stack.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stdout
    return done.returncode != 0


def _kill_after(changes: int) -> None:
    """End this process after so many requests that change fleet or etcd; urllib3 sends them all."""
    send, left = HTTPConnectionPool.urlopen, changes

    def urlopen(pool: HTTPConnectionPool, method: str, *args: Any, **more: Any) -> Any:
        nonlocal left
        response = send(pool, method, *args, **more)
        if method not in _READS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return response

    HTTPConnectionPool.urlopen = urlopen  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    props = json.load(sys.stdin)
    _kill_after(props["changes"])
    cluster = handle_of(props["connection"]).connect(props["app"]).owned_by(props["stack"])
    unit = UnitFile.parse(props["unit"])
    if props["timer"]:
        install_pair(cluster, PeriodicPair(props["task"], unit, UnitFile.parse(props["timer"])), print)
    else:
        run_task(cluster, props["task"], unit, print)
