"""Services under maintenance: their registrations are marked, and their units go on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fleetcaptain.discovery.documents import drained
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.shell_machine import APP, MACHINE_ID, SHELLS, UNIT, PretendedMachine, made_by_app, registration
from tests.unit.units.specs import SPECS

pytestmark = pytest.mark.parametrize("machine", SHELLS, indirect=True)
SPEC = replace(SPECS["app_server"], start=("/bin/x",), ready=None)
MAINTENANCE = f"/fleetcaptain/{APP}/maintenance/app_server"
WHO = '{"who":"ann@laptop","since":"2030-01-31T12:00:00+00:00"}'
VALUE = registration({"service": "app_server", "unit": UNIT, "machine": MACHINE_ID, "note": "a & b"})
MARKED = f'{VALUE[:-1]},"draining":true,"maintenance":true}}'
OUT = f"{UNIT} is out of discovery: its service is under maintenance"
BACK = f"{UNIT} is in discovery again: the maintenance of its service ended"


def register(machine: PretendedMachine, etcd: FakeEtcd, value: str = VALUE, file: str = VALUE) -> None:
    """The unit runs, has registered with *file*, and *value* is in etcd. Another service has a unit of that kind."""
    for service, unit in (("app_server", UNIT), ("web", "web@1.service")):
        machine.file(service, unit).parent.mkdir(parents=True, exist_ok=True)
        machine.file(service, unit).write_text(file if service == "app_server" else VALUE)
        etcd.put(machine.key(service, unit), value if service == "app_server" else VALUE, 800)
    machine.states({UNIT: "active", "web@1.service": "active"})


def test_a_service_is_out_of_discovery_and_comes_back(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Within a round of the loop, in etcd and in the file; nothing else changes, of other services neither."""
    register(machine, etcd)
    url = f"{etcd.url}/v2/keys{MAINTENANCE}"
    on, off = f"curl -sS -X PUT -d 'value={WHO}' {url}", f"curl -sS -X DELETE {url}"
    save = f"cp {machine.file()} {machine.folder}/seen"
    done = machine.loop(6, f"case $n in 1) {on} ;; 3) {save}; {off} ;; esac >/dev/null")
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == [OUT, BACK]
    assert (machine.folder / "seen").read_text() == MARKED
    assert machine.file().read_text() == etcd.values[machine.key()] == VALUE
    written = [(form["value"], form["ttl"]) for method, key, form in etcd.writes if key == machine.key()]
    assert [value for value, _ in written] == [MARKED, VALUE]
    assert {ttl for _, ttl in written} <= {"800", "799", "798"}
    assert not [key for _, key, _ in etcd.writes if "/web/" in key]


