"""The unit's lines that call the machine agent, and what the agent has to know of the unit: see docs/agent.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.task import is_task
from fleetcaptain.fleetfile.values import (
    EVERY_ADDRESS,
    Alive,
    Command,
    Expand,
    Http,
    HttpRoute,
    Port,
    PublicRoute,
    Ready,
    Rolling,
    ServiceSpec,
    Tcp,
)
from fleetcaptain.printable import COLOUR_MARK
from fleetcaptain.units.names import global_name
from fleetcaptain.units.quoting import Expanded, exec_line

__all__ = [
    "agent_folder",
    "agent_line",
    "agent_name",
    "agent_settings",
    "has_own_lines",
    "port_key",
    "proxy_name",
    "secret_file",
    "secret_settings",
    "secret_variables_file",
    "variables_file",
]


def agent_name(app: str) -> str:
    """The unit of the machine agent of *app*: ``behavioral-agent.service``."""
    return global_name(f"{app}-agent")


def proxy_name(app: str) -> str:
    """The service that is the proxy of *app*, which has its public address: ``behavioral-proxy``."""
    return f"{app}-proxy"


def agent_folder(app: str) -> str:
    """The folder on each machine in which the agent is installed, and keeps what it knows."""
    return f"/run/fleetcaptain/{app}"


def variables_file(app: str) -> Expanded:
    """The file with the ``FLEETCAPTAIN_...`` variables of a unit, which the agent writes before it starts."""
    return Expanded(f"{agent_folder(app)}/env/%n")


def secret_variables_file(app: str) -> Expanded:
    """The file with the variables of a unit that are secrets, which exists while the unit runs."""
    return Expanded(f"{agent_folder(app)}/secrets/%n/env")


def secret_file(app: str, number: int) -> Expanded:
    """The file on the machine of the secret file *number* (from 1) of a unit, which exists while the unit runs."""
    return Expanded(f"{agent_folder(app)}/secrets/%n/file-{number}")


def agent_line(app: str, verb: str, *command: str) -> str:
    """The value of an ``Exec...=`` option that calls the agent about its unit. The agent ends as *command*."""
    return exec_line(["/bin/sh", f"{agent_folder(app)}/agent", verb, Expanded("%n"), *command])


def agent_settings(spec: ServiceSpec) -> Iterable[tuple[str, str]]:
    """What the section [X-FleetCaptain] of the units of *spec* says to the agent.

    ============  =============================================================================================
    ``Container``  ``no``: the unit starts no container of FleetCaptain
    ``Ports``      the ports of the container, such as ``80 53/udp``. ``80=8080`` is at a known port of the machine;
                   docker is asked for the others. The first is that of the registration's connection
    ``Secrets``    the names of the secrets that are variables
    ``SecretFile`` a secret that is a file: ``NAME MODE UID:GID PATH``, and ``base64``; one a line
    ``Route``      a route of the public address, one a line, in the order of matching: ``http PORT HOST PATH SERVICE
                   FILE`` or ``tcp PORT - - SERVICE -``. ``-`` stands for any host, and for no file. FILE is the number
                   (from 1) of the ``SecretFile`` with the certificate. ``,FORMER`` follows SERVICE in a rename
    ``Leave``      so many seconds it goes on after it is unregistered, which proxies or a balancer see first
    ``Versions``   further releases that the service serves, as JSON
    ``Ready``      ``http PORT PATH``, ``https PORT PATH``, ``tcp PORT``, ``command LINE`` or ``running``
    ``ReadyHost``  the name to request
    ``ReadyHeader`` a further header, one a line
    ``Alive``      as ``Ready``, with ``AliveHost`` and ``AliveHeader``
    ``AliveEvery``, ``AliveFailures``, ``AliveGrace``  its times, where they are not the usual 10, 3 and 30
    ``AliveParallel``  how many instances may be restarted at once, if not 1: a number, or a share such as ``25%``
    ============  =============================================================================================

    Raises UnitRefused for a check that needs a port where none is published.
    """
    task = is_task(spec.service)
    if spec.start is not None:
        yield "Container", "no"
    if spec.ports and not task:
        yield "Ports", " ".join(_port(spec, port) for port in spec.ports)
    yield from secret_settings(spec)
    yield from (("Route", _route(spec, public)) for public in spec.routes)
    if spec.leave_sec:
        yield "Leave", str(spec.leave_sec)
    if spec.versions:
        yield "Versions", json.dumps(spec.versions, separators=(",", ":"))
    if task:
        return
    if spec.ready is not None:
        yield from _check("Ready", spec.ready, spec)
    elif spec.start is None:
        yield "Ready", "running"
    if spec.alive is not None:
        yield from _alive(spec.alive, spec)


def secret_settings(spec: ServiceSpec) -> Iterable[tuple[str, str]]:
    """The lines about secrets in that section. Their digests come from the deployment: see `UnitFile.with_secrets`."""
    if spec.secrets:
        yield "Secrets", " ".join(spec.secrets)
    for path, file in spec.secret_files:
        encoding = " base64" if file.base64 else ""
        yield "SecretFile", f"{file.name} {file.mode} {file.owner} {path}{encoding}"


def _route(spec: ServiceSpec, public: PublicRoute) -> str:
    route = public.route
    services = f"{public.service},{public.former}" if public.former else public.service
    if not isinstance(route, HttpRoute):
        return f"tcp {route.port} - - {services} -"
    files = [file.name for _, file in spec.secret_files]
    file = "-" if route.tls is None else files.index(route.tls) + 1
    return f"http {route.port} {route.host or '-'} {route.path} {services} {file}"


def _alive(alive: Alive, spec: ServiceSpec) -> Iterable[tuple[str, str]]:
    yield from _check("Alive", alive.check, spec)
    usual = Alive(alive.check)
    for name, given, default in (
        ("AliveEvery", alive.every_sec, usual.every_sec),
        ("AliveFailures", alive.failures, usual.failures),
        ("AliveGrace", alive.grace_sec, usual.grace_sec),
        # A share stays one: the number of instances is not part of the text.
        ("AliveParallel", spec.rollout.max_parallel if isinstance(spec.rollout, Rolling) else 1, 1),
    ):
        if given != default:
            yield name, str(given)


def port_key(port: Port) -> str:
    """The container's port as a key of a registration: ``80``, or ``53/udp``."""
    return str(port.container) if port.protocol == "tcp" else f"{port.container}/{port.protocol}"


