"""What only all keywords and services together show: names used twice, who needs whom, what a task cannot have, and the
units that placement rules mean."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.fleetfile.problem import did_you_mean
from fleetcaptain.fleetfile.resolve import Notes
from fleetcaptain.fleetfile.task import task_mistakes
from fleetcaptain.fleetfile.values import App, BlueGreen, ServiceSpec
from fleetcaptain.fleetfile.words import Place

__all__ = ["check_together"]

_UNIT_TYPES = (".service", ".socket", ".timer", ".path", ".target", ".mount", ".slice")


def check_together(app: App, places: dict[str, Place], notes: Notes) -> App:
    """*app* with its placement rules in terms of units; mistakes between services are noted."""
    names = [spec.name for spec in app.services]
    for name in sorted({name for name in names if names.count(name) > 1}):
        notes.note(places[name], name, "", "two services have this name")
    public = [spec.public for spec in app.services if spec.public is not None]
    for spec in app.services:
        if spec.public is not None and public.count(spec.public) > 1:
            notes.note(places[spec.name], spec.name, "public", f"another service has the public port {spec.public} too")
    if f"{app.app}-beacon" in names:
        notes.note(places[f"{app.app}-beacon"], f"{app.app}-beacon", "", "this is the name of the app's own beacon")
    for spec in app.services:
        for word, why in task_mistakes(spec).items():
            notes.note(places[spec.name], spec.name, word, why)
        for word in ("after", "requires"):
            for needed in getattr(spec, word):
                if needed == spec.name:
                    notes.note(places[spec.name], spec.name, word, "a service cannot wait for itself")
                elif needed not in names and not needed.endswith(_UNIT_TYPES):
                    what = f"{needed!r} is neither a service of this Fleetfile nor a systemd unit"
                    notes.note(places[spec.name], spec.name, word, what + did_you_mean(needed, names))
    cycle = _cycle({spec.name: [name for name in spec.requires if name in names] for spec in app.services})
    if cycle:
        notes.note(places[cycle[0]], cycle[0], "requires", f"they wait for each other: {' -> '.join(cycle)}")
    by_name = {spec.name: spec for spec in app.services}
    return replace(app, services=tuple(_placed(spec, by_name, places, notes) for spec in app.services))


def _cycle(requires: dict[str, list[str]]) -> list[str]:
    """One cycle, first name repeated at its end; empty when there is none."""

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        for needed in requires[name]:
            found = walk(needed, [*path, name])
            if found:
                return found
        return []

    for name, needed in requires.items():
        if name in needed:
            continue  # said already
        found = walk(name, [])
        if found:
            return found
    return []


def _placed(spec: ServiceSpec, by_name: dict[str, ServiceSpec], places: dict[str, Place], notes: Notes) -> ServiceSpec:
    conflicts = tuple(_glob(rule, by_name) for rule in spec.conflicts)
    for name in spec.machine_of:
        other = by_name.get(name)
        if other is None and not name.endswith(_UNIT_TYPES):
            what = f"{name!r} is neither a service of this Fleetfile nor a unit" + did_you_mean(name, by_name)
            notes.note(places[spec.name], spec.name, "machine_of", what)
        elif other is not None and (other.instances != 1 or isinstance(other.rollout, BlueGreen) or other.global_unit):
            what = f"{name!r} must have one instance that keeps its name, for fleet looks for one unit"
            notes.note(places[spec.name], spec.name, "machine_of", what)
    return replace(spec, conflicts=conflicts)


def _glob(rule: str, by_name: dict[str, ServiceSpec]) -> str:
    """The unit names that a conflict means: a service's instances, or a glob that lacks only the type."""
    if rule.endswith(_UNIT_TYPES):
        return rule
    name, at, instance = rule.partition("@")
    spec = by_name.get(name)
    if spec is None or (at and not isinstance(spec.rollout, BlueGreen)):
        return f"{rule}.service"
    prefix = f"{name}-*" if isinstance(spec.rollout, BlueGreen) else name
    return f"{prefix}@{instance or '*'}.service"
