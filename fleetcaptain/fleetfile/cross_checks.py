"""Checks across keywords and services: duplicate names, dependencies, keywords that a task cannot have, and the units
that placement rules match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from fleetcaptain.fleetfile.dsl import SourceLocation
from fleetcaptain.fleetfile.public_routes import impossible_routes
from fleetcaptain.fleetfile.service_specs import Errors
from fleetcaptain.fleetfile.task import task_errors
from fleetcaptain.fleetfile.validation_error import did_you_mean
from fleetcaptain.fleetfile.values import App, BlueGreen, ServiceSpec
from fleetcaptain.schedule.window import most_instances
from fleetcaptain.units.names import (
    generation_names,
    instance_names,
    is_unit_name,
    machine_names,
    name_parts,
    without_generation,
)
from fleetcaptain.units.xfleet import glob_of_service, glob_of_units, rules_of, service_in_glob

__all__ = ["check_together", "cycle_in", "earlier_services", "taken_names"]

# Placeholders for values that only a unit's text, or the cluster, determines.
_UNKNOWN_HASH, _UNKNOWN_MACHINE = "0" * 40, "0" * 32
_NAMING_UNITS = ("After", "Before", "BindsTo", "PartOf", "Requires", "Requisite", "Upholds", "Wants")


def check_together(app: App, places: dict[str, SourceLocation], errors: Errors) -> App:
    """*app* with its placement rules in terms of units; errors between services are added to *errors*."""
    names = [spec.name for spec in app.services]
    for name in sorted({name for name in names if names.count(name) > 1}):
        errors.add(places[name], name, "", "another service has the same name; rename one of them")
    for name, what in dict.fromkeys(impossible_routes(app)):
        errors.add(places[name], name, "public", what)
    by_name = {spec.name: spec for spec in app.services}
    for name, what in taken_names(app).items():
        if name in names:
            errors.add(places[name], name, "", what)
    for spec in app.services:
        for word, why in task_errors(spec).items():
            errors.add(places[spec.name], spec.name, word, why)
        for word in ("after", "requires"):
            for needed in getattr(spec, word):
                if what := _never_there(needed, spec, by_name):
                    errors.add(places[spec.name], spec.name, word, what)
    _add_renames(app, places, errors)
    _add_cycles(app, by_name, places, errors)
    return replace(app, services=tuple(_placed(spec, by_name, places, errors) for spec in app.services))


def taken_names(app: App) -> dict[str, str]:
    """The names of the services that FleetCaptain adds to *app*, with what to do about another service or task with
    one."""
    taken = {f"{app.app}-agent": "the app's machine agent has this name; choose another one"}
    if any(spec.public for spec in app.services):
        taken[f"{app.app}-proxy"] = "the proxy of the app's public address has this name; choose another one"
    return taken


def _add_renames(app: App, places: Mapping[str, SourceLocation], errors: Errors) -> None:
    """Add an error for each service that replaces what is not a service of the past, or what another one replaces."""
    services, tasks = {spec.name for spec in app.services}, {task.name for task in app.tasks}
    former = [spec.renamed_from for spec in app.services]
    for spec in app.services:
        old = spec.renamed_from
        if old is None:
            continue
        if old == spec.name:
            what = "is the name of the service itself; write its former name, or remove it"
        elif old in services:
            what = f"{old!r} is still a service of this Fleetfile; remove that service, or this keyword"
        elif old in tasks:
            what = f"{old!r} is a task, which no service can replace; remove it"
        elif old in taken_names(app):
            what = f"{old!r} is a service that FleetCaptain adds, which no other one can replace; remove it"
        elif former.count(old) > 1:
            what = f"another service is renamed from {old!r} too; keep one of them"
        else:
            continue
        errors.add(places[spec.name], spec.name, "renamed_from", what)


def _add_cycles(
    app: App, by_name: Mapping[str, ServiceSpec], places: Mapping[str, SourceLocation], errors: Errors
) -> None:
    """Add an error for services that are deployed after each other."""

    cycle = cycle_in({spec.name: earlier_services(spec, by_name) for spec in app.services})
    if cycle:
        word = next(
            (word for word in ("requires", "after") if cycle[1] in getattr(by_name[cycle[0]], word)), "machine_of"
        )
        errors.add(places[cycle[0]], cycle[0], word, f"these services wait for each other: {' -> '.join(cycle)}")


def earlier_services(spec: ServiceSpec, by_name: Mapping[str, ServiceSpec]) -> list[str]:
    """The services of this Fleetfile that are deployed before *spec*."""
    names = dict.fromkeys((*spec.requires, *spec.after, *_peer_services(spec, by_name)))
    return [name for name in names if name in by_name]


def _bound_to(spec: ServiceSpec) -> Iterator[str]:
    """The units that *spec*'s options in [Unit] name, except those that only the machine knows."""
    for option, value in spec.unit:
        if option in _NAMING_UNITS:
            yield from (unit for name in value.split() for unit in _expanded(name, spec) if "%" not in unit)


def _near(name: str, by_name: Mapping[str, ServiceSpec]) -> str:
    """A suggestion for *name*, which is not a service: an instance whose type is missing, or a similar name."""
    unit = f"{name}.service"
    is_instance = name_parts(unit)[0] in by_name and "@" in name and not _not_a_unit(unit, by_name)
    return f'; did you mean "{unit}"?' if is_instance else did_you_mean(name, by_name)


def _now_called(name: str, by_name: Mapping[str, ServiceSpec]) -> str:
    """What to write for *name*, the former name of a service; "" if it is none."""
    new = next((spec.name for spec in by_name.values() if spec.renamed_from == name), None)
    return f"{name!r} is now called {new!r} (renamed_from); write {new!r}" if new else ""