def _port(spec: ServiceSpec, port: Port) -> str:
    """docker is asked also for a port that is fixed: see ``locate`` in checks.sh."""
    if spec.start is None and not spec.host_network:
        return port_key(port)
    number = port.host or port.container
    if port.address and port.address not in EVERY_ADDRESS:
        address = f"[{port.address}]" if ":" in port.address else port.address
        return f"{port_key(port)}={address}:{number}"
    return f"{port_key(port)}={number}"


def _check(name: str, check: Ready, spec: ServiceSpec) -> Iterable[tuple[str, str]]:
    match check:
        case Http(path, number, host, headers, https):
            yield name, f"{'https' if https else 'http'} {_number(name, spec, number)} {_text(path)}"
            if host:
                yield f"{name}Host", _text(host)
            pairs = headers.items() if isinstance(headers, Mapping) else headers
            yield from ((f"{name}Header", f"{_text(key)}: {_text(value)}") for key, value in pairs)
        case Tcp(number):
            yield name, f"tcp {_number(name, spec, number)}"
        case Command(line):
            yield name, f"command {_text(line)}"


def _text(text: str) -> str:
    """*text* for the agent, which replaces specifiers and variables as systemd does. Pulumi must not take a part of it
    for a colour."""
    written = str(text) if isinstance(text, Expand) else text.replace("%", "%%").replace("$", "$$")
    # A last backslash would join the line with the next one.
    end = "%." if written.endswith("\\") else ""
    return written.replace(COLOUR_MARK, "<%{%") + end


def _number(name: str, spec: ServiceSpec, number: int | None) -> int:
    """The published port with this number, or the first one. A port that is not published is the machine's own."""
    if number is not None:
        return number
    first = next((port.container for port in spec.ports if port.protocol == "tcp"), None)
    if first is None:
        raise UnitRefused(
            f"Failed to render the service {spec.name}:",
            [
                f"{name.lower()}= requires a port, but the service publishes none; add it to ports=, or name one, "
                "as in Tcp(6379)"
            ],
        )
    return first


def has_own_lines(spec: ServiceSpec) -> bool:
    """Whether the Fleetfile gives a line that runs on the machine."""
    lines: Sequence[tuple[str, ...] | None] = (
        spec.start,
        spec.before_start,
        spec.after_start,
        spec.before_stop,
        spec.stop,
        spec.after_stop,
        spec.reload,
    )
    return any(lines)
