"""What a Fleetfile resolves to: frozen values with every default filled in. Times are integer seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn, Self

from fleetcaptain.fleetfile.docker_args import networks
from fleetcaptain.schedule.window import WindowSpec

__all__ = [
    "EVERY_ADDRESS",
    "Alive",
    "App",
    "BlueGreen",
    "Build",
    "Command",
    "Expand",
    "Http",
    "HttpRoute",
    "Literal",
    "Plain",
    "Port",
    "PublicRoute",
    "Ready",
    "Rolling",
    "Rollout",
    "Route",
    "SecretFile",
    "ServiceSpec",
    "TaskSpec",
    "Tcp",
    "TcpRoute",
    "Window",
]


EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound to
"""The addresses that stand for all addresses of a machine."""


class _Marked(str):
    """A string that defines how its ``%`` and ``$`` are read. Concatenation would lose that."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"

    def _join(self, *_: object) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"{self!r} cannot be part of another string; write the whole string as one {name}(...)")

    __add__ = __radd__ = __mod__ = __rmod__ = __format__ = _join


class Expand(_Marked):
    """A string in which systemd replaces its specifiers (``%i``) and ``${VARIABLES}`` on the machine; ``%%`` and ``$$``
    are the characters themselves. The machine agent does so
    in a check, with the specifiers ``%i %I %n %N %p %P %H %m %b``."""

    __slots__ = ()


class Literal(_Marked):
    """A string that reaches the container literally, even if it looks as if a part should be replaced."""

    __slots__ = ()


class Plain(_Marked):
    """A string that is no secret, even if it or its name looks like one: a value of ``env`` or of ``Build(args=)``. It
    is literal as well."""

    __slots__ = ()


@dataclass(frozen=True)
class Http:
    """Ready when ``GET path`` answers 2xx or 3xx. *port* is the container's port, None for the first of ``ports``.

    *host* is the name to request (the ``Host`` header; with *https* also the server name of TLS), None for the
    machine's address. *headers* maps names of further headers to their values. *https*: the container's certificate is
    not verified.
    """

    path: str = "/"
    port: int | None = None
    host: str | None = None
    headers: Mapping[str, str] | tuple[tuple[str, str], ...] = ()
    https: bool = False


@dataclass(frozen=True)
class Tcp:
    """Ready when a TCP connection is accepted. *port* is the container's port, None for the first of ``ports``."""

    port: int | None = None


@dataclass(frozen=True)
class Command:
    """Ready when *line*, run by ``/bin/sh`` inside the container, exits with 0."""

    line: str


Ready = Http | Tcp | Command


@dataclass(frozen=True)
class Alive:
    """Whether a running instance still works: *check*, every *every_sec* seconds. After *failures* failing checks in a
    row an instance is out of discovery, and then restarted. No check runs within *grace_sec* of its registration."""

    check: Ready
    every_sec: int = 10
    failures: int = 3
    grace_sec: int = 30


@dataclass(frozen=True)
class Build:
    """An image built from *context*, a folder relative to the Fleetfile, by the *dockerfile* in it.

    *target*: the stage to build, None for the last one. *args*: build argument -> value; in a `ServiceSpec` pairs, by
    name. *secrets*: names of secrets of the stack's configuration that the build may read. *platforms*: at most one,
    such as ``linux/amd64``; the engine's own without it. *only*: patterns as in a ``.dockerignore``: the
    builder gets the files that match one, and the Dockerfile; all without any. Builds that differ in any of these are
    different images.
    """

    context: str = "."
    dockerfile: str = "Dockerfile"
    target: str | None = None
    args: Mapping[str, str | int | float | bool] | tuple[tuple[str, str], ...] = ()
    secrets: Sequence[str] = ()
    platforms: Sequence[str] = ()
    only: Sequence[str] = ()

    def by_default_for(self, platforms: Sequence[str]) -> Self:
        """It, for *platforms* unless it names its own."""
        return replace(self, platforms=self.platforms or tuple(platforms))


@dataclass(frozen=True)
class Rolling:
    """Replace instances in place, at most *max_parallel* at once (a number, or a share such as ``"25%"``, rounded
    down, at least one), the first one alone.

    *min_healthy_sec*: an instance counts only after it was healthy for so long without a restart; None is 10, or so
    long that a failing alive check shows. *healthy_deadline_sec*: the longest an instance may take to become healthy;
    None follows the service's start_sec and stop_sec. *progress_deadline_sec*: the longest time between two instances
    becoming healthy; None follows both. In a `ServiceSpec` none of the three is None.
    *auto_revert*: restore the old text of the changed instances if the rollout fails.
    """

    max_parallel: int | str = 1
    min_healthy_sec: int | None = None
    healthy_deadline_sec: int | None = None
    progress_deadline_sec: int | None = None
    auto_revert: bool = True


@dataclass(frozen=True)
class BlueGreen:
    """Start the new generation beside the old one; remove the old one *keep_old_sec* after the new one is healthy."""

    keep_old_sec: int = 30
    min_healthy_sec: int | None = None
    healthy_deadline_sec: int | None = None
    progress_deadline_sec: int | None = None


Rollout = Rolling | BlueGreen


@dataclass(frozen=True)
class Window:
    """Run *at_least* so many instances, all healthy from *ready_by* until *until* (``"HH:MM"`` in *timezone*).

    *days*: such as ``"Mon-Fri"`` or ``["Sat", "Sun"]``; *dates*: such as ``["2026-12-24"]``, instead of days; without
    both every day. *until* up to *ready_by* is on the next day. *machines*: how many machines of its own it needs.
    """

    name: str
    at_least: int
    ready_by: str
    until: str
    days: str | Sequence[str] | None = None
    dates: Sequence[str] | None = None
    timezone: str = "UTC"
    machines: int = 0


