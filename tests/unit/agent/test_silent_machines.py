"""`agent run`: registrations of a machine whose heartbeat stands still are removed, and no others."""

from __future__ import annotations

import json

import pytest

from tests.fakes.fake_etcd import FakeEtcd
from tests.programs import program
from tests.unit.units.shell_machine import MACHINE_ID, SHELLS, PretendedMachine, registration

STEADY = 4


class Others:
    """Machines with a heartbeat and one registration each."""

    def __init__(self, machine: PretendedMachine, etcd: FakeEtcd) -> None:
        self.machine, self.etcd = machine, etcd

    def heartbeat(self, machine_id: str) -> str:
        """The key of the heartbeat of *machine_id*."""
        return f"/fleetcaptain/{self.machine.app}/machines/{machine_id}"

    def beat(self, machine_id: str) -> None:
        """*machine_id* has a heartbeat."""
        self.etcd.put(self.heartbeat(machine_id), registration({"agent": "a", "machine": machine_id}), 900)

    def register(self, machine_id: str) -> str:
        """The key of its registration."""
        key = self.machine.key(unit=f"app_server@{machine_id}.service")
        self.etcd.put(
            key, registration({"unit": key.rpartition("/")[2], "machine": machine_id, "ports": {"80": 1}}), 800
        )
        return key

    def known(self, *machine_ids: str) -> dict[str, str]:
        """The keys of the registrations of machines whose heartbeats this machine has seen."""
        for machine_id in machine_ids:
            self.beat(machine_id)
        keys = {machine_id: self.register(machine_id) for machine_id in machine_ids}
        self.machine.loop(2)
        return keys

    def silence(self, machine_id: str) -> None:
        """Its heartbeat changed for the last time long ago."""
        index = self.etcd.entries[self.heartbeat(machine_id)].index
        (self.machine.home / "machines" / machine_id).write_text(f"{index} 0\n")

    def left(self) -> list[str]:
        """The machines that have a registration."""
        return [json.loads(value)["machine"] for key, value in self.etcd.values.items() if "/services/" in key]


@pytest.fixture
def others(machine: PretendedMachine, etcd: FakeEtcd) -> Others:
    """None yet."""
    return Others(machine, etcd)


def test_a_silent_machine_is_swept_and_no_other(machine: PretendedMachine, others: Others) -> None:
    """Also when it is the first of several. The log says which one, and for how long it was silent."""
    others.known("machine-0", "machine-b", "machine-c")
    others.silence("machine-0")
    done = machine.loop(STEADY + 2)
    assert others.left() == ["machine-b", "machine-c"]
    assert others.heartbeat("machine-0") not in others.etcd.values
    assert "unregistered app_server@machine-0.service: no heartbeat of its machine machine-0 for " in done.stdout


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_two_silent_machines_are_swept(machine: PretendedMachine, others: Others) -> None:
    """In one round."""
    others.known("machine-0", "machine-b", "machine-c")
    others.silence("machine-0")
    others.silence("machine-c")
    machine.loop(STEADY)
    assert others.left() == ["machine-b"]


def test_a_machine_whose_heartbeat_is_gone_is_silent_as_long_after(machine: PretendedMachine, others: Others) -> None:
    """Another agent removed it, and ended before it removed the registrations."""
    others.known("machine-b")
    others.silence("machine-b")
    others.etcd.remove(others.heartbeat("machine-b"))
    machine.loop(STEADY)
    assert others.left() == []


def test_a_machine_that_comes_back_at_the_last_moment_is_left(machine: PretendedMachine, others: Others) -> None:
    """Its heartbeat moved after this machine had read it."""
    others.known("machine-b")
    others.silence("machine-b")
    url = f"{machine.url}/v2/keys{others.heartbeat('machine-b')}"
    back = f"{program('curl')} -s -o /dev/null -X PUT -d ttl=900 -d value=back {url}"
    machine.curl(f'case "$*" in *DELETE*/machines/*) {back} ;; esac')
    machine.loop(STEADY)
    assert others.left() == ["machine-b"]
    assert others.etcd.values[others.heartbeat("machine-b")] == "back"


def test_a_heartbeat_that_moves_is_one(machine: PretendedMachine, others: Others) -> None:
    """However long ago it was last seen."""
    others.known("machine-b")
    (machine.home / "machines" / "machine-b").write_text("1 0\n")
    machine.loop(STEADY + 1)
    assert others.left() == ["machine-b"]


def test_a_heartbeat_that_is_gone_too_soon_has_not_ended(
    machine: PretendedMachine, others: Others, etcd: FakeEtcd
) -> None:
    """etcd's leader, whose clock jumped, removed it; the machine writes it again within 4 s."""
    others.known("machine-b")
    etcd.remove(others.heartbeat("machine-b"))
    machine.loop(STEADY)
    assert others.left() == ["machine-b"]


def test_a_machine_of_which_it_is_not_known_when_it_was_seen_is_left(
    machine: PretendedMachine, others: Others, etcd: FakeEtcd
) -> None:
    """The agent was killed while it wrote the file."""
    others.known("machine-b")
    etcd.remove(others.heartbeat("machine-b"))
    (machine.home / "machines" / "machine-b").write_text("")
    machine.loop(STEADY)
    assert others.left() == ["machine-b"]


