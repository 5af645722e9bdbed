"""Refuses to apply a saved plan to other code or another Fleetfile than those that it was made from.

The engine binds each resource of a plan by its inputs. It reports the first one that differs, with both values, after
others may have been changed. So the program compares first, and says in one sentence what changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from components.app_image import CONTEXT_HASH
from components.engine.dynamic_resource import type_of
from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.fleetfile.values import App, Build
from fleetcaptain.mode import Mode
from fleetcaptain.printable import one_line, printable
from fleetcaptain.release.context_hash import context_hash
from fleetcaptain.release.repositories import built_images
from fleetcaptain.release.service_release import Part, parts_of_app
from fleetcaptain.units.render_task import TaskFiles
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["refuse_changed"]

_UNIT, _TASK, _TIMER = (type_of(kind) for kind in ("Unit", "Task", "Timer"))
_IMAGE = "docker-build:index:Image"
_NAMED_FILES = 3
# An input of a unit -> what it is called.
_INPUTS = {
    "unit": "the unit of {}",
    "instances": "the number of instances of {}",
    "windows": "the windows of {}",
    "mode": "the kind of rollout of {}",
    "rollout": "the rollout settings of {}",
}
# The same of an image.
_BUILD_INPUTS = {
    "files": "the files of the image {}",
    "arguments": "the build arguments of the image {}",
    "target": "the target of the image {}",
    "platforms": "the platforms of the image {}",
    "secrets": "the build secrets of the image {}",
}


def refuse_changed(
    plan_file: Path,
    app: App,
    files: Mapping[str, UnitFile],
    tasks: Mapping[str, TaskFiles],
    platforms: Sequence[str] = (),
) -> None:
    """Raises ReleaseRefused if *app* with the units of its services (*files*) and the files of its *tasks* is not what
    the plan in *plan_file* was made from. *platforms*: of builds that name none. A plan that cannot be read is left to
    the engine, which refuses it."""
    try:
        plan = json.loads(plan_file.read_bytes())
        resources: Mapping[str, Any] = plan["resourcePlans"]
        made = datetime.fromisoformat(plan["manifest"]["time"]).timestamp()
    except (OSError, ValueError, KeyError, TypeError):
        return
    builds = {named.resource: build.by_default_for(platforms) for build, named in built_images(app, files).items()}
    contexts = {name: BuildContext.of(app.root, build) for name, build in builds.items()}
    images = {name: _build_inputs(build, context_hash(contexts[name])) for name, build in builds.items()}
    changed = _changed_since(resources, parts_of_app(app, files), images)
    changed += _changed_tasks(resources, tasks)
    if not changed:
        return
    newer = sorted({path for context in contexts.values() for path in _newer(context, made)})
    shown = ", ".join(_shown(path, app.root) for path in newer) if len(newer) <= _NAMED_FILES else ""
    named = f" (written since: {shown})" if shown else ""
    raise ReleaseRefused(
        f"Cannot apply the plan {one_line(plan_file.name)}: since it was made, {_listed(changed)} changed{named}. "
        "Nothing was changed:",
        [f"make another plan: `pulumi preview --save-plan {one_line(plan_file.name)}`"],
    )


def _build_inputs(build: Build, files: str) -> dict[str, Any]:
    """What `_changed_since` compares of *build*, as `_BUILD_INPUTS` calls it; *files* is its `context_hash`. Of secrets
    only the names: a plan has their values encrypted."""
    return {
        "files": files,
        "arguments": dict(build.args),
        "target": build.target,
        "platforms": list(build.platforms),
        "secrets": list(build.secrets),
    }


def _planned_build(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an image in a plan, by its *inputs*."""
    arguments = dict(inputs.get("buildArgs") or {})
    return {
        "files": arguments.pop(CONTEXT_HASH, None),
        "arguments": arguments,
        "target": inputs.get("target") or None,
        "platforms": inputs.get("platforms") or [],
        "secrets": inputs.get("ignoreSecretsInDiffCalculation") or [],
    }


def _changed_since(
    resources: Mapping[str, Any], parts: Sequence[Part], images: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """What differs between the *resources* of a plan, by their URNs, and the program: *parts* are its services, and
    *images* its builds, each with its `_build_inputs`."""
    changed: list[str] = []
    planned_images = _planned(resources, _IMAGE)
    for name in (name for name in images if name in planned_images):
        planned, present = _planned_build(planned_images[name]), images[name]
        changed += [called.format(name) for key, called in _BUILD_INPUTS.items() if planned[key] != present[key]]
    units = {name: inputs for name, inputs in _planned(resources, _UNIT).items() if not _is_agent(inputs)}
    wanted = {part.service: part for part in parts}
    changed += [f"the service {name} (new)" for name in wanted if name not in units]
    changed += [f"the service {name} (removed)" for name in units if name not in wanted]
    for name, part in wanted.items():
        present = {
            "unit": part.unit.text,
            "instances": part.instances,
            "windows": [window.to_data() for window in part.windows] or None,
            "mode": part.mode,
            "rollout": part.rollout,
        }
        inputs = units.get(name, present)
        changed += [called.format(name) for key, called in _INPUTS.items() if not _same(inputs.get(key), present[key])]
    return changed


def _changed_tasks(resources: Mapping[str, Any], tasks: Mapping[str, TaskFiles]) -> list[str]:
    """What differs between the *resources* of a plan and the *tasks* of the program, each with its files."""
    planned = {**_planned(resources, _TASK), **_planned(resources, _TIMER)}
    changed = [f"the task {name} (new)" for name in tasks if name not in planned]
    changed += [f"the task {name} (removed)" for name in planned if name not in tasks]
    for name, files in tasks.items():
        inputs = planned.get(name)
        if inputs is None:
            continue
        if not _same(inputs.get("unit"), files.unit.text):
            changed.append(f"the unit of the task {name}")
        if not _same(inputs.get("timer"), files.timer.text if files.timer else None):
            changed.append(f"the calendar of the task {name}")
    return changed


def _planned(resources: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The name of each resource of a *kind* that the plan creates, changes or keeps -> its inputs."""
    found: dict[str, dict[str, Any]] = {}
    for urn, resource in resources.items():
        types, _, name = urn.rpartition("::")
        steps = resource.get("steps") or []
        if types.endswith((f"${kind}", f"::{kind}")) and "delete" not in steps:
            goal = (resource.get("goal") or {}).get("inputDiff") or {}
            found[name] = {**(resource.get("state") or {}), **(goal.get("adds") or {}), **(goal.get("updates") or {})}
            for key in goal.get("deletes") or ():
                found[name].pop(key, None)
    return found


def _is_agent(inputs: Mapping[str, Any]) -> bool:
    return inputs.get("mode") == Mode.FLEET_GLOBAL


def _same(planned: Any, present: Any) -> bool:
    if isinstance(planned, str) and isinstance(present, str):
        return printable(planned) == printable(present)
    return bool(planned == present)


def _newer(context: BuildContext, than: float) -> Iterator[Path]:
    for path in context.files():
        try:
            if path.lstat().st_mtime > than:
                yield path
        except OSError:
            continue


def _shown(path: Path, root: Path) -> str:
    return one_line(str(path.relative_to(root) if path.is_relative_to(root) else path))


def _listed(changed: Sequence[str]) -> str:
    shown = list(changed[:5])
    if len(changed) > len(shown):
        shown.append(f"{len(changed) - len(shown)} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