def test_a_unit_that_starts_meanwhile_is_out_from_the_beginning(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Also when the loop has not seen it yet, as after a boot. Its stop removes its registration as ever."""
    etcd.put(MAINTENANCE, WHO)
    machine.load(SPEC)
    for _ in range(2):
        assert machine.agent("starting", UNIT).returncode == 0
        assert machine.agent("started", UNIT).returncode == 0
        puts = [form["value"] for method, key, form in etcd.writes if (method, key) == ("PUT", machine.key())]
        assert all(value.endswith('Z","draining":true,"maintenance":true}') for value in puts)
        assert machine.file().read_text() == etcd.values[machine.key()]
        assert machine.agent("stopping", UNIT).returncode == 0
        assert machine.key() not in etcd.values
        assert not machine.file().exists()
    etcd.remove(MAINTENANCE)
    assert machine.agent("started", UNIT).returncode == 0
    assert "draining" not in etcd.value(machine.key())


def test_the_loop_follows_what_a_starting_unit_has_seen_first(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The units that run already are not forgotten."""
    register(machine, etcd)
    machine.load(replace(SPEC, name="other"), "other@1.service")
    etcd.put(MAINTENANCE, WHO)
    assert machine.agent("started", "other@1.service").returncode == 0
    assert etcd.values[machine.key()] == VALUE
    machine.loop()
    assert etcd.values[machine.key()] == machine.file().read_text() == MARKED


def test_what_a_starting_unit_notes_too_late_is_corrected(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """It asked before the maintenance ended, or began, and wrote after the loop."""
    register(machine, etcd)
    note = f"printf '%s\\n' app_server >{machine.home}/maintained"
    machine.loop(6, f"case $n in 2) {note} ;; esac")
    assert etcd.values[machine.key()] == machine.file().read_text() == VALUE
    etcd.put(MAINTENANCE, WHO)
    machine.loop(6, f"case $n in 2) : >{machine.home}/maintained ;; esac")
    assert etcd.values[machine.key()] == machine.file().read_text() == MARKED


def test_a_long_value_of_a_guest_keeps_no_machine_silent(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Its quotes are not read one by one in the loop of the heartbeats, so it stays as it is."""
    guest = f"""{made_by_app("app", note=3000 * '"')[:-1]},"draining":true,"maintenance":true}}"""
    register(machine, etcd, guest)
    machine.loop(2)
    assert etcd.values[machine.key()] == guest


@pytest.mark.parametrize("lease", ["app", "beacon"])
def test_what_the_app_registers_meanwhile_is_marked(machine: PretendedMachine, etcd: FakeEtcd, lease: str) -> None:
    """In the next round, whenever that is. Afterwards it is as the app wrote it."""
    register(machine, etcd)
    etcd.put(MAINTENANCE, WHO)
    own = made_by_app(lease, note='a "b" {c}')
    url = f"{etcd.url}/v2/keys{machine.key()}"
    (machine.folder / "own").write_text(own)
    write = f"curl -sS -X PUT -d ttl=60 --data-urlencode value@{machine.folder}/own {url}"
    machine.loop(4, f"case $n in 2) {write} ;; esac >/dev/null")
    assert etcd.values[machine.key()] == f'{own[:-1]},"draining":true,"maintenance":true}}'
    assert machine.file().read_text() == MARKED
    etcd.remove(MAINTENANCE)
    machine.loop()
    assert (etcd.values[machine.key()], machine.file().read_text()) == (own, VALUE)


@pytest.mark.parametrize("file", [VALUE, MARKED])
def test_a_registration_that_was_lost_comes_back_with_its_mark(
    machine: PretendedMachine, etcd: FakeEtcd, file: str
) -> None:
    """As after an outage of etcd."""
    register(machine, etcd, file=file)
    etcd.put(MAINTENANCE, WHO)
    etcd.remove(machine.key())
    assert (OUT in machine.loop(2).stdout) is (file == VALUE)
    assert etcd.values[machine.key()] == machine.file().read_text() == MARKED


@pytest.mark.parametrize(("value", "file"), [(VALUE, MARKED), (MARKED, VALUE)])
def test_etcd_and_the_file_become_equal(machine: PretendedMachine, etcd: FakeEtcd, value: str, file: str) -> None:
    """As when the agent was killed between the two."""
    for is_out in (True, False):
        register(machine, etcd, value, file)
        (etcd.put(MAINTENANCE, WHO) if is_out else etcd.remove(MAINTENANCE))
        machine.loop()
        assert etcd.values[machine.key()] == machine.file().read_text() == (MARKED if is_out else VALUE)


def test_what_the_app_itself_took_out_of_discovery_stays_so(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Its unit's own registration has the mark in the file alone. That is said once."""
    own = made_by_app("beacon", draining=True)
    register(machine, etcd, own)
    etcd.put(MAINTENANCE, WHO)
    assert machine.loop(4).stdout.splitlines()[1:] == [OUT]
    assert (etcd.values[machine.key()], machine.file().read_text()) == (own, MARKED)
    etcd.remove(MAINTENANCE)
    machine.loop()
    assert (etcd.values[machine.key()], machine.file().read_text()) == (own, VALUE)


@pytest.mark.parametrize("failed", [0, 5])
def test_what_a_rollout_drains_stays(machine: PretendedMachine, etcd: FakeEtcd, failed: int) -> None:
    """It is about to stop, also after the maintenance, and also if its alive check failed."""
    register(machine, etcd, drained(MARKED), MARKED)
    for name, line in {"alive": "100 10 3 30 1 300 app_server c", "checked": f"999999999 {failed} - -"}.items():
        (machine.home / name).mkdir()
        (machine.home / name / UNIT).write_text(f"{line}\n")
    etcd.put(MAINTENANCE, WHO)
    machine.loop(3)
    etcd.remove(MAINTENANCE)
    done = machine.loop(2)
    assert (done.stderr, "discovery" in done.stdout) == ("", False)
    assert etcd.values[machine.key()] == drained(VALUE)
    assert not [key for _, key, _ in etcd.writes if key == machine.key()]


def test_maintenance_takes_the_place_of_a_failing_check(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The reason of the check comes back with its next failure."""
    failing = json.dumps({**json.loads(VALUE), "draining": True, "failing": "x"}, separators=(",", ":"))
    register(machine, etcd, failing, failing)
    etcd.put(MAINTENANCE, WHO)
    machine.loop()
    assert etcd.values[machine.key()] == machine.file().read_text() == MARKED
    etcd.remove(MAINTENANCE)
    machine.loop()
    assert etcd.values[machine.key()] == machine.file().read_text() == VALUE


def test_without_an_answer_nothing_changes(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """A service under maintenance stays out."""
    register(machine, etcd)
    etcd.put(MAINTENANCE, WHO)
    machine.loop()
    etcd.remove(MAINTENANCE)
    machine.curl('case "$*" in */maintenance) exit 7 ;; esac')
    machine.loop(2)
    assert etcd.values[machine.key()] == machine.file().read_text() == MARKED
