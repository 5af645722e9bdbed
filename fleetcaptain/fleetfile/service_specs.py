"""From what a Fleetfile says to what it means, with every mistake noted on the way. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from fleetcaptain.fleetfile.custom_line import commands_of, names_image
from fleetcaptain.fleetfile.docker_args import networks, option_for
from fleetcaptain.fleetfile.dsl import Fleetfile, Service, SourceLocation
from fleetcaptain.fleetfile.keywords import PARSERS
from fleetcaptain.fleetfile.secret import secret_in
from fleetcaptain.fleetfile.task import is_task
from fleetcaptain.fleetfile.time_limits import followed
from fleetcaptain.fleetfile.unit_options import refused_with_docker
from fleetcaptain.fleetfile.validation_error import Problem, did_you_mean, represented, shown
from fleetcaptain.fleetfile.values import (
    EVERY_ADDRESS,
    App,
    BlueGreen,
    Build,
    Expand,
    Http,
    Literal,
    Port,
    Rolling,
    ServiceSpec,
    Tcp,
)
from fleetcaptain.image_reference import name_mistake, split_registry
from fleetcaptain.units.names import without_generation
from fleetcaptain.units.xfleet import rules_of

__all__ = ["APP_NAME", "SERVICE_NAME", "Lines", "Notes", "name_of", "resolve"]

# Notes a mistake of one service: its keyword, and what is wrong.
Note = Callable[[str, str], None]
# The line of a keyword in a call that begins in a given line; from the source, which the words themselves cannot see.
Lines = Mapping[int, Mapping[str, int]]

APP_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
SERVICE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
_CUSTOM = ("start", "before_start", "after_start", "before_stop", "stop", "after_stop", "reload")
_OVERLAP = "old and new overlap in a blue/green rollout, and one port of a machine cannot be taken twice; "


@dataclass
class Notes:
    """Where mistakes are noted. *folder* is the Fleetfile's; *lines* has those of each file that declares something."""

    folder: Path
    lines: Mapping[str, Lines]
    problems: list[Problem]

    def note(self, place: SourceLocation, service: str, keyword: str, what: str) -> None:
        """Note one mistake at the line of its keyword, or at the word's own."""
        line = self.lines.get(place.file, {}).get(place.line, {}).get(keyword, place.line)
        self.problems.append(Problem(shown(place.file, self.folder), line, service, keyword, what))

    def location(self, place: SourceLocation) -> str:
        """*place* as a report has it, such as ``Fleetfile.py:12``."""
        return f"{shown(place.file, self.folder)}:{place.line}"


def resolve(fleetfile: Fleetfile, root: Path, notes: Notes, exists: Callable[[Path], bool]) -> App:
    """The app that *fleetfile* means. It is whole only when nothing was noted."""
    place = fleetfile.place
    app, image = fleetfile.said["app"], fleetfile.said["image"]
    for word in fleetfile.unknown:
        notes.note(place, "", word, f"no such keyword{did_you_mean(word, ('app', 'image', 'services'))}")
    if not _is_plain(app) or not APP_NAME.fullmatch(app):
        notes.note(place, "", "app", f"{represented(app)} is no name: lower case letters, digits and -, at most 40")
    why = _push_mistake(image)
    if why:
        notes.note(
            place, "", "image", f'{represented(image)} is no name to push to, such as "hackuman/behavioral": {why}'
        )
    services = fleetfile.said["services"]
    if not isinstance(services, list | tuple) or not services:
        what = f"it must be a list with at least one Service(...), not {_kind_of(services)}"
        notes.note(place, "", "services", what)
        services = ()
    specs = []
    for service in services:
        if not isinstance(service, Service):
            notes.note(place, "", "services", f"each entry must be a Service(...), not a {type(service).__name__}")
            continue
        specs.append(_service(service, image, notes))
        _files(specs[-1], service.place, root, notes, exists)
    return App(app if _is_plain(app) else "", tuple(specs), root, image)


def _kind_of(services: Any) -> str:
    """What *services* is; never its contents, in which anything may be."""
    if isinstance(services, list | tuple):
        return "an empty one"
    return type(services).__name__ + ("; write list(...) around it" if isinstance(services, Iterable) else "")


def _push_mistake(image: Any) -> str:
    """Why the app's own image cannot be pushed to *image*; "" when it can. The registry is the cluster's."""
    if image is None:
        return ""
    if not _is_plain(image):
        return "it must be a text"
    if re.search("[:@]", image):
        return "leave out tag, digest and registry"
    registry, name = split_registry(image)
    if registry:
        return f"{registry!r} is a registry, and it is pushed to that of the cluster; leave it out"
    return name_mistake(name)


