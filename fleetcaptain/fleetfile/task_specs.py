"""Resolves the tasks of a Fleetfile, and checks them against its services. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from fleetcaptain.fleetfile.cross_checks import cycle_in, earlier_services, taken_names
from fleetcaptain.fleetfile.docker_args import option_for
from fleetcaptain.fleetfile.dsl import Fleetfile, SourceLocation, Task
from fleetcaptain.fleetfile.keywords import TASK_PARSERS
from fleetcaptain.fleetfile.secret_specs import secret_mistakes
from fleetcaptain.fleetfile.service_specs import Errors, check_name, name_machine, name_of, parsed
from fleetcaptain.fleetfile.validation_error import did_you_mean
from fleetcaptain.fleetfile.values import App, Build, ServiceSpec, TaskSpec

__all__ = ["LONGEST_NAME", "check_tasks", "resolve_tasks"]

LONGEST_NAME = 40
"""The longest name of a task: those of its units are longer."""


def resolve_tasks(fleetfile: Fleetfile, errors: Errors) -> tuple[TaskSpec, ...]:
    """The tasks that *fleetfile* declares. They are complete only if there are no errors."""
    tasks = fleetfile.arguments["tasks"]
    if not isinstance(tasks, list | tuple):
        errors.add(fleetfile.place, "", "tasks", f"must be a list of Task(...), not {type(tasks).__name__}")
        return ()
    found = []
    for task in tasks:
        if isinstance(task, Task):
            found.append(_task(task, fleetfile.arguments["image"], replace(errors, kind="task")))
        else:
            errors.add(fleetfile.place, "", "tasks", f"each entry must be a Task(...), not a {type(task).__name__}")
    return tuple(found)


def _task(task: Task, app_image: Any, errors: Errors) -> TaskSpec:
    name = name_of(task)
    check_name(task, errors)
    if len(name) > LONGEST_NAME:
        errors.add(task.place, name, "", f"the name of a task must have at most {LONGEST_NAME} characters")
    for word in task.unknown:
        option = option_for(word)
        near = f'; write docker_args=["{option}", ...]' if option else did_you_mean(word, TASK_PARSERS)
        errors.add(task.place, name, word, f"unknown keyword{near}")
    values = parsed(task, TASK_PARSERS, errors)
    if values.get("command") == ():
        errors.add(task.place, name, "command", "is required: the program to run, with its arguments")
    if values.get("image", "") is None:
        values["image"] = Build()
        if app_image is None:
            errors.add(task.place, name, "image", "is required, because the Fleetfile has no image= for its tasks")
    name_machine(values, lambda word, what: errors.add(task.place, name, word, what))
    for word, what in secret_mistakes(values):
        errors.add(task.place, name, word, what)
    known = {field.name for field in fields(ServiceSpec)}
    container = {word: value for word, value in values.items() if word in known - {"after"}}
    container |= {"description": values.get("description") or name, "location": errors.location(task.place)}
    container.setdefault("image", "")
    order = {word: values[word] for word in ("before", "after", "timeout_sec", "every") if values.get(word) is not None}
    return TaskSpec(ServiceSpec(name=name, **container), **order)


def check_tasks(app: App, places: Mapping[str, SourceLocation], errors: Errors) -> App:
    """*app* with the services that come after each task; errors between tasks and services are added to *errors*."""
    errors = replace(errors, kind="task")
    services = {spec.name: spec for spec in app.services}
    built = {spec.image for spec in app.services if isinstance(spec.image, Build) and spec.start is None}
    order = {name: earlier_services(spec, services) for name, spec in services.items()}
    taken = taken_names(app)
    found: list[TaskSpec] = []
    for task in app.tasks:
        if task.name in {*services, *(other.name for other in found)}:
            what = "a service or another task has the same name; rename one of them"
            errors.add(places[task.name], task.name, "", what)
        if task.name in taken:
            errors.add(places[task.name], task.name, "", taken[task.name])
        for word, what in _mistakes(task, services, built):
            errors.add(places[task.name], task.name, word, what)
        if task.every:
            found.append(task)
            continue
        earlier = _with_earlier(task.after, order)
        before = tuple(task.before or (name for name in services if name not in earlier))
        for name in sorted(earlier.intersection(before)):
            what = f"{name} is deployed before the task, because of after=, and after it; remove it from one of them"
            errors.add(places[task.name], task.name, "before", what)
        found.append(replace(task, before=before))
    _add_cycle(found, order, places, errors)
    return replace(app, tasks=tuple(found))


def _add_cycle(
    tasks: list[TaskSpec], order: Mapping[str, list[str]], places: Mapping[str, SourceLocation], errors: Errors
) -> None:
    """Add an error for tasks that wait for each other, if there is no other error."""
    whole = {name: list(earlier) for name, earlier in order.items()}
    for task in tasks:
        for name in task.before:
            whole.get(name, []).extend(other for other in task.after if other in order)
    cycle = [] if errors.problems else cycle_in(whole)
    if cycle:
        last = next(task.name for task in reversed(tasks) if {*cycle}.intersection(task.before))
        errors.add(places[last], last, "after", f"with these tasks services wait for each other: {' -> '.join(cycle)}")


def _mistakes(task: TaskSpec, services: Mapping[str, ServiceSpec], built: set[Build]) -> Iterator[tuple[str, str]]:
    for word in ("before", "after"):
        if task.every and getattr(task, word):
            yield (
                word,
                "cannot be combined with every=, whose timer starts after all services are deployed: "
                "remove one of them",
            )
            continue
        for name in getattr(task, word):
            if name not in services:
                yield word, f"{name!r} is not a service of this Fleetfile{did_you_mean(name, services)}"
    image = task.container.image
    if isinstance(image, Build) and image not in built:
        yield "image", "no service uses the image that it builds; use the image of a service, or one from a registry"


def _with_earlier(names: tuple[str, ...], order: Mapping[str, list[str]]) -> set[str]:
    """*names*, and all services that are deployed before one of them."""
    found: set[str] = set()
    left = [name for name in names if name in order]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += order[name]
    return found
