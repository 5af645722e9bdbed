"""`agent stopping`: a unit's registration is removed before the unit ends, whatever happens to etcd or to its file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.shell_machine import MACHINE_ID, SHELLS, UNIT, PretendedMachine, made_by_app
from tests.unit.units.specs import SPECS

pytestmark = pytest.mark.parametrize("machine", SHELLS, indirect=True)
SPEC = replace(SPECS["app_server"], start=("/bin/x",), ready=None)
# Text of an app that looks like parts of etcd's answer.
TRICKS = f'"value":"{{"machine":"{MACHINE_ID}","lease":"beacon"}} "modifiedIndex":7,'


def start(machine: PretendedMachine, *, registered: bool = True) -> None:
    """Start the unit; without *registered* only its first line."""
    machine.load(SPEC)
    assert machine.agent("starting", UNIT).returncode == 0
    if registered:
        assert machine.agent("started", UNIT).returncode == 0


def test_it_removes_key_and_file(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """A second time, in ExecStopPost=, changes nothing."""
    start(machine)
    done = machine.agent("stopping", UNIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert etcd.values == {}
    assert not machine.file().exists()
    written = len(etcd.writes)
    assert machine.agent("stopping", UNIT).stderr == ""
    assert len(etcd.writes) == written


def test_it_ends_as_the_command(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """With its words and its exit code, after the registration is gone."""
    start(machine)
    machine.stub(
        "stop", f'printf "%s|" "$@" >{machine.folder}/seen; ls {machine.file().parent} >>{machine.folder}/seen; exit 7'
    )
    assert machine.agent("stopping", UNIT, "stop", "-t", "10", "a b", "*").returncode == 7
    assert (machine.folder / "seen").read_text() == "-t|10|a b|*|"
    assert etcd.values == {}


@pytest.mark.parametrize(
    ("docker", "code", "shown"),
    [
        ('echo "$3"', 0, ""),
        ("echo 'Error response from daemon: No such container: fc.shop.web.1' >&2; exit 1", 0, ""),
        ("echo 'Cannot connect to the Docker daemon' >&2; exit 1", 1, "Cannot connect to the Docker daemon\n"),
    ],
)
def test_a_container_that_is_not_there_is_no_error_of_docker(
    machine: PretendedMachine, docker: str, code: int, shown: str
) -> None:
    """Most containers are removed with their command. Nor is the name of one that was in the unit's journal."""
    start(machine)
    machine.stub("docker", docker)
    done = machine.agent("stopping", UNIT, str(machine.folder / "bin" / "docker"), "rm", "-fv", "fc.shop.web.1")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", shown)


def test_it_needs_no_file_of_the_unit(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """fleet removes it while the unit stops."""
    start(machine)
    (machine.units / UNIT).unlink()
    assert machine.agent("stopping", UNIT).returncode == 0
    assert etcd.values == {}


def test_a_unit_that_never_started_has_nothing_to_remove(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Such as one whose first line was refused. Its command runs."""
    done = machine.agent("stopping", UNIT, "sh", "-c", "exit 3")
    assert (done.returncode, done.stderr, etcd.requests) == (3, "", [])


def test_what_another_machine_registered_is_left(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The unit may run elsewhere by now; only this machine's own value is removed."""
    start(machine)
    etcd.put(machine.key(), "of another machine", 60)
    machine.agent("stopping", UNIT)
    assert etcd.values == {machine.key(): "of another machine"}
    assert not machine.file().exists()


@pytest.mark.parametrize("lease", ["app", "beacon"])
@pytest.mark.parametrize("registered", [True, False])
def test_what_the_app_registered_is_removed_with_its_unit(
    machine: PretendedMachine, etcd: FakeEtcd, lease: str, registered: bool
) -> None:
    """No request is sent to an instance that is about to stop, even when the unit itself never came to register."""
    start(machine, registered=registered)
    etcd.put(machine.key(), made_by_app(lease, connection={"note": TRICKS}), 60)
    machine.agent("stopping", UNIT)
    assert etcd.values == {}
    assert not machine.file().exists()


def test_what_the_app_registered_on_another_machine_is_left(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The unit runs there by now."""
    start(machine)
    nested = {"machine": MACHINE_ID, "lease": "app"}
    value = etcd.put(machine.key(), made_by_app(machine="machine-b", connection=nested), 60)
    machine.agent("stopping", UNIT)
    assert etcd.values == {machine.key(): value}


def test_while_etcd_is_away_the_file_stays_and_the_stop_goes_on(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """An etcd that is down neither holds up the stop nor makes the registration forgotten."""
    start(machine)
    etcd.close()
    done = machine.agent("stopping", UNIT, "touch", f"{machine.folder}/stopped")
    assert "etcd did not answer" in done.stdout
    assert (machine.folder / "stopped").exists()
    assert machine.file().exists()


@pytest.mark.parametrize("failures", [2, 9])
def test_without_a_leader_the_file_stays(machine: PretendedMachine, etcd: FakeEtcd, failures: int) -> None:
    """etcd answers with 500 and may have done nothing; a lookup still succeeds then."""
    start(machine)
    etcd.failures = failures
    machine.agent("stopping", UNIT)
    assert machine.file().exists()
    etcd.failures = 0
    machine.loop()
    assert etcd.values.keys() == {f"/fleetcaptain/{machine.app}/machines/{MACHINE_ID}"}


def test_an_odd_error_of_curl_is_no_answer(machine: PretendedMachine) -> None:
    """Some versions write their message after the status."""
    start(machine)
    machine.stub("curl", 'printf " 000"; echo "curl: (52) Empty reply from server" >&2; exit 52')
    machine.agent("stopping", UNIT)
    assert machine.file().exists()
