"""Renders a service to the text of its units, one text for all instances. A changed text restarts every service.

The implicit lines that each keyword of the Fleetfile replaces:

===============  ====================================================================================================
``before_start``  nothing; its lines come after the agent has removed a container that is left
``start``         every docker line: ``run``, ``stop``, ``rm -f``; no wait without ``ready``
``after_start``   nothing; its lines come before the wait for ``ready`` and the registration
``before_stop``   nothing; its lines come between the unregistration and the stop
``stop``          ``docker stop``
``after_stop``    ``docker rm -f``
``reload``        nothing; there is no implicit line
===============  ====================================================================================================

In every unit the machine agent comes first, registers it in the last line of its start, and unregisters it before all
lines of ``before_stop``, ``stop`` and ``after_stop``.

A task (see `fleetfile.task`) has no container any more when it is registered: no wait, no registered port, and no
``docker stop``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest

from fleetcaptain.errors import FleetfileError, UnitRefused
from fleetcaptain.fleetfile.task import is_task
from fleetcaptain.fleetfile.values import App, ServiceSpec
from fleetcaptain.units.agent_calls import (
    agent_line,
    agent_name,
    agent_settings,
    has_own_lines,
    secret_variables_file,
    variables_file,
)
from fleetcaptain.units.data_anchor import anchor_name
from fleetcaptain.units.docker import docker_remove, docker_run, docker_stop, kept_volumes
from fleetcaptain.units.mark import SECTION, Mark, mark_options
from fleetcaptain.units.names import instance_names, is_unit_name
from fleetcaptain.units.quoting import exec_line, folded, setting
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option
from fleetcaptain.units.validate import refuse
from fleetcaptain.units.xfleet import rules_of, unit_of_service

__all__ = ["render", "render_app"]

_SINGLE = {"Description", "RemainAfterExit", "Restart"}

# docker stop has *stop_sec* seconds before it kills the container; systemd waits this much longer for docker itself.
_STOP_MARGIN_SEC = 10
# Exit codes of a container after SIGTERM and after SIGKILL: not a failure of the unit.
_STOPPED = "143 137"
# The defaults of a task's [Service], unless the Fleetfile sets them.
_TASK_DEFAULTS = [("Restart", "no"), ("RemainAfterExit", "yes")]

Pairs = list[tuple[str, str]]


def render_app(app: App, stack: str) -> dict[str, UnitFile]:
    """Service -> its units' file, without the line that names the image.

    Raises FleetfileError with everything that cannot be written or that fleet mishandles, each at its service's line.
    """
    files: dict[str, UnitFile] = {}
    problems: list[str] = []
    for spec in app.services:
        try:
            file = files[spec.name] = render(spec, Mark(app.app, stack, spec.name))
            # A reference is longest with a digest, so a line that is short enough with it is always short enough.
            image = spec.image if isinstance(spec.image, str) else "x" * 100
            refuse(instance_names(spec.name, 1)[0], file.with_image(f"{image}@sha256:{'0' * 64}"))
        except UnitRefused as error:
            problems += [f"{spec.location}: service {spec.name!r}: {why}" for why in error.problems]
    if problems:
        heading = f"{app.root / 'Fleetfile.py'} declares units that fleet cannot run; nothing was changed:"
        raise FleetfileError(heading, problems)
    return files


def render(spec: ServiceSpec, mark: Mark) -> UnitFile:
    """The file of *spec*'s units, without the line that names the image (see `UnitFile.with_image`).

    Raises UnitRefused for options that cannot be written, such as a ``ready`` without any port.
    """
    options = [
        *_section("Unit", _unit_section(spec, mark.app), spec.unit),
        *_section("Service", [*_settings(spec), *_start(spec, mark.app), *_stop(spec, mark.app)], spec.service),
        *_section("Service", _variables(spec, mark.app), ()),
        *_section("X-Fleet", _x_fleet_section(spec, mark), spec.x_fleet),
        *mark_options(mark),
        *_section(SECTION, list(agent_settings(spec)), ()),
    ]
    file = UnitFile(tuple(replace(option, value=option.value.strip()) for option in options))
    heading = f"Failed to render the service {spec.name}:"
    if file.unwritable:
        raise UnitRefused(heading, file.unwritable)
    for option, back in zip_longest(file.options, UnitFile.parse(file.text).options):
        if option and option != back:
            problem = f"[{option.section}] {option.name}={option.value} would join the option after it; change its end"
            raise UnitRefused(heading, [problem])
    return file


def _unit_section(spec: ServiceSpec, app: str) -> Pairs:
    # systemd cannot order services on other machines: for services these keywords order the deployment instead.
    docker = ["docker.service"] if spec.start is None else []
    after = [*(name for name in spec.after if is_unit_name(name))]
    requires = [*docker, *(name for name in spec.requires if is_unit_name(name))]
    # The agent must be installed first, but its end must not stop the unit.
    agent = agent_name(app)
    return [
        ("Description", setting(spec.description)),
        ("After", " ".join([*docker, agent])),
        *_each("After", after),
        ("Wants", agent),
        *_each("Requires", requires),
    ]


def _x_fleet_section(spec: ServiceSpec, mark: Mark) -> Pairs:
    """In the order of fleet's own documentation; empty when the units may run anywhere."""
    return [
        # fleet replaces %i by the instance in the name; see `machine_names`.
        *_each("MachineID", [value for value in ["%i" if spec.global_unit else spec.machine_id] if value]),
        *_each("MachineOf", map(unit_of_service, spec.machine_of)),
        *_each("MachineOf", [anchor_name(mark.app, spec.name)] if _stays_with_data(spec, mark.app) else []),
        *_each("MachineMetadata", spec.machine_metadata),
        *_each("Conflicts", spec.conflicts),
    ]


