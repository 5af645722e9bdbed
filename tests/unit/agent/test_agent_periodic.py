"""`agent task` of a periodic task: it runs unless another run goes on; a lost claim blocks it for a time."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from fleetcaptain.discovery.keys import task_key
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.tasks.task_run import RunState, TaskRun, wanted_run
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render_task import render_task
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.shell_machine import APP, IMAGE, MACHINE_ID, SHELLS, PretendedMachine

pytestmark = pytest.mark.parametrize("machine", SHELLS, indirect=True)
TASK = TaskSpec(ServiceSpec("nightly", "", "shop", ("report",)), timeout_sec=60, every="*-*-* 03:30:00")
UNIT = "nightly-task.service"
KEY = task_key(APP, "nightly")
FILE = render_task(TASK, Mark(APP, "behavioral/dev", "nightly")).with_image(IMAGE)
OTHER = TaskRun(RunState.RUNNING, UNIT, FILE.unit_hash, "nightly-task.timer", "2026-01-02T03:04:05Z", "machine-b")


@pytest.fixture(autouse=True)
def loaded(machine: PretendedMachine) -> None:
    """fleet has loaded the unit on the machine; a second is short."""
    machine.write(FILE.text, UNIT)
    machine.stub("docker", "exit 0")
    machine.stub("sleep", "exec /bin/sleep 0.02")


def start(machine: PretendedMachine, script: str = "") -> subprocess.CompletedProcess[str]:
    """The timer starts the unit, whose command is *script*, and says that it ran."""
    return machine.agent("task", UNIT, "sh", "-c", f"{script or 'true'}; echo x >>{machine.folder}/ran")


def runs(machine: PretendedMachine) -> int:
    """How often the command ran."""
    file = machine.folder / "ran"
    return len(file.read_text().split()) if file.exists() else 0


def journal(etcd: FakeEtcd) -> TaskRun:
    """What the journal says."""
    return TaskRun.from_json(etcd.entries[KEY].value)


def test_each_start_is_a_run_whose_result_is_kept(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Without a deployment that wants it. The claim is there before the command begins."""
    machine.stub("begin", f"exec curl -s {etcd.url}/v2/keys{KEY}")
    done = start(machine, "begin")
    assert done.returncode == 0, done.stdout + done.stderr
    run = journal(etcd)
    assert (run.state, run.status, run.machine) == (RunState.DONE, 0, MACHINE_ID)
    assert (run.unit, run.unit_hash, run.who) == (UNIT, FILE.unit_hash, "nightly-task.timer")
    assert '"state\\":\\"running\\"' in run.tail
    assert machine.agent("task", UNIT, "sh", "-c", "echo no; exit 3").returncode == 3
    assert (journal(etcd).state, journal(etcd).status, journal(etcd).tail) == (RunState.FAILED, 3, "no\n")
    assert start(machine).returncode == 0
    assert runs(machine) == 2


@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED, RunState.UNKNOWN])
def test_a_run_that_ended_elsewhere_blocks_nothing(machine: PretendedMachine, etcd: FakeEtcd, state: RunState) -> None:
    """Of this unit or of a deployment."""
    for unit in (UNIT, "nightly-task@0badc0de.service"):
        etcd.put(KEY, replace(OTHER, state=state, unit=unit).to_json())
        assert start(machine).returncode == 0
    assert runs(machine) == 2


def test_a_run_of_this_machine_is_over_when_the_unit_starts(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """systemd runs a unit once at a time; the machine rebooted."""
    etcd.put(KEY, replace(OTHER, machine=MACHINE_ID).to_json())
    assert start(machine).returncode == 0
    assert runs(machine) == 1


def test_no_run_begins_while_another_one_goes_on(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Its machine renews the claim, and keeps it."""
    etcd.put(KEY, OTHER.to_json())
    (machine.folder / "other").write_text(OTHER.to_json())
    put = f"curl -s -o /dev/null -X PUT --data-urlencode value@{machine.folder}/other {etcd.url}/v2/keys{KEY}"
    machine.stub("sleep", f"{put}; exec /bin/sleep 0.02")
    done = start(machine)
    assert done.returncode == 1
    assert "another run of nightly goes on" in done.stdout
    assert (runs(machine), journal(etcd)) == (0, OTHER)


@pytest.mark.parametrize("other", [OTHER, wanted_run("nightly", "0" * 40, "0badc0de", "jo@host", OTHER.asked)])
def test_a_claim_that_is_not_renewed_is_lost(machine: PretendedMachine, etcd: FakeEtcd, other: TaskRun) -> None:
    """Its machine ended, or the deployment did. Not before its container has been stopped."""
    uptime, waits = machine.own_clock(), machine.folder / "waits"
    machine.stub(
        "sleep",
        f"echo >>{waits}; n=$(wc -l <{waits}); "
        f"[ $n -gt 3 ] || echo $((100 + 60 * n)).00 1 >{uptime}; exec /bin/sleep 0.02",
    )
    etcd.put(KEY, other.to_json())
    done = start(machine)
    assert done.returncode == 0, done.stdout
    assert "did not renew its claim for 180 s" in done.stdout
    assert (runs(machine), journal(etcd).state) == (1, RunState.DONE)


def test_of_two_starts_one_has_the_claim(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Both read a journal without a run; the second to write finds another entry."""
    (machine.folder / "other").write_text(OTHER.to_json())
    put = f"command curl -s -o /dev/null -X PUT --data-urlencode value@{machine.folder}/other {etcd.url}/v2/keys{KEY}"
    machine.stub("docker", put)
    done = start(machine)
    assert done.returncode == 1
    assert "could not claim it" in done.stdout
    assert (runs(machine), journal(etcd)) == (0, OTHER)


@pytest.mark.parametrize("failure", ["first answer", "forever"])
def test_without_etcd_nothing_runs(machine: PretendedMachine, etcd: FakeEtcd, failure: str) -> None:
    """For a while it is asked again."""
    uptime, asked = machine.own_clock(), machine.folder / "asked"
    limit = 1 if failure == "first answer" else 1000
    machine.curl(
        f"echo >>{asked}; n=$(wc -l <{asked}); echo $((100 + 50 * n)).00 1 >{uptime}; [ $n -gt {limit} ] || exit 7"
    )
    done = start(machine)
    assert runs(machine) == (1 if limit == 1 else 0), done.stdout
    if limit > 1:
        assert "could not read the journal of nightly: etcd answered 000" in done.stdout
        assert json.dumps(sorted(etcd.entries)) == "[]"