def name_of(service: Service) -> str:
    """The name that *service* was given, or what stands for another value in the report."""
    return service.name if _is_plain(service.name) else represented(service.name)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Expand | Literal)


def _service(service: Service, app_image: Any, notes: Notes) -> ServiceSpec:
    name = name_of(service)
    if not SERVICE_NAME.fullmatch(name):
        notes.note(
            service.place, name, "", "a name has lower case letters, digits, _ and -, at most 60, a letter first"
        )
    if without_generation(name) != name:
        notes.note(service.place, name, "", "the name ends like a blue/green generation's (- and 7 hex digits)")
    for word in service.unknown:
        option = option_for(word)
        near = f'; write docker_args=["{option}", ...]' if option else did_you_mean(word, PARSERS)
        what = "not supported yet" if word == "scale" else f"no such keyword{near}"
        notes.note(service.place, name, word, what)
    values: dict[str, Any] = {}
    for word, parse in PARSERS.items():
        try:
            # First, and then nothing else: a mistake may show the value.
            secret = secret_in(word, service.said[word], values.get("not_secret", ()))
            if secret is None:
                values[word] = parse(service.said[word])
            else:
                notes.note(service.place, name, word, secret)
        except ValueError as mistake:  # a `ValidationError`, or Python's own: a number may be too long for any text
            notes.note(service.place, name, word, str(mistake))
        except Exception as error:  # any class may have been given, and what it does is not ours
            notes.note(service.place, name, word, f"its value cannot be read ({type(error).__name__}); write another")
    if values.get("image") is None:
        values["image"] = Build()
        if app_image is None and values.get("start") is None and "image" in values:
            notes.note(service.place, name, "image", "it has none, and the Fleetfile has no image= for its services")

    def note(keyword: str, what: str) -> None:
        notes.note(service.place, name, keyword, what)

    _rollout(values, note)
    _network(values, note)
    _ports(values, note)
    _lines(values, note)
    _placement(values, note)
    known = {field.name for field in fields(ServiceSpec)}
    kept = {word: value for word, value in values.items() if word in known}
    kept |= {"description": kept.get("description") or name, "location": notes.location(service.place)}
    return ServiceSpec(name=name, **kept)


def _rollout(values: dict[str, Any], note: Note) -> None:
    """``instances=True`` is one instance, replaced blue/green. Limits that are not given follow the others."""
    instances, rollout = values.get("instances", 1), values.get("rollout")
    if instances is True:
        if isinstance(rollout, Rolling):
            note("rollout", "instances=True means BlueGreen(...), not Rolling(...)")
        values["instances"] = 1
        rollout = rollout or BlueGreen()
    start, followed_rollout = followed(values.get("start_sec"), values.get("stop_sec", 10), rollout or Rolling())
    values |= {"start_sec": start, "rollout": followed_rollout}


def _network(values: dict[str, Any], note: Note) -> None:
    """What the container's network makes of its ports: with the machine's own, each is the machine's."""
    if values.get("start") is not None or not {"docker_args", "ports", "ready"} <= values.keys():
        return
    ports, ready = values["ports"], values["ready"]
    asked = ready.port if isinstance(ready, Http | Tcp) else None
    names = tuple(networks(values["docker_args"]))
    closed = next((name for name in names if name == "none" or name.startswith("container:")), None)
    if "host" in names:
        for port in ports:
            if port.address or port.host_last or port.host not in (None, port.container):
                what = "with the network host nothing is published, and the container's port is the machine's"
                note("ports", f'{what}; write "{port.container}", or "{port.host}" if that is what it listens on')
        values["ports"] = tuple(replace(port, host=port.container, host_last=None, address=None) for port in ports)
    elif closed is not None:
        if ports:
            note("ports", f"docker publishes none with the network {closed!r}; leave ports= or that network out")
        if isinstance(ready, Http | Tcp):
            note("ready", f"the machine reaches no port with the network {closed!r}; write ready=Command(...)")
    elif asked is not None and not any((port.container, port.protocol) == (asked, "tcp") for port in ports):
        note(
            "ready", f"the container's port {asked} is in none of ports=, so the machine cannot reach it; add it there"
        )