def _stays_with_data(spec: ServiceSpec, app: str) -> bool:
    """Whether the one instance of *spec* stays on its machine, with the named volumes that it writes to. fleet refuses
    that with some other rules, and others decide its machine already."""
    several = spec.instances != 1 or spec.scale or spec.global_unit
    rules = rules_of(spec.x_fleet)
    decided = spec.machine_id or spec.machine_of or rules.machine_ids or rules.machine_of or rules.replaces
    if several or decided or rules.is_global or is_task(spec.service):
        return False
    lines = [docker_run(spec, app)] if spec.start is None else spec.start
    return any(kept_volumes(line) for line in lines)


def _settings(spec: ServiceSpec) -> Pairs:
    return [
        ("EnvironmentFile", "-/etc/environment"),
        *(_TASK_DEFAULTS if is_task(spec.service) else [("Restart", "always")]),
        ("RestartSec", str(spec.restart_sec)),
        ("TimeoutStartSec", str(spec.start_sec)),
        ("TimeoutStopSec", str(spec.leave_sec + spec.stop_sec + _STOP_MARGIN_SEC)),
        # A killed task is not done.
        *_each("SuccessExitStatus", [_STOPPED] if spec.start is None and not is_task(spec.service) else []),
    ]


def _start(spec: ServiceSpec, app: str) -> Pairs:
    return [
        *_each("ExecStartPre", [agent_line(app, "starting"), *(spec.before_start or ())]),
        *_each("ExecStart", [docker_run(spec, app)] if spec.start is None else spec.start),
        *_each("ExecStartPost", [*(spec.after_start or ()), agent_line(app, "started")]),
        *_each("ExecReload", spec.reload or ()),
    ]


def _variables(spec: ServiceSpec, app: str) -> Pairs:
    """The unit's own variables, for lines of the Fleetfile, and secrets. Last, so that no other file overrides them."""
    own = [variables_file(app)] if has_own_lines(spec) else []
    secret = [secret_variables_file(app)] if spec.secrets else []
    return [("EnvironmentFile", f"-{file}") for file in (*own, *secret)]


def _stop(spec: ServiceSpec, app: str) -> Pairs:
    """Where only docker follows the agent, they are one command: fleet removes the unit's file while it stops, and
    systemd then runs no further line of it."""
    docker = spec.start is None
    stop = docker_stop(spec, app) if docker and not is_task(spec.service) and spec.stop is None else ()
    remove = docker_remove(app) if docker and spec.after_stop is None else ()
    if spec.before_stop:
        before = [_stopping(app), *spec.before_stop, *([exec_line(stop)] if stop else [])]
    else:
        before = [_stopping(app, *stop)]
    return [
        *_each("ExecStop", [*before, *(spec.stop or ())]),
        *_each("ExecStopPost", [_stopping(app, *remove), *(spec.after_stop or ())]),
    ]


def _stopping(app: str, *command: str) -> str:
    """The end of a unit never fails for its registration: the agent tries again."""
    return f"-{agent_line(app, 'stopping', *command)}"


def _each(name: str, values: Iterable[str]) -> Pairs:
    return [(name, value) for value in values]


def _section(name: str, implicit: Pairs, given: Iterable[tuple[str, str]]) -> list[Option]:
    """The implicit options, then the user's. The user's replaces an implicit option that can occur only once."""
    given = list(given)
    replaced = {option for option, _ in given} & _SINGLE
    kept = [(option, value) for option, value in implicit if option not in replaced]
    return [Option(name, option, folded(option, value)) for option, value in [*kept, *given]]
