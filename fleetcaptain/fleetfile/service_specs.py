"""Resolves a Fleetfile's arguments to specs, and collects every error. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from fleetcaptain.fleetfile.custom_line import commands_of, names_image
from fleetcaptain.fleetfile.docker_args import networks, option_for
from fleetcaptain.fleetfile.dsl import Fleetfile, Service, SourceLocation, Task
from fleetcaptain.fleetfile.keywords import PARSERS
from fleetcaptain.fleetfile.secret import secret_in
from fleetcaptain.fleetfile.secret_specs import secret_mistakes
from fleetcaptain.fleetfile.task import is_task
from fleetcaptain.fleetfile.time_limits import followed
from fleetcaptain.fleetfile.unit_options import refused_with_docker
from fleetcaptain.fleetfile.validation_error import Problem, ValidationError, did_you_mean, represented, shown
from fleetcaptain.fleetfile.values import (
    EVERY_ADDRESS,
    App,
    BlueGreen,
    Build,
    Expand,
    Http,
    Literal,
    Plain,
    Port,
    Rolling,
    ServiceSpec,
    Tcp,
)
from fleetcaptain.fleetfile.window_specs import resolve_windows
from fleetcaptain.image_reference import name_mistake, split_registry
from fleetcaptain.units.names import SERVICE_NAME, without_generation
from fleetcaptain.units.xfleet import rules_of

__all__ = ["APP_NAME", "Errors", "Files", "Lines", "check_name", "name_machine", "name_of", "parsed", "resolve"]

# Adds an error of one service: its keyword, and the message.
AddError = Callable[[str, str], None]
# Line of a call -> keyword -> line, from the source: a constructor sees only where its call begins.
Lines = Mapping[int, Mapping[str, int]]

APP_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_CUSTOM = ("start", "before_start", "after_start", "before_stop", "stop", "after_stop", "reload")
_OVERLAP = "old and new instances overlap in a blue/green rollout and cannot share a port of the machine; "


@dataclass
class Errors:
    """Collects errors. *folder* is the Fleetfile's; *lines* has the keyword lines of each declaring file. *kind*: see
    `Problem`."""

    folder: Path
    lines: Mapping[str, Lines]
    problems: list[Problem]
    kind: str = "service"

    def add(self, place: SourceLocation, service: str, keyword: str, what: str) -> None:
        """Add an error at the line of its keyword, or at *place* if the keyword is not given."""
        line = self.lines.get(place.file, {}).get(place.line, {}).get(keyword, place.line)
        self.problems.append(Problem(shown(place.file, self.folder), line, service, keyword, what, self.kind))

    def location(self, place: SourceLocation) -> str:
        """*place* as shown in a report, such as ``Fleetfile.py:12``."""
        return f"{shown(place.file, self.folder)}:{place.line}"


@dataclass(frozen=True)
class Files:
    """The app's files in the folder *root*: whether one *exists*, and for which reasons patterns in the ``only`` of a
    build are *unmatched*."""

    root: Path
    exists: Callable[[Path], bool]
    unmatched: Callable[[Build], Sequence[str]]


def resolve(
    fleetfile: Fleetfile,
    errors: Errors,
    files: Files,
) -> App:
    """The app that *fleetfile* declares. It is complete only if there are no errors."""
    place = fleetfile.place
    app, image = fleetfile.arguments["app"], fleetfile.arguments["image"]
    for word in fleetfile.unknown:
        errors.add(place, "", word, f"unknown keyword{did_you_mean(word, ('app', 'image', 'services', 'tasks'))}")
    if not _is_plain(app) or not APP_NAME.fullmatch(app):
        errors.add(
            place,
            "",
            "app",
            f"{represented(app)} is not an app name: use lower case letters, digits and -, a letter first, at most "
            f"40 characters",
        )
    why = _push_mistake(image)
    if why:
        errors.add(
            place,
            "",
            "image",
            f'{represented(image)} is not an image name to push to, such as "hackuman/behavioral": {why}',
        )
    services = fleetfile.arguments["services"]
    if not isinstance(services, list | tuple) or not services:
        what = f"must be a list with at least one Service(...), not {_kind_of(services)}"
        errors.add(place, "", "services", what)
        services = ()
    specs = []
    for service in services:
        if not isinstance(service, Service):
            errors.add(place, "", "services", f"each entry must be a Service(...), not a {type(service).__name__}")
            continue
        specs.append(_service(service, image, errors))
    _files(specs, [service.place for service in services if isinstance(service, Service)], errors, files)
    return App(app if _is_plain(app) else "", tuple(specs), files.root, image)


def _kind_of(services: Any) -> str:
    """The type of *services*; never its contents, which may be anything."""
    if isinstance(services, list | tuple):
        return "an empty one"
    return type(services).__name__ + ("; write list(...) around it" if isinstance(services, Iterable) else "")


def _push_mistake(image: Any) -> str:
    """Why the app's own image cannot be pushed to *image*; "" when it can. The registry is the cluster's."""
    if image is None:
        return ""
    if not _is_plain(image):
        return "must be a string"
    if re.search("[:@]", image):
        return "remove the tag, digest or registry"
    registry, name = split_registry(image)
    if registry:
        return f"{registry!r} is a registry, but the image is pushed to the cluster's; remove it"
    return name_mistake(name)


def name_of(service: Service | Task) -> str:
    """The name of *service*, or its representation in the report if it is not a string."""
    return service.name if _is_plain(service.name) else represented(service.name)


def _is_plain(value: Any) -> bool:
    """Whether *value* is a string without a meaning of its own, such as a name."""
    return isinstance(value, str) and not isinstance(value, Expand | Literal | Plain)


def check_name(service: Service | Task, errors: Errors) -> None:
    """Add an error for a name that a service or a task cannot have."""
    name = name_of(service)
    if not SERVICE_NAME.fullmatch(name):
        errors.add(
            service.place,
            name,
            "",
            "the name must have lower case letters, digits, _ and -, a letter first, at most 60 characters",
        )
    if without_generation(name) != name:
        errors.add(
            service.place,
            name,
            "",
            "the name must not end like a blue/green generation's (- and 7 hex digits); choose another one",
        )


def parsed(service: Service | Task, parsers: Mapping[str, Callable[[Any], Any]], errors: Errors) -> dict[str, Any]:
    """Keyword -> value of *service*, without those that are wrong, whose errors are added."""
    name = name_of(service)
    values: dict[str, Any] = {}
    for word, parse in parsers.items():
        try:
            # First and exclusively: the message of another error may show the value.
            secret = secret_in(word, service.arguments[word], values.get("not_secret", ()))
            if secret is None:
                values[word] = parse(service.arguments[word])
            else:
                errors.add(service.place, name, word, secret)
        except ValueError as error:  # a `ValidationError`, or Python's own: a number may have too many digits to print
            errors.add(service.place, name, word, str(error))
        except Exception as error:  # the value may be of any class, whose methods may fail
            errors.add(
                service.place, name, word, f"Failed to read its value ({type(error).__name__}); write another value"
            )
    return values


def _service(service: Service, app_image: Any, errors: Errors) -> ServiceSpec:
    name = name_of(service)
    check_name(service, errors)
    for word in service.unknown:
        option = option_for(word)
        near = f'; write docker_args=["{option}", ...]' if option else did_you_mean(word, PARSERS)
        errors.add(service.place, name, word, f"unknown keyword{near}")
    values = parsed(service, PARSERS, errors)
    if values.get("image") is None:
        values["image"] = Build()
        if app_image is None and values.get("start") is None and "image" in values:
            errors.add(
                service.place, name, "image", "is required, because the Fleetfile has no image= for its services"
            )

    def add(keyword: str, what: str) -> None:
        errors.add(service.place, name, keyword, what)

    _rollout(values, add)
    _scale(values, add)
    _network(values, add)
    _ports(values, add)
    _lines(values, add)
    name_machine(values, add)
    _placement(values, add)
    for keyword, what in secret_mistakes(values):
        add(keyword, what)
    known = {field.name for field in fields(ServiceSpec)}
    kept = {word: value for word, value in values.items() if word in known}
    kept |= {"description": kept.get("description") or name, "location": errors.location(service.place)}
    return ServiceSpec(name=name, **kept)


def _rollout(values: dict[str, Any], add: AddError) -> None:
    """``instances=True`` is one instance, replaced blue/green. Limits that are not set follow the others."""
    instances, rollout = values.get("instances", 1), values.get("rollout")
    if instances is True:
        if isinstance(rollout, Rolling):
            add("rollout", "instances=True requires BlueGreen(...), not Rolling(...); change one of them")
        values["instances"] = 1
        rollout = rollout or BlueGreen()
    start, stop, alive = values.get("start_sec"), values.get("stop_sec", 10), values.get("alive")
    values["rollout"] = rollout or Rolling()
    try:
        values["start_sec"], values["rollout"] = followed(start, stop, values["rollout"], alive)
    except ValidationError as error:
        add("rollout", str(error))


def _scale(values: dict[str, Any], add: AddError) -> None:
    """Resolves windows. Only a service whose instances have fixed names and numbers can have more of them."""
    if not values.get("scale"):
        return
    if isinstance(values["rollout"], BlueGreen):
        add(
            "scale",
            "a service that is replaced blue/green cannot have windows; write Rolling() and a number of instances=",
        )
    elif values.get("global_unit"):
        add("scale", "a service with a unit on every machine cannot have windows; remove it")
    values["scale"] = resolve_windows(values["scale"], values.get("instances"), lambda what: add("scale", what))


def _network(values: dict[str, Any], add: AddError) -> None:
    """Checks ports against the container's network. With the machine's network, each port is the machine's."""
    if values.get("start") is not None or not {"docker_args", "ports", "ready", "alive"} <= values.keys():
        return
    ports, alive = values["ports"], values["alive"]
    checks = {"ready": values["ready"], "alive": alive and alive.check}
    asked = {word: check.port for word, check in checks.items() if isinstance(check, Http | Tcp)}
    names = tuple(networks(values["docker_args"]))
    closed = next((name for name in names if name == "none" or name.startswith("container:")), None)
    if "host" in names:
        for port in ports:
            if port.address or port.host_last or port.host not in (None, port.container):
                what = "with the network host docker publishes nothing, and the container's port is the machine's"
                add("ports", f'{what}; write "{port.container}", or "{port.host}" if the container listens on that')
        values["ports"] = tuple(replace(port, host=port.container, host_last=None, address=None) for port in ports)
    elif closed is not None:
        if ports:
            add("ports", f"docker publishes no port with the network {closed!r}; remove ports= or that network")
        for word in asked:
            what = f"the machine cannot reach any port with the network {closed!r}; write {word}=Command(...)"
            add(word, what)
    else:
        for word, number in asked.items():
            if number is not None and not any((port.container, port.protocol) == (number, "tcp") for port in ports):
                what = f"the container's port {number} is not in ports=, so the machine cannot reach it; add it there"
                add(word, what)