def _ports(values: dict[str, Any], note: Note) -> None:
    """Old and new share a machine while they overlap; a machine's port is taken once."""
    on_machine = "host" in networks(values.get("docker_args", ())) and values.get("start") is None
    fixed = [port for port in values.get("ports", ()) if isinstance(port, Port) and port.host and not port.host_last]
    if isinstance(values["rollout"], BlueGreen) and fixed:
        advice = f'leave the host\'s port out ("{fixed[0].container}"), or give a range'
        note("ports", _OVERLAP + ("write rollout=Rolling()" if on_machine else advice))
    if any(_same_port(one, other) for one, other in itertools.combinations(fixed, 2)):
        note("ports", "one port of the machine is given twice")
    # A balancer knows machines, and asks each at one port.
    first = next(iter(values.get("ports", ())), None)
    if values.get("public") is None or "ports" not in values:
        return
    if first is None or not first.host or first.host_last or first.protocol != "tcp" or first.address:
        what = 'it leads to the first of ports=, which must be one TCP port of every machine, such as "8080:80"'
        note("public", what)
    ready = values.get("ready")
    if isinstance(ready, Http) and (ready.host or ready.headers or isinstance(ready.path, Expand)):
        what = (
            "the load balancer asks for the path of ready= alone: it sends no host= or headers=, and replaces nothing "
            "in an Expand; make the path answer without them, or write ready=Tcp()"
        )
        note("public", what)


def _same_port(one: Port, other: Port) -> bool:
    """Whether two fixed ports of the machine are one; without an address a port is taken at every one."""
    if (one.host, one.protocol) != (other.host, other.protocol):
        return False
    for first, second in ((one.address, other.address), (other.address, one.address)):
        if first is None or first == second or (first in EVERY_ADDRESS and (":" in first) == (":" in (second or ""))):
            return True
    return False


def _lines(values: dict[str, Any], note: Note) -> None:
    """Options and variables that fit one main process and not another."""
    options, start = values.get("service", ()), values.get("start")
    if start is None:
        for what in refused_with_docker(options):
            note("service", what)
    else:
        if not is_task(options):
            for what in _several_commands(start):
                note("start", what)
        if not values.get("stop") and ("KillMode", "none") in options:
            what = "systemd would end none of the processes of start=; write stop=, or leave it out"
            note("service", f"KillMode=none: {what}")
    for name in (name for name, _ in values.get("env", ()) if name.startswith("FLEETCAPTAIN_")):
        note("env", f"{name} is what the container learns of itself from its unit; choose another name")


def _several_commands(start: tuple[str, ...]) -> Iterator[str]:
    """Why *start* is not the one command that a service that keeps running has."""
    if len(start) != 1:
        yield (
            "it must be one line, the program with its words; write what runs before it into before_start=. Several "
            "lines, one after the other, are for tasks (Type=oneshot)"
        )
    if any(len(commands_of(line)) > 1 for line in start):
        yield (
            "a semicolon between blanks begins another command, which systemd takes with Type=oneshot only; move the "
            "earlier ones to before_start="
        )


def _placement(values: dict[str, Any], note: Note) -> None:
    """Rules that fleet refuses together, in keywords of their own or in x_fleet=."""
    more = rules_of(values.get("x_fleet", ()))
    rules = (("machine_of", more.machine_of), ("machine_id", more.machine_ids), ("conflicts", more.conflicts))
    given = {word: word if values.get(word) else "x_fleet" for word, others in rules if values.get(word) or others}
    if values.get("global_unit"):
        if values.get("instances", 1) != 1 or isinstance(values["rollout"], BlueGreen):
            note("global_unit", "a unit on every machine has no instances= and no BlueGreen()")
        for keyword in given.values():
            what = "a unit on every machine cannot choose between them; machine_metadata= can leave some out"
            note(keyword, what)
    if "machine_id" in given:
        for word in ("machine_of", "conflicts"):
            if word in given:
                note(given[word], f"fleet refuses {word} together with machine_id; keep one of them")
        if values.get("machine_id") and more.machine_ids:
            note("x_fleet", "MachineID: machine_id= says it already, and fleet reads only one; leave it out")


def _files(spec: ServiceSpec, place: SourceLocation, root: Path, notes: Notes, exists: Callable[[Path], bool]) -> None:
    custom = (line for word in _CUSTOM for line in getattr(spec, word) or ())
    if isinstance(spec.image, Build) and (spec.start is None or any(map(names_image, custom))):
        dockerfile = root / spec.image.context / spec.image.dockerfile
        if not exists(dockerfile):
            what = f"there is no {dockerfile} to build it from"
            if spec.start is not None:
                what += "; a custom command that means another image than the service's must not call it IMAGE"
            notes.note(place, spec.name, "image", what)
