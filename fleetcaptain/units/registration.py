"""The lines by which a unit registers its service in etcd, and takes the registration back. They need only curl.

The value is kept in a file too, under the same path as its key. It is what the unit takes back and the beacon renews,
both by comparing, so that a machine never touches what another one, or the app itself, registered meanwhile.
"""

from __future__ import annotations

import json

from fleetcaptain.fleetfile.values import Port, ServiceSpec
from fleetcaptain.units.address import HOST, ask_docker, host_word, known_number
from fleetcaptain.units.docker import port_key
from fleetcaptain.units.place import MACHINE, TTL_SEC, Place
from fleetcaptain.units.quoting import Expanded, shell_line

__all__ = ["register_line", "unregister_line"]


def register_line(spec: ServiceSpec, app: str, place: Place = MACHINE) -> str:
    """Writes the registration to its file and puts it to etcd, up to ten times; a failure fails the unit's start.

    The content is the SHA1 of the unit file on the machine: fleet writes there exactly the text that it hashes.
    """
    leaf = _leaf(spec)
    asked = [(port, f"port{index}") for index, port in enumerate(spec.ports) if known_number(spec, port) is None]
    numbers = [f"${{{name}##*:}}" for _, name in asked]
    first = [number for (port, _), number in zip(asked, numbers, strict=True) if port is spec.ports[0]]
    filled = ["%n", '"$content"', "%m", "$host", *numbers, host_word(next(iter(spec.ports), None)), *first]
    return shell_line(
        [
            HOST,
            Expanded(f"content=$(sha1sum <{place.units}/%n) &&"),
            *(Expanded(ask_docker(spec, port, name)) for port, name in asked),
            f"mkdir -p {place.folder(app, spec.name)} && cd {place.folder(app, spec.name)} &&",
            Expanded(f'printf "$1" {" ".join(filled)} $(date -u +%%FT%%TZ) >.{leaf} && mv .{leaf} {leaf} &&'),
            "curl -fsS -m 5 --retry 9 --retry-delay 1 --retry-all-errors -o /dev/null",
            Expanded(f"  -X PUT -d ttl={TTL_SEC} --data-urlencode value@{leaf} {place.keys(app, spec.name)}/{leaf}"),
        ],
        "register",
        _format(spec),
    )


def unregister_line(spec: ServiceSpec, app: str, place: Place = MACHINE, then: str = "") -> str:
    """Takes this unit's own registration back, at most 5 s long, and goes on with the shell line *then*.

    A failure passes: while the file is there the beacon tries again.
    """
    leaf = _leaf(spec)
    script = [
        Expanded(f"file={place.folder(app, spec.name)}/{leaf}; test -f $file &&"),
        "curl -sS -m 2 --retry 1 -o /dev/null -G -X DELETE",
        Expanded(f"  --data-urlencode prevValue@$file {place.keys(app, spec.name)}/{leaf} &&"),
        "rm -f $file;" if then else "rm -f $file",
        *([Expanded(then)] if then else []),
    ]
    return "-" + shell_line(script)


def _leaf(spec: ServiceSpec) -> str:
    """The unit's name, and the machine's where each machine has a unit of that name. No unit name has a ``~`` in it."""
    return "%n~%m" if spec.global_unit else "%n"


def _format(spec: ServiceSpec) -> str:
    """The value as a ``printf`` format; what only the machine knows is ``%s``, in the order of the keys."""
    ports = {port_key(port): _number(spec, port) for port in spec.ports}
    members = {
        "service": _literal(spec.name),
        "unit": '"%s"',
        "content": '"%.40s"',
        "machine": '"%s"',
        "host": '"%s"',
        "ports": _object(ports),
        "connection": _object({"host": '"%s"', "port": next(iter(ports.values()), "null")}),
        "versions": _literal(list(spec.versions)),
        "since": '"%s"',
    }
    return _object(members)


def _number(spec: ServiceSpec, port: Port) -> str:
    return str(known_number(spec, port) or "%s")


def _object(members: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


def _literal(value: str | list[str]) -> str:
    return json.dumps(value, separators=(",", ":")).replace("\\", "\\\\").replace("%", "%%")
