"""``python3 -m tools install | env | tidy``."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from tools.base_image import unmount_below
from tools.engine import Daemon
from tools.environment import environment, exports
from tools.failure import ToolFailed
from tools.gobuild import present
from tools.layout import Layout
from tools.locks import drop_dead_locks, is_pulumi
from tools.look import look
from tools.pins import BUILDX
from tools.plan import plan
from tools.plugins import mirror_docker_config, pulumi_home, users_docker_config
from tools.schedule import carry_out
from tools.tidy import tidy
from tools.work import work

_PARALLEL_BUILDS = 2
_USAGE = "usage: python3 -m tools install | env | tidy"
_SLOW_STEPS = ("build", "install", "start", "fetch")


def main(arguments: list[str]) -> int:
    """The exit status: 0 done, 1 a step failed, 2 not understood."""
    layout = Layout(Path(__file__).resolve().parent.parent)
    commands = {"install": _install, "env": _env, "tidy": _tidy}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.stderr.write(_USAGE + "\n")
        return 2
    return commands[arguments[0]](layout)


def _install(layout: Layout) -> int:
    began = time.monotonic()
    unmount_below(layout.scratch)
    shutil.rmtree(layout.scratch, ignore_errors=True)
    for folder in (layout.scratch, layout.state):
        folder.mkdir(parents=True, exist_ok=True)
    for stack in drop_dead_locks(layout.state, is_pulumi):
        _say(f"freed the stack {stack}: the pulumi that held it was killed")
    # All steps find what was built here first, also by the steps before them.
    os.environ.update(_variables(layout))
    steps = plan(look(layout, os.environ))
    slow = [step.name for step in steps if step.verb in _SLOW_STEPS]
    if slow:
        _say(f"to do: {', '.join(slow)}")
    outcomes = carry_out(steps, lambda step: work(step, layout, os.environ), parallel=_PARALLEL_BUILDS, report=_say)
    failed = [outcome.step.name for outcome in outcomes if outcome.error]
    if failed:
        _say(f"not ready: {', '.join(failed)}. Mend what is said above, then run the same command again.")
        return 1
    _say(f"tools are ready ({time.monotonic() - began:.1f} s)")
    return 0


def _env(layout: Layout) -> int:
    sys.stdout.write(exports(_variables(layout)) + "\n")
    return 0


def _variables(layout: Layout) -> dict[str, str]:
    own_buildx = BUILDX.name in present(layout)
    if own_buildx:
        mirror_docker_config(users_docker_config(os.environ, layout), layout)
    return environment(os.environ, layout, own_buildx=own_buildx, pulumi_home=pulumi_home(os.environ, layout))


def _tidy(layout: Layout) -> int:
    try:
        tidy(layout, Daemon(layout), _say)
    except ToolFailed as error:
        _say(str(error))
        return 1
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