def _ports(values: dict[str, Any], add: AddError) -> None:
    """Old and new instances share a machine while they overlap; a machine's port can be published once."""
    on_machine = "host" in networks(values.get("docker_args", ())) and values.get("start") is None
    fixed = [port for port in values.get("ports", ()) if isinstance(port, Port) and port.host and not port.host_last]
    if isinstance(values["rollout"], BlueGreen) and fixed:
        advice = f'remove the machine\'s port ("{fixed[0].container}"), or write a range'
        add("ports", _OVERLAP + ("write rollout=Rolling()" if on_machine else advice))
    if any(_same_port(one, other) for one, other in itertools.combinations(fixed, 2)):
        add("ports", "a port of the machine is published twice; publish each port once")
    first = next(iter(values.get("ports", ())), None)
    if values.get("public") and "ports" in values and not (first and _is_reachable(first)):
        what = 'the first of ports= must be a TCP port that other machines can reach, such as "80" or "8100-8109:80"'
        add("public", what)


def _is_reachable(port: Port) -> bool:
    return port.protocol == "tcp" and not (port.address and ip_address(port.address).is_loopback)


def _same_port(one: Port, other: Port) -> bool:
    """Whether two fixed ports of the machine collide; without an address a port is published at all of them."""
    if (one.host, one.protocol) != (other.host, other.protocol):
        return False
    for first, second in ((one.address, other.address), (other.address, one.address)):
        if first is None or first == second or (first in EVERY_ADDRESS and (":" in first) == (":" in (second or ""))):
            return True
    return False