@pytest.mark.parametrize("service", ["a b", "a?c", "a%2fb"])
def test_an_odd_key_of_a_guest_stops_no_sweep(
    machine: PretendedMachine, others: Others, etcd: FakeEtcd, service: str
) -> None:
    """Guests may write below services/, also in the name of a machine that is silent."""
    others.known("machine-b")
    odd = f"/fleetcaptain/{machine.app}/services/{service}/x"
    etcd.put(odd, registration({"machine": "machine-b"}), 800)
    others.silence("machine-b")
    machine.loop(STEADY)
    assert [key for key in etcd.values if "/services/" in key] == [odd]


def test_an_observer_that_has_just_come_sweeps_nothing(machine: PretendedMachine, others: Others) -> None:
    """Its own heartbeat must be steady first."""
    others.known("machine-b")
    others.silence("machine-b")
    machine.loop(STEADY - 1)
    assert others.left() == ["machine-b"]
    machine.loop(STEADY)
    assert others.left() == []


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_after_an_outage_of_etcd_all_are_silent_and_none_is_swept(machine: PretendedMachine, others: Others) -> None:
    """Not before the observer's own heartbeat is steady again; the others' are back by then."""
    others.known("machine-b")
    others.silence("machine-b")
    down = machine.folder / "down"
    machine.curl(f"[ ! -f {down} ] || exit 7")
    down.touch()
    between = f"[ $n = 1 ] && rm {down}; [ $n = 3 ] && touch {down}; [ $n = 4 ] && rm {down}"
    machine.loop(STEADY + 3, between=f"{between}; :")
    assert others.left() == ["machine-b"]
    machine.loop(STEADY + 4, between=f"{between}; :")
    assert others.left() == []


def test_an_own_heartbeat_that_had_run_out_is_not_steady(machine: PretendedMachine, others: Others) -> None:
    """Others may have taken this machine for dead as well."""
    others.known("machine-b")
    others.silence("machine-b")
    gone = f"curl -s -o /dev/null -X DELETE {machine.url}/v2/keys/fleetcaptain/{machine.app}/machines/{MACHINE_ID}"
    machine.loop(6, between=f"[ $((n % 2)) = 1 ] || {gone}")
    assert others.left() == ["machine-b"]


def test_a_registration_that_changed_meanwhile_is_looked_at_again(
    machine: PretendedMachine, others: Others, etcd: FakeEtcd
) -> None:
    """Compared by its index; a rollout may have marked it."""
    others.known("machine-b")
    others.silence("machine-b")
    etcd.remove(others.heartbeat("machine-b"))
    etcd.lose = 1
    machine.loop(STEADY)
    assert others.left() == ["machine-b"]
    machine.loop(STEADY)
    assert others.left() == []


def test_a_sweep_ends_when_the_observer_is_silent_itself(machine: PretendedMachine, others: Others) -> None:
    """A long one is interrupted by heartbeats, and goes on while they are steady."""
    uptime = machine.own_clock()
    others.known("machine-b")
    others.etcd.put(machine.key(unit="z@1.service"), registration({"machine": "machine-b"}), 800)
    others.silence("machine-b")
    machine.curl(f'case "$*" in *DELETE*) read -r up _ <{uptime}; echo $((${{up%.*}} + 9)).00 1 >{uptime} ;; esac')
    machine.loop(STEADY)
    assert others.left() == ["machine-b"]
    machine.loop(STEADY)
    assert others.left() == []


def test_without_a_leader_it_is_tried_again(machine: PretendedMachine, others: Others) -> None:
    """The machine stays known."""
    others.known("machine-b")
    others.silence("machine-b")
    down = machine.folder / "down"
    machine.curl(
        f'case "$*" in *DELETE*) [ -f {down} ] || {{ printf " 500"; exit; }};; esac',
    )
    machine.loop(STEADY)
    assert others.left() == ["machine-b"]
    machine.loop(STEADY + 1, between=f"touch {down}")
    assert others.left() == []


def test_a_machine_that_no_one_has_seen_is_left(machine: PretendedMachine, others: Others) -> None:
    """Such as one that still runs the units of an old version: it has no heartbeat."""
    others.register("machine-b")
    machine.loop(STEADY + 1)
    assert others.left() == ["machine-b"]


def test_what_names_a_machine_somewhere_else_is_not_its(
    machine: PretendedMachine, others: Others, etcd: FakeEtcd
) -> None:
    """The first machine in a value is the one that wrote it."""
    others.known("machine-b")
    key = others.machine.key(unit="app_server@9.service")
    value = {
        "unit": "x",
        "machine": "machine-c",
        "connection": {"machine": "machine-b", "note": '{"machine":"machine-b"}'},
    }
    etcd.put(key, registration(value), 800)
    others.silence("machine-b")
    machine.loop(STEADY)
    assert others.left() == ["machine-c"]


def test_the_registrations_of_this_machine_are_its_own_to_remove(machine: PretendedMachine, others: Others) -> None:
    """Its own heartbeat is no sign of anything."""
    (machine.home / "machines").mkdir()
    (machine.home / "machines" / MACHINE_ID).write_text("1 0\n")
    machine.states({f"app_server@{MACHINE_ID}.service": "active"})
    others.register(MACHINE_ID)
    machine.loop(STEADY + 1)
    assert others.left() == [MACHINE_ID]
