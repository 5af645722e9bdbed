"""From what a Fleetfile says to what it means, with every mistake noted on the way. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fleetcaptain.fleetfile.keywords import PARSERS
from fleetcaptain.fleetfile.problem import Problem, did_you_mean, shown
from fleetcaptain.fleetfile.secret import secret_in
from fleetcaptain.fleetfile.values import App, BlueGreen, Build, Expand, Http, Port, Rolling, ServiceSpec
from fleetcaptain.fleetfile.words import Fleetfile, Place, Service
from fleetcaptain.image_reference import name_mistake

__all__ = ["APP_NAME", "SERVICE_NAME", "Lines", "Notes", "resolve"]

# The line of a keyword in a call that begins in a given line; from the source, which the words themselves cannot see.
Lines = Mapping[int, Mapping[str, int]]

APP_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
SERVICE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
_GENERATION = re.compile(r".*-[0-9a-f]{7}")
_OVERLAP = "old and new overlap in a blue/green rollout, and one port of a machine cannot be taken twice; "


@dataclass
class Notes:
    """Where mistakes are noted. *folder* is the Fleetfile's; *lines* has those of each file that declares something."""

    folder: Path
    lines: Mapping[str, Lines]
    problems: list[Problem]

    def note(self, place: Place, service: str, keyword: str, what: str) -> None:
        """Note one mistake at the line of its keyword, or at the word's own."""
        line = self.lines.get(place.file, {}).get(place.line, {}).get(keyword, place.line)
        self.problems.append(Problem(shown(place.file, self.folder), line, service, keyword, what))


def resolve(fleetfile: Fleetfile, root: Path, notes: Notes, exists: Callable[[Path], bool]) -> App:
    """The app that *fleetfile* means. It is whole only when nothing was noted."""
    place = fleetfile.place
    app, image = fleetfile.said["app"], fleetfile.said["image"]
    for word in fleetfile.unknown:
        notes.note(place, "", word, f"no such keyword{did_you_mean(word, ('app', 'image', 'services'))}")
    if not isinstance(app, str) or not APP_NAME.fullmatch(app):
        notes.note(place, "", "app", f"{app!r} is no name: lower case letters, digits and -, at most 40")
    why = _push_mistake(image)
    if why:
        notes.note(place, "", "image", f'{image!r} is no name to push to, such as "hackuman/behavioral": {why}')
    services = fleetfile.said["services"]
    if not isinstance(services, list | tuple) or not services:
        notes.note(place, "", "services", "a list of Service(...) is wanted, with one at least")
        services = ()
    specs = []
    for service in services:
        if not isinstance(service, Service):
            notes.note(place, "", "services", f"each entry must be a Service(...), not a {type(service).__name__}")
            continue
        specs.append(_service(service, image, notes))
        _files(specs[-1], service.place, root, notes, exists)
    return App(str(app), tuple(specs), root, image)


def _push_mistake(image: Any) -> str:
    """Why the app's own image cannot be pushed to *image*; "" when it can. The registry is the cluster's."""
    if image is None:
        return ""
    if not isinstance(image, str):
        return "it must be a text"
    if re.search("[:@]", image):
        return "leave out tag, digest and registry"
    first, slash, _ = image.partition("/")
    if slash and ("." in first or first == "localhost"):
        return f"{first!r} is a registry, and it is pushed to that of the cluster; leave it out"
    return name_mistake(image)


def _service(service: Service, app_image: Any, notes: Notes) -> ServiceSpec:
    name = service.name if isinstance(service.name, str) else str(service.name)
    if not SERVICE_NAME.fullmatch(name):
        notes.note(
            service.place, name, "", "a name has lower case letters, digits, _ and -, at most 60, a letter first"
        )
    if _GENERATION.fullmatch(name):
        notes.note(service.place, name, "", "the name ends like a blue/green generation's (- and 7 hex digits)")
    for word in service.unknown:
        what = "not supported yet" if word == "scale" else f"no such keyword{did_you_mean(word, PARSERS)}"
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
        except ValueError as mistake:  # a `Mistake`, or Python's own: a number may be too long for any text
            notes.note(service.place, name, word, str(mistake))
    if values.get("image") is None:
        values["image"] = Build()
        if app_image is None and values.get("start") is None and "image" in values:
            notes.note(service.place, name, "image", "it has none, and the Fleetfile has no image= for its services")
    _rollout(values, service, name, notes)
    known = {field.name for field in fields(ServiceSpec)}
    kept = {word: value for word, value in values.items() if word in known}
    return ServiceSpec(name=name, **{**kept, "description": kept.get("description") or name})


def _rollout(values: dict[str, Any], service: Service, name: str, notes: Notes) -> None:
    """``instances=True`` is one instance, replaced blue/green."""
    instances, rollout = values.get("instances", 1), values.get("rollout")
    if instances is True:
        if isinstance(rollout, Rolling):
            notes.note(service.place, name, "rollout", "instances=True means BlueGreen(...), not Rolling(...)")
        values["instances"] = 1
        rollout = rollout or BlueGreen()
    values["rollout"] = rollout or Rolling()
    fixed = [port for port in values.get("ports", ()) if isinstance(port, Port) and port.host and not port.host_last]
    if isinstance(values["rollout"], BlueGreen) and fixed:
        advice = f'leave the host\'s port out ("{fixed[0].container}"), or give a range'
        notes.note(service.place, name, "ports", _OVERLAP + advice)
    hosts = [(port.address, port.host, port.protocol) for port in fixed]
    if len(set(hosts)) < len(hosts):
        notes.note(service.place, name, "ports", "one port of the machine is given twice")
    _public(values, service, name, notes)
    if values.get("global_unit"):
        if values["instances"] != 1 or isinstance(values["rollout"], BlueGreen):
            notes.note(
                service.place, name, "global_unit", "a unit on every machine has no instances= and no BlueGreen()"
            )
        for word in ("machine_of", "machine_id", "conflicts"):
            if values.get(word):
                what = "a unit on every machine cannot choose between them; machine_metadata= can leave some out"
                notes.note(service.place, name, word, what)
    if values.get("machine_id"):
        for word in ("machine_of", "conflicts"):
            if values.get(word):
                notes.note(service.place, name, word, "fleet refuses it together with machine_id")


def _public(values: dict[str, Any], service: Service, name: str, notes: Notes) -> None:
    """A balancer knows machines, and asks each at one port."""
    first = next(iter(values.get("ports", ())), None)
    if values.get("public") is None or "ports" not in values:
        return
    if first is None or not first.host or first.host_last or first.protocol != "tcp" or first.address:
        what = 'it leads to the first of ports=, which must be one TCP port of every machine, such as "8080:80"'
        notes.note(service.place, name, "public", what)
    ready = values.get("ready")
    if isinstance(ready, Http) and (ready.host or ready.headers or isinstance(ready.path, Expand)):
        what = (
            "the load balancer asks for the path of ready= alone: it sends no host= or headers=, and replaces nothing "
            "in an Expand; make the path answer without them, or write ready=Tcp()"
        )
        notes.note(service.place, name, "public", what)


def _files(spec: ServiceSpec, place: Place, root: Path, notes: Notes, exists: Callable[[Path], bool]) -> None:
    if isinstance(spec.image, Build) and spec.start is None:
        dockerfile = root / spec.image.context / spec.image.dockerfile
        if not exists(dockerfile):
            notes.note(place, spec.name, "image", f"there is no {dockerfile} to build it from")