def _never_there(needed: str, spec: ServiceSpec, by_name: Mapping[str, ServiceSpec]) -> str:
    """Why *spec* cannot wait for *needed*, a service or a unit; "" when it can."""
    if needed == spec.name:
        return "a service cannot wait for itself"
    if needed not in by_name and not is_unit_name(needed):
        what = f"{needed!r} is neither a service of this Fleetfile nor a systemd unit"
        return _now_called(needed, by_name) or what + _near(needed, by_name)
    missing = [unit for unit in _expanded(needed, spec) if _not_a_unit(unit, by_name)]
    return f"no unit of this Fleetfile has the name {missing[0]}; name the service instead" if missing else ""


def cycle_in(requires: Mapping[str, Sequence[str]]) -> list[str]:
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
            continue  # reported already
        found = walk(name, [])
        if found:
            return found
    return []


def _placed(
    spec: ServiceSpec, by_name: dict[str, ServiceSpec], places: dict[str, SourceLocation], errors: Errors
) -> ServiceSpec:
    for name in spec.machine_of:
        other = by_name.get(name)
        if other is None and not is_unit_name(name):
            what = f"{name!r} is neither a service of this Fleetfile nor a unit" + _near(name, by_name)
            errors.add(places[spec.name], spec.name, "machine_of", _now_called(name, by_name) or what)
        elif other is not None and (
            most_instances(other.instances, other.scale) != 1
            or isinstance(other.rollout, BlueGreen)
            or other.global_unit
        ):
            what = f"{name!r} must have one instance with a fixed name, because fleet looks up a single unit"
            errors.add(places[spec.name], spec.name, "machine_of", what)
    for keyword, peers in (
        ("machine_of", [("MachineOf", name) for name in spec.machine_of]),
        ("x_fleet", spec.x_fleet),
    ):
        wrong = [
            f"{peer} is the unit itself; remove it" if peer == unit else _not_a_unit(peer, by_name)
            for unit in _units(spec)
            for peer in rules_of(peers, unit).machine_of
        ]
        for what in dict.fromkeys(filter(None, wrong)):
            errors.add(places[spec.name], spec.name, keyword, what)
    for what in dict.fromkeys(filter(None, (_not_a_unit(unit, by_name) for unit in _bound_to(spec)))):
        errors.add(places[spec.name], spec.name, "unit", what)
    for rule in rules_of(spec.x_fleet).conflicts:
        meant = by_name.get(service_in_glob(rule))
        if meant is not None and isinstance(meant.rollout, BlueGreen):
            what = (
                f"Conflicts={rule} matches no unit of {meant.name}, which is replaced blue/green, "
                f"{_hash_in_name(meant)}"
            )
            errors.add(places[spec.name], spec.name, "x_fleet", f'{what}; write conflicts=["{meant.name}"]')
    return replace(spec, conflicts=tuple(_glob(rule, by_name) for rule in spec.conflicts))


def _units(spec: ServiceSpec) -> tuple[str, ...]:
    """The names of *spec*'s units, with zeros for hashes and machine ids that are not known yet."""
    if spec.global_unit:
        return machine_names(spec.name, [_UNKNOWN_MACHINE])
    if isinstance(spec.rollout, BlueGreen):
        return generation_names(spec.name, _UNKNOWN_HASH, spec.instances)
    return instance_names(spec.name, most_instances(spec.instances, spec.scale))


def _expanded(name: str, spec: ServiceSpec) -> Iterator[str]:
    """*name* as each of *spec*'s units resolves it: it may contain ``%i``."""
    return (peer for unit in _units(spec) for peer in rules_of([("MachineOf", name)], unit).machine_of)


def _peer_services(spec: ServiceSpec, by_name: Mapping[str, ServiceSpec]) -> Iterator[str]:
    """The services of this Fleetfile on whose machine *spec*'s units must run, from any keyword."""
    options = [*(("MachineOf", name) for name in spec.machine_of), *spec.x_fleet]
    for unit in _units(spec):
        yield from (name for name in rules_of(options, unit).peers if name in by_name and name != spec.name)


def _not_a_unit(name: str, by_name: Mapping[str, ServiceSpec]) -> str:
    """Why no unit of this Fleetfile has the name *name*, although it contains the name of a service; else empty."""
    prefix, _, kind = name_parts(name)
    other = by_name.get(without_generation(prefix)) if kind == "service" else None
    if other is None or name in _units(other):
        return ""
    if isinstance(other.rollout, BlueGreen):
        return (
            f"no unit has the name {name}: {other.name} is replaced blue/green, {_hash_in_name(other)}; give it a "
            "fixed number of instances= and Rolling(), or put both on one machine with machine_metadata= or machine_id="
        )
    if other.global_unit:
        return f"no unit has the name {name}: {other.name} runs on every machine, including this one; remove it"
    units = _units(other)
    known = " or ".join(dict.fromkeys((units[0], units[-1])))
    return f"no unit has the name {name}: {other.name} has instances={other.instances}; write {known}"


def _hash_in_name(spec: ServiceSpec) -> str:
    return f"and its unit names contain a hash, such as {spec.name}-0a1b2c3@1.service"


def _glob(rule: str, by_name: Mapping[str, ServiceSpec]) -> str:
    """The unit names that a conflict matches: a service's instances, or a glob that lacks only the type."""
    spec = by_name.get(service_in_glob(rule))
    if spec is None:
        return glob_of_units(rule)
    return glob_of_service(rule, blue_green=isinstance(spec.rollout, BlueGreen))
