"""`agent run`: opens and closes the windows of services, once for all machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcaptain.discovery.keys import lock_key, window_event_key, window_plan_key, window_state_key
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.rollout.lock import Owner
from fleetcaptain.units.unit_text import Option
from tests.fakes.fake_etcd import FakeEtcd
from tests.fakes.fleet.fake_fleet import Cluster, Stored
from tests.fakes.fleet.fleet_server import FakeFleet, Fault
from tests.programs import program
from tests.unit.units.shell_machine import ADDRESS, APP, MACHINE_ID, SHELLS, PretendedMachine, registration

pytestmark = pytest.mark.parametrize("machine", SHELLS, indirect=True)

# A window of an hour each week, of a service with four instances, which opens 180 s before its ready_by.
READY_BY = 1795748400
UNTIL = READY_BY + 3600
LEAD_SEC = 180
OPENS = READY_BY - LEAD_SEC
WEEK_SEC = 7 * 86400
SERIES = f"{READY_BY}:{WEEK_SEC}:520:3600:12:0:megaquery"
PLAN = f"v1 unit=web@%.service base=4 most=12 warm=12 lead={LEAD_SEC} horizon=2110000000;{SERIES}"
STATE = window_state_key(APP, "web")
PLAN_KEY = window_plan_key(APP, "web")


class Site:
    """A pretended machine with clocks of its own, its etcd, and fleet."""

    def __init__(self, machine: PretendedMachine, etcd: FakeEtcd, fleet: FakeFleet) -> None:
        self.machine, self.etcd, self.fleet = machine, etcd, fleet
        self.uptime = machine.own_clock()
        self.wall_clock = machine.folder / "wall-clock"
        machine.stub(
            "date",
            f'now=$(cat {self.wall_clock}); [ "$1" = +%s ] && echo $now || exec {program("date")} -u -d @$now "$2"',
        )
        self.at(READY_BY - 7200)

    def at(self, time: int) -> None:
        """It is this time, of the Unix clock."""
        self.wall_clock.write_text(f"{time}\n")

    def units(self, service: str = "web", app: str = APP, most: int = 12) -> None:
        """A deployment put the units of a service with four instances."""
        for number in range(1, most + 1):
            options = (Option("Service", "ExecStart", "/bin/x"), Option("X-FleetCaptain", "App", app))
            self.fleet.cluster.store(f"{service}@{number}.service", options, "launched" if number <= 4 else "loaded")

    def run(self, time: int = 0, rounds: int = 1, step_sec: int = 4, between: str = ":") -> str:
        """The log of so many *rounds* of the loop, the first one at *time*."""
        if time:
            self.at(time)
        later = (
            f"read -r up _ <{self.uptime}; echo $((${{up%.*}} + {step_sec})).00 1 >{self.uptime}"
            f"; echo $(($(cat {self.wall_clock}) + {step_sec})) >{self.wall_clock}"
        )
        done = self.machine.loop(rounds, f"{between}; {later}")
        assert done.stderr == ""
        return done.stdout.partition("\n")[2]

    def desired(self, service: str = "web") -> list[str]:
        """The desired states of the units of *service*, by their numbers."""
        states = {name: unit.desired for name, unit in self.fleet.cluster.units.items()}
        return [
            states[f"{service}@{number}.service"] for number in range(1, 13) if f"{service}@{number}.service" in states
        ]

    def register(self, count: int, service: str = "web") -> None:
        """So many instances are in discovery."""
        for number in range(1, count + 1):
            unit = f"{service}@{number}.service"
            self.etcd.put(self.machine.key(service, unit), registration({"unit": unit, "machine": "machine-b"}), 800)

    def changes(self) -> list[tuple[str, str]]:
        """What the machine wrote into etcd, apart from heartbeats."""
        return [(method, key) for method, key, _ in self.etcd.writes if "/machines/" not in key]

    @property
    def state(self) -> str | None:
        """The state of the service `web`."""
        return self.etcd.values.get(STATE)


OPEN = ["launched"] * 12
CLOSED = ["launched"] * 4 + ["loaded"] * 8


@pytest.fixture
def fleet(machine: PretendedMachine) -> Iterator[FakeFleet]:
    """fleet on the machine's socket."""
    with FakeFleet(socket_path=machine.folder / "fleet.sock") as fleet:
        yield fleet


@pytest.fixture
def site(machine: PretendedMachine, etcd: FakeEtcd, fleet: FakeFleet) -> Site:
    """The service `web` is deployed, with a window."""
    site = Site(machine, etcd, fleet)
    etcd.put(PLAN_KEY, PLAN)
    site.units()
    return site


def test_a_window_opens_and_closes(site: Site) -> None:
    """Each with one line in the log, and one event."""
    assert site.run(OPENS - 1) == ""
    assert site.desired() == CLOSED
    assert site.run(OPENS) == "window megaquery of web: 4 -> 12 instances, due in 180 s\n"
    assert site.desired() == OPEN
    opened = f"at={OPENS} from=4 to=12 due={READY_BY} by={MACHINE_ID} ready=-"
    assert site.state == opened
    assert site.run(UNTIL - 1) == "web: 0 of 12 instances are ready at 03:00:00Z, when all must be\n"
    assert site.run(UNTIL) == "web: 12 -> 4 instances, its window ended\n"
    assert site.desired() == CLOSED
    closed = f"at={UNTIL} from=12 to=4 due=0 by={MACHINE_ID} ready={UNTIL}"
    assert site.state == closed
    events = {window_event_key(APP, "web", OPENS): opened, window_event_key(APP, "web", UNTIL): closed}
    assert {key: entry.value for key, entry in site.etcd.entries.items() if "_events" in key} == events
    assert {entry.ttl for key, entry in site.etcd.entries.items() if "_events" in key} == {172800}
    assert lock_key(APP, "web") not in site.etcd.values