def _lines(values: dict[str, Any], add: AddError) -> None:
    """Checks options and variables that not every main process supports."""
    options, start = values.get("service", ()), values.get("start")
    if start is None:
        for what in refused_with_docker(options):
            add("service", what)
    else:
        if not is_task(options):
            for what in _several_commands(start):
                add("start", what)
        if not values.get("stop") and ("KillMode", "none") in options:
            what = "systemd would stop none of the processes of start=; write stop=, or remove KillMode"
            add("service", f"KillMode=none: {what}")
    for name in (name for name, _ in values.get("env", ()) if name.startswith("FLEETCAPTAIN_")):
        add("env", f"{name} is reserved: the unit sets FLEETCAPTAIN_ variables itself; choose another name")


def _several_commands(start: tuple[str, ...]) -> Iterator[str]:
    """Why *start* is not the single command that a long-running service requires."""
    if len(start) != 1:
        yield (
            "must be one line, the program with its arguments; move earlier commands to before_start=. Only tasks "
            "(Type=oneshot) can have several lines"
        )
    if any(len(commands_of(line)) > 1 for line in start):
        yield (
            "a semicolon between blanks begins another command, which systemd supports only with Type=oneshot; move "
            "the "
            "earlier commands to before_start="
        )


def name_machine(values: dict[str, Any], add: AddError) -> None:
    """Turns ``machine`` into the metadata ``name``, by which fleet knows a machine's name."""
    machine, metadata = values.get("machine"), values.get("machine_metadata", ())
    if machine is None:
        return
    if any(pair.startswith("name=") for pair in metadata):
        add("machine", "machine_metadata= names a machine too; keep one of them")
    if values.get("machine_id"):
        add("machine", "machine_id= names a machine too; keep one of them")
    values["machine_metadata"] = (*metadata, f"name={machine}")


