"""A real cluster for the benchmarks. Its services are processes without a container, so that the times are those of the
deployment and not of docker on a small computer."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.remove import remove
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.names import generation_names, instance_names
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from tests.e2e.stack import Stack
from tests.faults.machine_faults import machines

__all__ = ["APP", "Site", "fleetfile", "site"]

APP = "bench"
_LIGHT = 'start="/bin/sleep infinity", before_start=[], stop=[], after_stop=[], restart_sec=1'
_STACK = "fleetcaptain/bench"
_REMOVED_AT_ONCE = 60


@dataclass
class Site:
    """The *cluster* of a stack. Every unit file that it returns is new."""

    stack: Stack
    cluster: Cluster
    counter: Iterator[int] = field(default_factory=itertools.count)

    def file(self, service: str) -> UnitFile:
        """A unit file that no earlier call has returned."""
        light = ServiceSpec(service, f"number {next(self.counter)}", "none", restart_sec=1)
        spec = replace(light, start=("/bin/sleep infinity",), before_start=(), stop=(), after_stop=())
        return render(spec, Mark(APP, _STACK, service))

    def target(self, service: str, instances: int, *, generation: bool = False) -> Target:
        """A new text for *instances* of *service*."""
        file = self.file(service)
        names = (
            generation_names(service, file.unit_hash, instances) if generation else instance_names(service, instances)
        )
        return Target(service, names, file)

    def active(self, names: Sequence[str], sha1: str) -> bool:
        """Whether all of *names* run the text with this hash, as fleet reports it."""
        states = {state.name: state for state in self.cluster.fleet.states()}
        return all(name in states and (states[name].unit_hash, states[name].sub) == (sha1, "running") for name in names)

    def known(self, names: Sequence[str]) -> bool:
        """Whether fleet or systemd knows any of *names*."""
        seen = {unit.name for unit in self.cluster.fleet.units()}
        return bool((seen | {state.name for state in self.cluster.fleet.states()}) & set(names))

    def left_on_machines(self, service: str) -> int:
        """How many units of *service* systemd has loaded, on all machines."""
        argv = ["systemctl", "list-units", "--all", "--plain", "--no-legend", f"{service}@*"]
        return sum(len(machine.exec_run(argv)[1].splitlines()) for machine in machines(self.stack).values())

    def install(self, target: Target) -> None:
        """Put all units and wait until they run."""
        for name in target.names:
            self.cluster.fleet.put(name, target.file, DesiredState.LAUNCHED)
        while not self.active(target.names, target.unit_hash):
            self.cluster.sleep(0.2)

    def clear(self, service: str, names: Sequence[str]) -> None:
        """Remove units, as many at a time as three machines remove within the limit."""
        for first in range(0, len(names), _REMOVED_AT_ONCE):
            remove(self.cluster, service, names[first : first + _REMOVED_AT_ONCE])


def fleetfile(services: int, instances: int, number: int = 0) -> str:
    """A Fleetfile of *services* light services; every text contains *number*."""
    lines = [
        f'Service("s{i}", description="{number}", instances={instances}, image="none", {_LIGHT}, '
        "rollout=Rolling(min_healthy_sec=0)),"
        for i in range(services)
    ]
    head = "from fleetcaptain import Fleetfile, Rolling, Service\n\n"
    return f'{head}fleet = Fleetfile(app="{APP}", services=[\n' + "\n".join(lines) + "\n])\n"


@contextmanager
def site(name: str = "bench", **settings: str) -> Iterator[Site]:
    """A cluster of three machines with one light service, removed when the block ends. *settings* are its stack's."""
    home = Path(tempfile.mkdtemp(prefix="fleetcaptain-bench-"))
    (home / "app").mkdir()
    (home / "app" / "Fleetfile.py").write_text(fleetfile(1, 1))
    stack = Stack(name, home / "app", home / "pulumi", settings)
    try:
        stack.up()
        yield Site(stack, stack.cluster(APP).owned_by(_STACK))
    finally:
        stack.remove()
        shutil.rmtree(home, ignore_errors=True)
