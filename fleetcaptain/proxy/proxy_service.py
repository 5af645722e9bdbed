"""The service that is an app's proxy: on every machine it leads the app's public ports to its instances. Pure."""

from __future__ import annotations

from pathlib import Path

from fleetcaptain.fleetfile.public_routes import public_routes
from fleetcaptain.fleetfile.values import (
    Alive,
    App,
    Build,
    Command,
    Expand,
    HttpRoute,
    Port,
    Rolling,
    SecretFile,
    ServiceSpec,
)
from fleetcaptain.units.agent_calls import agent_folder, agent_line, proxy_name
from fleetcaptain.units.quoting import Expanded

__all__ = ["proxy_service"]

# Its folder ships with the package. Another package of Debian is another image only when this folder changes.
# With only=, permission bits do not count, which differ between operators.
_IMAGE = Build(str(Path(__file__).parent / "image"), only=("Dockerfile",))
_START_SEC = 180
# Its listening sockets pass from one container to the next, so a machine that is done needs no longer proof.
_ROLLOUT = Rolling(min_healthy_sec=2, healthy_deadline_sec=_START_SEC + 20, progress_deadline_sec=2 * _START_SEC + 40)


def proxy_service(app: App) -> ServiceSpec:
    """The proxy of *app*: one unit on every machine, whose main process is the machine agent's (``agent proxy``). It
    keeps the container with HAProxy, which outlives the unit, so that no update loses a request.

    It is ready when this machine serves what etcd had after the unit's start, and fails while nothing serves.
    """
    routes = public_routes(app)
    http = [found.route for found in routes if isinstance(found.route, HttpRoute)]
    serves = Command(Expand(f"test -f {agent_folder(app.app)}/proxy/ready-${{INVOCATION_ID}}"))
    certificates = sorted({route.tls for route in http if route.tls})
    return ServiceSpec(
        name=proxy_name(app.app),
        description=f"Proxy of the public services of {app.app}",
        image=_IMAGE,
        ports=tuple(Port(port, port) for port in sorted({found.route.port for found in routes})),
        routes=routes,
        # The files of the container are copies that the agent makes: these paths name them in its unit.
        secret_files=tuple((f"/proxy/{name}.pem", SecretFile(name)) for name in certificates),
        start=(agent_line(app.app, "proxy", Expanded("${IMAGE}")),),
        ready=serves,
        alive=Alive(serves),
        start_sec=_START_SEC,
        global_unit=True,
        # Not Requires=: when docker starts again, so does the container, by the unit that went on.
        unit=(("After", "docker.service"),),
        # Else systemd would end the command with which the program sets the timer for its container.
        service=(("KillMode", "mixed"),),
        rollout=_ROLLOUT,
    )