def _placement(values: dict[str, Any], add: AddError) -> None:
    """Rules that fleet refuses together, in keywords or in x_fleet=."""
    more = rules_of(values.get("x_fleet", ()))
    rules = (("machine_of", more.machine_of), ("machine_id", more.machine_ids), ("conflicts", more.conflicts))
    given = {word: word if values.get(word) else "x_fleet" for word, others in rules if values.get(word) or others}
    if values.get("global_unit"):
        if values.get("instances", 1) != 1 or isinstance(values["rollout"], BlueGreen):
            add("global_unit", "a unit on every machine cannot have instances= or BlueGreen(); remove them")
        for keyword in given.values():
            what = "a unit on every machine cannot have it; write machine_metadata= to exclude machines"
            add(keyword, what)
    if "machine_id" in given:
        for word in ("machine_of", "conflicts"):
            if word in given:
                add(given[word], f"fleet refuses {word} together with machine_id; keep one of them")
        if values.get("machine_id") and more.machine_ids:
            add("x_fleet", "MachineID: machine_id= already sets it, and fleet reads only one; remove it")


def _files(specs: Sequence[ServiceSpec], places: Sequence[SourceLocation], errors: Errors, files: Files) -> None:
    """Adds an error for each missing Dockerfile, at the first service of *specs* that is built from it, and for each
    pattern that matches nothing."""
    missing: dict[tuple[Path, bool], list[tuple[ServiceSpec, SourceLocation]]] = {}
    for spec, place in zip(specs, places, strict=True):
        custom = (line for word in _CUSTOM for line in getattr(spec, word) or ())
        if not isinstance(spec.image, Build) or (spec.start is not None and not any(map(names_image, custom))):
            continue
        dockerfile = files.root / spec.image.context / spec.image.dockerfile
        if not files.exists(dockerfile):
            missing.setdefault((dockerfile, spec.start is None), []).append((spec, place))
        for what in files.unmatched(spec.image):
            errors.add(place, spec.name, "image", what)
    for (dockerfile, has_container), users in missing.items():
        what = f"Could not find {dockerfile} to build {', '.join(spec.name for spec, _ in users)} from; create it"
        if not has_container:
            what += "; or, if a custom command uses another image, do not call its variable IMAGE"
        (first, place), *_ = users
        errors.add(place, first.name, "image", what)
