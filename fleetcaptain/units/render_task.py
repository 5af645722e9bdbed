"""Renders a task to the text of its unit; a periodic one also to its timer's. The machine agent runs its command, and
keeps its journal in etcd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from fleetcaptain.errors import FleetfileError, UnitRefused
from fleetcaptain.fleetfile.task import ONESHOT
from fleetcaptain.fleetfile.values import App, TaskSpec
from fleetcaptain.units.agent_calls import agent_line, agent_name, secret_settings
from fleetcaptain.units.docker import docker_remove, docker_run
from fleetcaptain.units.mark import SECTION, Mark, mark_options
from fleetcaptain.units.names import periodic_units, task_unit
from fleetcaptain.units.quoting import exec_line, folded, setting
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option
from fleetcaptain.units.validate import refuse

__all__ = ["PULL_SEC", "TaskFiles", "render_task", "render_tasks", "render_timer"]

PULL_SEC = 900
"""How long a machine may take to pull the image of a task."""
# As TASK_RECORD_SEC in tasks.sh: how long the agent tries to write the result.
_RECORD_SEC = 900
# As TASK_LOST_SEC and a minute for etcd: how long the agent waits for a run on another machine.
_WAIT_SEC = 240
# The container has 10 s to stop, then the agent writes the result.
_STOP_SEC = 90


@dataclass(frozen=True)
class TaskFiles:
    """The files of a task: its *unit*, without the line that names the image, and the *timer* of a periodic one."""

    unit: UnitFile
    timer: UnitFile | None = None


def render_tasks(app: App, stack: str) -> dict[str, TaskFiles]:
    """Task -> its files. Raises FleetfileError with each line that cannot be written or that fleet mishandles."""
    files: dict[str, TaskFiles] = {}
    problems: list[str] = []
    for task in app.tasks:
        mark = Mark(app.app, stack, task.name)
        service, timer = periodic_units(task.name) if task.every else (task_unit(task.name, "0" * 8), "")
        image = task.container.image if isinstance(task.container.image, str) else "x" * 100
        try:
            found = TaskFiles(render_task(task, mark), render_timer(task, mark) if task.every else None)
            refuse(service, found.unit.with_image(f"{image}@sha256:{'0' * 64}"))
            if found.timer is not None:
                refuse(timer, found.timer)
            files[task.name] = found
        except UnitRefused as error:
            problems += [f"{task.container.location}: task {task.name!r}: {why}" for why in error.problems]
    if problems:
        heading = f"{app.root / 'Fleetfile.py'} declares tasks that fleet cannot run; nothing was changed:"
        raise FleetfileError(heading, problems)
    return files


def render_task(task: TaskSpec, mark: Mark) -> UnitFile:
    """The file of the unit of *task*, without the line that names the image."""
    spec, app = task.container, mark.app
    remove, has_secrets = docker_remove(app), bool(spec.secret_names)
    sections: Mapping[str, list[tuple[str, str]]] = {
        "Unit": [
            ("Description", setting(spec.description)),
            ("After", f"docker.service {agent_name(app)}"),
            ("Wants", agent_name(app)),
            ("Requires", "docker.service"),
            *([("StartLimitIntervalSec", "0")] if task.every else []),
        ],
        "Service": [
            ("EnvironmentFile", "-/etc/environment"),
            ("Type", ONESHOT),
            # The agent stops the container, and writes how it ended.
            ("KillMode", "mixed"),
            ("TimeoutStartSec", str(PULL_SEC + task.timeout_sec + _RECORD_SEC + (_WAIT_SEC if task.every else 0))),
            ("TimeoutStopSec", str(_STOP_SEC)),
            ("ExecStartPre", agent_line(app, "starting")),
            ("ExecStart", f"{agent_line(app, 'task')} \\\n  {docker_run(spec, app)}"),
            ("ExecStopPost", f"-{agent_line(app, 'stopping', *remove) if has_secrets else exec_line(remove)}"),
        ],
        "X-Fleet": [("MachineMetadata", pair) for pair in spec.machine_metadata],
    }
    options = [
        *chain.from_iterable(_options(section, pairs) for section, pairs in sections.items()),
        *mark_options(mark),
        Option(SECTION, "Periodic" if task.every else "Task", task.name),
        Option(SECTION, "TaskSec", str(task.timeout_sec)),
        *_options(SECTION, list(secret_settings(spec))),
    ]
    file = UnitFile(tuple(options))
    if file.unwritable:
        raise UnitRefused(f"Failed to render the task {task.name}:", file.unwritable)
    return file


def render_timer(task: TaskSpec, mark: Mark) -> UnitFile:
    """The file of the timer of the periodic *task*.

    fleet places it on the machine that has the service's unit, not the reverse: a timer whose service is not there
    fails, and fleet starts it no second time. It does not catch up (``Persistent=``): each machine would remember when
    it ran the task itself, and run it when the timer comes back to it.
    """
    service, _ = periodic_units(task.name)
    sections: Mapping[str, list[tuple[str, str]]] = {
        "Unit": [("Description", setting(f"{task.container.description}: timer"))],
        "Timer": [("OnCalendar", task.every), ("AccuracySec", "1s"), ("Unit", service)],
        "X-Fleet": [("MachineOf", service)],
    }
    options = chain.from_iterable(_options(section, pairs) for section, pairs in sections.items())
    return UnitFile((*options, *mark_options(mark), Option(SECTION, "Periodic", task.name)))


def _options(section: str, pairs: list[tuple[str, str]]) -> list[Option]:
    return [Option(section, name, folded(name, value)) for name, value in pairs]
