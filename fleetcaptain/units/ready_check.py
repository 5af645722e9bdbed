"""The line that keeps a unit activating until the service is ready, so that only ready services are registered."""

from __future__ import annotations

from collections.abc import Mapping

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import Command, Http, Port, ServiceSpec, Tcp
from fleetcaptain.units.docker import DOCKER, container_name
from fleetcaptain.units.published_address import HOST, ask_docker, host_word, known_number
from fleetcaptain.units.quoting import Expanded, joined, shell_line

__all__ = ["wait_line"]


def wait_line(spec: ServiceSpec, app: str) -> str | None:
    """The line that polls twice a second until the service is ready; None if there is nothing to wait for.

    Without ``ready`` it waits until the container runs. It exits with 1 when the main process ends, because systemd
    would keep waiting; the limit is the unit's TimeoutStartSec. It asks docker for a published port each time, also for
    a fixed one, so that another container that still has the port is never mistaken for this one.
    """
    match spec.ready:
        case Http(path, number):
            what, where, find = _target(spec, number, app)
            arguments = _curl_arguments(spec.ready)
            return _loop(
                joined("GET ", path, f" on {what}"), f"{find}{_get(spec.ready, *where)}", (HOST,), arguments=arguments
            )
        case Tcp(number):
            what, where, find = _target(spec, number, app)
            return _loop(
                f"a connection to {what}", f'{find}timeout 2 bash -c "exec 3<>/dev/tcp/{"/".join(where)}"', (HOST,)
            )
        case Command(line):
            inside = f"{DOCKER} exec {container_name(app)} " if spec.start is None else ""
            return _loop("the ready command", f'{inside}sh -c "$2" >/dev/null', arguments=(line,))
    if spec.start is not None:
        return None
    return _loop("the container", f'{DOCKER} inspect -f "{{{{.State.Running}}}}" {container_name(app)} | grep -q true')


def _get(ready: Http, address: str, port: str) -> str:
    """curl, whose URL, name and headers are `_curl_arguments`. -g: brackets are literal; -k: the certificate is the
    container's own. The request goes to the address, not to the address of the name in DNS."""
    scheme, trust = ("https", " -k") if ready.https else ("http", "")
    host = f"[{address}]" if ":" in address else address
    name, connect = ("$3", f' --connect-to "::{host}:{port}"') if ready.host else (f"{host}:{port}", "")
    first = 4 if ready.host else 3
    headers = "".join(f' -H "${{{first + number}}}"' for number, _ in enumerate(ready.headers))
    return f'curl -fsg{trust} --path-as-is -m 2 -o /dev/null{connect}{headers} "{scheme}://{name}$2"'


def _curl_arguments(ready: Http) -> tuple[str, ...]:
    headers = ready.headers.items() if isinstance(ready.headers, Mapping) else ready.headers
    host = (ready.host,) if ready.host else ()
    return (ready.path, *host, *(joined(f"{name}: ", value) for name, value in headers))


def _loop(what: str, test: str, setup: tuple[str, ...] = (), arguments: tuple[str, ...] = ()) -> str:
    script = [
        *setup,
        'echo "waiting for $1";',
        Expanded(f"until {test}; do"),
        '  kill -0 $MAINPID || { echo "the service ended before it was ready"; exit 1; };',
        "  sleep 0.5;",
        "done 2>/dev/null",
    ]
    return shell_line(script, "wait", what, *arguments)


def _target(spec: ServiceSpec, number: int | None, app: str) -> tuple[str, tuple[str, str], str]:
    """A description of the target; its address and port, as shell words; the shell that gets the port."""
    port = _port(spec, number)
    if spec.start is None and port in spec.ports and not spec.host_network:
        return (
            f"container port {port.container}",
            (host_word(port), "${port##*:}"),
            f"{ask_docker(port, 'port', app)} ",
        )
    on_machine = known_number(spec, port) or port.container
    return f"port {on_machine}", (host_word(port), str(on_machine)), ""


def _port(spec: ServiceSpec, number: int | None) -> Port:
    """The published port with this number. A port that is not published is the machine's, as with ``--net=host``."""
    for port in spec.ports:
        if port.protocol == "tcp" and number in {None, port.container}:
            return port
    if number is None:
        raise UnitRefused(
            f"Failed to render the service {spec.name}:",
            ["ready= requires a port, but the service publishes none; add it to ports=, or name one, as in Tcp(6379)"],
        )
    return Port(number)
