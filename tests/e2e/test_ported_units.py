"""docs/porting.md: the services of each shape of a fleet unit, deployed as the page writes them. Shapes whose services
have different names are deployed as one app."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from fleetcaptain.localcluster.docker_client import exec_in
from tests.e2e.stack import Stack, stack_name
from tests.faults.machine_faults import machine_of, machines, run_on
from tests.fleetfiles.porting import SHAPES

# What stands for all programs of the page: it answers at the ports that its services name.
_SERVER = """\
#!/usr/bin/perl
use IO::Socket::INET; use IO::Select;
$SIG{TERM} = sub { exit 0 };
my @ports = (80, 5432, 6379, 9100, 9200, 9300);
my @open = grep { $_ } map { IO::Socket::INET->new(LocalPort => $_, Listen => 9, ReuseAddr => 1) } @ports;
my $all = IO::Select->new(@open);
while (1) {
  for my $one ($all->can_read) {
    my $peer = $one->accept or next;
    sysread $peer, my $request, 4096;
    print $peer "HTTP/1.0 200 OK\\r\\n\\r\\n";
    close $peer;
  }
}
"""
_DOCKERFILE = """\
FROM debian:trixie
COPY server /server
WORKDIR /app
RUN chmod 755 /server && mkdir bin && ln -s /server bin/serve && ln -s /server bin/worker \
  && ln -s /bin/true bin/migrate && ln -s /bin/true bin/backup && ln -s /bin/true /usr/local/bin/rake
CMD ["/server"]
"""
# No machine on this computer has other metadata than its name and zone, and no image of others can be fetched.
_CHANGES = {
    **{
        f'image="{image}"': 'image=Build(".", "Dockerfile.server")'
        for image in (
            "nginx:1.25",
            "postgres:16",
            "gliderlabs/logspout",
            "haproxy:2.8",
            "redis:7",
            "elasticsearch:7.17.9",
        )
    },
    "from fleetcaptain import ": "from fleetcaptain import Build, ",
    '"disk": "ssd"': '"name": "m1"',
    '"role=worker", "region=eu", "region=us"': '"name=m1", "name=m2"',
}


@pytest.fixture(scope="module")
def ported(_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three machines with what the units of the page expect there."""
    home = tmp_path_factory.mktemp("porting")
    app = home / "app"
    app.mkdir()
    (app / "server").write_text(_SERVER)
    (app / "Dockerfile").write_text(_DOCKERFILE)
    (app / "Dockerfile.server").write_text(_DOCKERFILE.replace("CMD", "ENTRYPOINT"))
    _write(app, ["Two services on one machine"])
    config = {"size": "3", "strays": "remove", "openKeys": "/services"}
    stack = Stack(stack_name("e2e-porting"), app, home / "pulumi", config)
    try:
        stack.up()
        agent = f"mkdir -p /opt/bin && cat > /opt/bin/agent <<'END' && chmod 755 /opt/bin/agent\n{_SERVER}END\n"
        for machine in machines(stack).values():
            run_on(machine, "sh", "-ec", f"touch /etc/shop-db.env; {agent}")
        yield stack
    finally:
        stack.remove()


# On the machine's own network the server has all of its ports, so these are deployed without others.
_ALONE = ("Host network", "A program without a container")


def _batches() -> list[tuple[str, ...]]:
    """The headings of all shapes, in groups whose services have different names."""
    assert set(_ALONE) <= SHAPES.keys()
    groups: list[tuple[set[str], list[str]]] = []
    for heading, text in SHAPES.items():
        if heading in _ALONE:
            continue
        names = set(re.findall(r'(?:Service|Task)\(\s*"([^"]+)"', text))
        taken, headings = next((group for group in groups if not group[0] & names), (set[str](), list[str]()))
        if not headings:
            groups.append((taken, headings))
        taken |= names
        headings.append(heading)
    return [*(tuple(headings) for _, headings in groups), *((heading,) for heading in _ALONE)]


_BATCHES = _batches()


def _write(app: Path, headings: Iterable[str]) -> None:
    """A Fleetfile with the services and tasks of all *headings*."""
    lines = ["from fleetcaptain import Fleetfile as Whole", "parts = []"]
    for heading in headings:
        text = SHAPES[heading]
        for old, new in _CHANGES.items():
            text = text.replace(old, new)
        # The name is imported by each of them.
        lines.append(text.replace("fleet = Fleetfile(", "parts.append(dict(") + ")")
    lines.append("assert len({part['app'] for part in parts}) == 1")
    lines.append('services = [one for part in parts for one in part.pop("services")]')
    lines.append('tasks = [one for part in parts for one in part.pop("tasks", ())]')
    lines.append(
        "fleet = Whole(**dict(pair for part in parts for pair in part.items()), services=services, tasks=tasks)"
    )
    (app / "Fleetfile.py").write_text("\n".join(lines))


def _container(stack: Stack, unit: str) -> Mapping[str, object]:
    """What docker says of the container of *unit* on its machine."""
    name = f"fc.shop.{unit.removesuffix('.service').replace('@', '.')}"
    return dict(json.loads(run_on(machine_of(stack, unit), "docker", "inspect", name))[0])


def _knows_itself(stack: Stack) -> bool:
    container = _container(stack, "web@2.service")
    machine = run_on(machine_of(stack, "web@2.service"), "hostname").strip()
    return {f"HOST={machine}", "UNIT=web@2.service"} <= set(container["Config"]["Env"])  # type: ignore[index]


def _is_announced(stack: Stack) -> bool:
    machine = machine_of(stack, "web@1.service")
    read = ("curl", "-s", "http://127.0.0.1:2379/v2/keys/services/web/1")
    return ":8080" in exec_in(machine, *read)[1] and _same_machine(stack, "web@1.service", "web-announce@1.service")


def _same_machine(stack: Stack, one: str, other: str) -> bool:
    units = stack.cluster().snapshot().units
    return units[one].machine_id == units[other].machine_id


def _is_named(stack: Stack) -> bool:
    container = _container(stack, "es@3.service")
    config = container["Config"]
    return config["Hostname"] == "es-3" and "node.name=es-3" in config["Env"]  # type: ignore[index]


def _is_on_the_host(stack: Stack) -> bool:
    entry = next(entry for entry in stack.cluster("shop").snapshot().live if entry.service == "proxy")
    return entry.ports == {"80": 80}


_PROOFS: Mapping[str, Callable[[Stack], bool]] = {
    "One container": _knows_itself,
    "Announcer sidekick": _is_announced,
    "Host network": _is_on_the_host,
    "Two services on one machine": lambda stack: _same_machine(stack, "web@1.service", "cache@1.service"),
    "Node name from the instance": _is_named,
}


@pytest.mark.parametrize("headings", _BATCHES, ids=", ".join)
def test_each_shape_runs(ported: Stack, headings: tuple[str, ...]) -> None:
    """The update ends well when every service is registered."""
    _write(ported.app, headings)
    ported.up()
    assert all(_PROOFS[heading](ported) for heading in headings if heading in _PROOFS)