@dataclass(frozen=True)
class SecretFile:
    """A file with the secret *name* in a container: its *mode* in octal digits, and its *owner* there, ``uid:gid`` in
    numbers. *base64*: the configuration has the file in base64, as binary files need."""

    name: str
    mode: str = "0400"
    owner: str = "0:0"
    base64: bool = False


@dataclass(frozen=True)
class Port:
    """One published port, as ``docker run -p`` takes it.

    *host* None: Docker picks a free port. *host_last* set: Docker picks the first free port of ``host..host_last``.
    *address*: an IP address of the machine, without brackets.
    """

    container: int
    host: int | None = None
    host_last: int | None = None
    protocol: str = "tcp"
    address: str | None = None


@dataclass(frozen=True)
class HttpRoute:
    """Requests to *port* of each machine, for the name *host* (None: any name) and below *path*, go to the service.

    *tls*: the name of a secret that is the certificate chain and its key in PEM. The port then takes HTTPS only.
    """

    port: int
    host: str | None = None
    path: str = "/"
    tls: str | None = None


@dataclass(frozen=True)
class TcpRoute:
    """Connections to *port* of each machine go to the service."""

    port: int


Route = HttpRoute | TcpRoute


@dataclass(frozen=True)
class PublicRoute:
    """A *route* of the app's public address, and the *service* that it leads to, also under its *former* name ("":
    none)."""

    service: str
    route: Route
    former: str = ""


@dataclass(frozen=True)
class ServiceSpec:
    """One service, resolved. A tuple of lines is None for the implicit lines, empty for no lines.

    *instances* is 1 for a service that is replaced blue/green (``rollout`` is then a `BlueGreen`) and for a global
    unit. *unit*, *service* and *x_fleet* are (option, value) pairs to add to the section of that name.
    *command* and *docker_args* are words. In these, in *env*'s values, *volumes* and *description*, systemd replaces
    only parts of an `Expand`.
    *secrets*: the names of those that the container has as variables. *secret_files*: (path in the container, file).
    *leave_sec*: how long it goes on after it is out of discovery, before it stops; proxies and a balancer see that.
    *renamed_from*: the name that it had, whose instances its own replace.
    *public*: the routes of the app's public address that lead to the first of ``ports``.
    *routes*: those of all services, in the order of matching; only the service that is the app's proxy has them.
    *location*: where the Fleetfile declares it, as ``Fleetfile.py:12``.
    """

    name: str
    description: str
    image: str | Build
    command: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    public: tuple[Route, ...] = ()
    volumes: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    secret_files: tuple[tuple[str, SecretFile], ...] = ()
    docker_args: tuple[str, ...] = ()
    instances: int = 1
    start: tuple[str, ...] | None = None
    before_start: tuple[str, ...] | None = None
    after_start: tuple[str, ...] | None = None
    before_stop: tuple[str, ...] | None = None
    stop: tuple[str, ...] | None = None
    after_stop: tuple[str, ...] | None = None
    reload: tuple[str, ...] | None = None
    ready: Ready | None = None
    alive: Alive | None = None
    restart_sec: int = 5
    stop_sec: int = 10
    leave_sec: int = 0
    start_sec: int = 300
    after: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    machine_id: str | None = None
    machine_of: tuple[str, ...] = ()
    machine_metadata: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    global_unit: bool = False
    unit: tuple[tuple[str, str], ...] = ()
    service: tuple[tuple[str, str], ...] = ()
    x_fleet: tuple[tuple[str, str], ...] = ()
    rollout: Rollout = Rolling(min_healthy_sec=10, healthy_deadline_sec=310, progress_deadline_sec=600)
    versions: tuple[str, ...] = ()
    renamed_from: str | None = None
    routes: tuple[PublicRoute, ...] = ()
    scale: tuple[WindowSpec, ...] = ()
    location: str = field(default="", compare=False)

    @property
    def secret_names(self) -> tuple[str, ...]:
        """The secrets that its container has, as variables or in files; each once, sorted."""
        return tuple(sorted({*self.secrets, *(file.name for _, file in self.secret_files)}))

    @property
    def host_network(self) -> bool:
        """Whether the container has the machine's own network: each of its ports is the machine's, and none is
        published."""
        return self.start is None and "host" in networks(self.docker_args)


@dataclass(frozen=True)
class TaskSpec:
    """One task, resolved. *container* is what runs, as the service of the same name would. The task runs after the
    services *after* are deployed, and before the services *before* are; or at *every* moment of a calendar event of
    systemd ("": once). At most *timeout_sec* seconds long."""

    container: ServiceSpec
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    timeout_sec: int = 600
    every: str = ""

    @property
    def name(self) -> str:
        """The name of the task, which no service of the app has."""
        return self.container.name


@dataclass(frozen=True)
class App:
    """A whole Fleetfile: the app's name, its services and tasks in the order written, the folder *root* that it is in,
    and the name *image* to push the app's own image to. *sources*: itself and the files that it read, modules among
    them."""

    app: str
    services: tuple[ServiceSpec, ...]
    root: Path
    image: str | None = None
    sources: tuple[Path, ...] = field(default=(), compare=False)
    tasks: tuple[TaskSpec, ...] = ()

    @property
    def containers(self) -> tuple[ServiceSpec, ...]:
        """All that runs: the services, and what the tasks run."""
        return (*self.services, *(task.container for task in self.tasks))
