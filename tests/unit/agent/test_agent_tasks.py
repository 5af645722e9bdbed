"""`agent task`: a run that the journal wants is claimed, performed and recorded, once; any other is not."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from typing import Any

import pytest

from fleetcaptain.discovery.keys import task_key
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.tasks.task_run import RunState, TaskRun, wanted_run
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render_task import render_task
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.shell_machine import APP, IMAGE, MACHINE_ID, SHELLS, PretendedMachine

pytestmark = pytest.mark.parametrize("machine", SHELLS, indirect=True)
TASK = TaskSpec(ServiceSpec("migrate", 'the "schema"', "shop", ("rake", "db:migrate")), timeout_sec=60)
UNIT = "migrate-task@0badc0de.service"
KEY = task_key(APP, "migrate")
WHO = 'j"<\\é>@host'


@pytest.fixture(autouse=True)
def wanted(machine: PretendedMachine, etcd: FakeEtcd) -> TaskRun:
    """A deployment wants a run of the unit, which fleet has loaded on the machine."""
    file = render_task(TASK, Mark(APP, "behavioral/dev", "migrate")).with_image(IMAGE)
    machine.write(file.text, UNIT)
    machine.stub("docker", "exit 0")
    run = wanted_run("migrate", file.unit_hash, "0badc0de", WHO, "2026-01-02T03:04:05+00:00")
    etcd.put(KEY, run.to_json())
    return run


def perform(machine: PretendedMachine, script: str) -> subprocess.CompletedProcess[str]:
    """Run the task, whose command is this ``sh`` *script*."""
    return machine.agent("task", UNIT, "sh", "-c", script)


def journal(etcd: FakeEtcd) -> TaskRun:
    """What the journal says."""
    return TaskRun.from_json(etcd.entries[KEY].value)


def written(etcd: FakeEtcd) -> list[dict[str, Any]]:
    """What the machine wrote into the journal, in order."""
    return [json.loads(form["value"]) for method, key, form in etcd.writes if (method, key) == ("PUT", KEY)]


def test_a_wanted_run_is_claimed_performed_and_recorded(
    machine: PretendedMachine, etcd: FakeEtcd, wanted: TaskRun
) -> None:
    """Its output goes to the journals of both."""
    done = perform(machine, "echo 'a \"b\" \\é'; echo c >&2")
    assert done.returncode == 0, done.stdout + done.stderr
    run = journal(etcd)
    assert (run.state, run.reason, run.status) == (RunState.DONE, "exited", 0)
    assert (run.unit, run.unit_hash, run.who, run.asked) == (wanted.unit, wanted.unit_hash, WHO, wanted.asked)
    assert run.machine == MACHINE_ID
    assert run.tail.splitlines()[-2:] == ['a "b" \\é', "c"]
    assert run.lines == len(run.tail.splitlines())
    assert "\nc\n" in done.stdout
    assert [entry["state"] for entry in written(etcd)] == ["running", "done"]
    assert not list((machine.folder / "apps" / APP / "tasks").iterdir())


def test_the_claim_is_there_before_the_command_begins(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Whatever happens to it then, it does not run a second time."""
    machine.stub("begin", f"exec curl -s {etcd.url}/v2/keys{KEY}")
    perform(machine, "begin")
    assert '"state\\":\\"running\\"' in journal(etcd).tail


@pytest.mark.parametrize(
    ("script", "status"), [("exit 3", 3), ("kill -9 $$", 137), ("echo no; exit 255", 255), ("nosuchprogram", 127)]
)
def test_a_failure_is_recorded_with_its_exit_code(
    machine: PretendedMachine, etcd: FakeEtcd, script: str, status: int
) -> None:
    """And is the unit's."""
    assert perform(machine, script).returncode == status
    assert (journal(etcd).state, journal(etcd).status, journal(etcd).reason) == (RunState.FAILED, status, "exited")


def test_a_run_happens_once(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Whatever fleet does with its unit."""
    script = f"echo x >>{machine.folder}/ran"
    perform(machine, script)
    before = etcd.entries[KEY].value
    again = perform(machine, script)
    assert again.returncode == 1
    assert "does not want this run" in again.stdout
    assert (machine.folder / "ran").read_text() == "x\n"
    assert etcd.entries[KEY].value == before


@pytest.mark.parametrize("entry", ["another unit", "another machine", "failed", "none"])
def test_no_other_run_happens(machine: PretendedMachine, etcd: FakeEtcd, wanted: TaskRun, entry: str) -> None:
    """The journal wants another one, has it on another machine, or has its end."""
    ours = TaskRun(RunState.RUNNING, UNIT, wanted.unit_hash, WHO, wanted.asked, "machine-b")
    entries = {
        "another unit": wanted_run("migrate", wanted.unit_hash, "11111111", WHO, wanted.asked),
        "another machine": ours,
        "failed": TaskRun(RunState.FAILED, UNIT, wanted.unit_hash, WHO, wanted.asked, MACHINE_ID),
    }
    if entry in entries:
        etcd.put(KEY, entries[entry].to_json())
    else:
        etcd.remove(KEY)
    assert perform(machine, f"touch {machine.folder}/ran").returncode == 1
    assert not (machine.folder / "ran").exists()
    assert written(etcd) == []


def test_a_run_that_this_machine_lost_is_unknown(machine: PretendedMachine, etcd: FakeEtcd, wanted: TaskRun) -> None:
    """It rebooted, and fleet starts the unit again. The next deployment decides."""
    lost = TaskRun(RunState.RUNNING, UNIT, wanted.unit_hash, WHO, wanted.asked, MACHINE_ID, 3, "half")
    etcd.put(KEY, lost.to_json())
    assert perform(machine, f"touch {machine.folder}/ran").returncode == 1
    assert not (machine.folder / "ran").exists()
    run = journal(etcd)
    assert (run.state, run.reason, run.who, run.machine) == (RunState.UNKNOWN, "lost", WHO, MACHINE_ID)


def test_the_image_is_pulled_before_the_claim(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """What docker says of a failure is recorded, and nothing runs."""
    machine.stub("docker", f'echo "$*" >>{machine.folder}/docker; echo "denied: $1"; exit 1')
    assert perform(machine, f"touch {machine.folder}/ran").returncode == 1
    run = journal(etcd)
    assert (run.state, run.reason, run.tail) == (RunState.FAILED, "pull", "denied: pull\n")
    assert not (machine.folder / "ran").exists()
    assert f"pull {IMAGE}" in (machine.folder / "docker").read_text()


def test_the_output_of_a_run_does_not_begin_with_that_of_the_pull(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The lines of a failed task are those of its command."""
    machine.stub("docker", 'test "$1" = pull && echo "Pull complete"')
    assert perform(machine, "echo mine; exit 3").returncode == 3
    run = journal(etcd)
    assert (run.reason, run.tail) == ("exited", "mine\n")


def test_a_stop_ends_the_container_and_is_recorded(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """As by fleet, which systemd passes to the agent alone."""
    pid = machine.folder / "pid"
    machine.stub("docker", f'test "$1" != stop || kill $(cat {pid})')
    machine.stub("sleep", "exec /bin/sleep 0.05")
    script = f"echo $$ >{pid}; kill -TERM $(cat {machine.folder}/agent.pid); exec /bin/sleep 20"
    text = machine.home / "agent"
    text.write_text(f"echo $$ >{machine.folder}/agent.pid\n{text.read_text()}")
    perform(machine, script)
    run = journal(etcd)
    assert (run.state, run.reason, run.status) == (RunState.FAILED, "stopped", 128 + signal.SIGTERM)


def test_a_run_has_a_time_limit(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """That of the Fleetfile, by the machine's own clock."""
    uptime, pid = machine.own_clock(), machine.folder / "pid"
    machine.stub("docker", f'test "$1" != stop || kill $(cat {pid})')
    machine.stub("sleep", "exec /bin/sleep 0.05")
    perform(machine, f"echo $$ >{pid}; echo 161.00 1 >{uptime}; exec /bin/sleep 20")
    assert (journal(etcd).state, journal(etcd).reason) == (RunState.FAILED, "timeout")


def test_without_etcd_a_container_is_stopped(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """A deployment may take the run for lost a minute later. The result is written when etcd is back."""
    uptime, pid = machine.own_clock(), machine.folder / "pid"
    machine.write((machine.units / UNIT).read_text().replace("TaskSec=60", "TaskSec=900"), UNIT)
    down = machine.folder / "down"
    machine.curl(f"test ! -e {down} || exit 7")
    machine.stub("docker", f'test "$1" != stop || {{ kill $(cat {pid}); rm {down}; }}')
    machine.stub("sleep", "exec /bin/sleep 0.05")
    perform(machine, f"echo $$ >{pid}; touch {down}; echo 221.00 1 >{uptime}; exec /bin/sleep 20")
    assert (journal(etcd).state, journal(etcd).reason) == (RunState.FAILED, "alone")


def test_a_claim_that_others_took_ends_the_container(
    machine: PretendedMachine, etcd: FakeEtcd, wanted: TaskRun
) -> None:
    """And what they wrote stays."""
    uptime, pid = machine.own_clock(), machine.folder / "pid"
    machine.stub("docker", f'test "$1" != stop || kill $(cat {pid})')
    other = TaskRun(RunState.UNKNOWN, UNIT, wanted.unit_hash, WHO, wanted.asked, MACHINE_ID, reason="lost").to_json()
    (machine.folder / "other").write_text(other)
    put = f"curl -s -X PUT --data-urlencode value@{machine.folder}/other {etcd.url}/v2/keys{KEY}"
    machine.stub("sleep", "exec /bin/sleep 0.05")
    done = perform(machine, f"echo $$ >{pid}; {put}; echo 104.00 1 >{uptime}; exec /bin/sleep 20")
    assert etcd.entries[KEY].value == other
    assert "stopping migrate-task@0badc0de.service: superseded" in done.stdout


@pytest.mark.parametrize("lost", range(1, 4))
def test_lost_answers_of_etcd_change_nothing(machine: PretendedMachine, etcd: FakeEtcd, lost: int) -> None:
    """The write had its effect, and curl fails all the same: for the claim, and for the result."""
    count = machine.folder / "puts"
    machine.stub(
        "curl",
        f'case "$*" in *PUT*) echo >>{count}; n=$(wc -l <{count});'
        f' [ $n -gt {lost} ] || {{ "{curl()}" "$@" >/dev/null; exit 7; }};; esac\nexec {curl()} "$@"',
    )
    done = perform(machine, f"echo x >>{machine.folder}/ran")
    assert done.returncode == 0, done.stdout
    assert (machine.folder / "ran").read_text() == "x\n"
    assert journal(etcd).state is RunState.DONE


def test_the_journal_is_written_with_the_password_of_the_machine(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Where etcd knows its superuser by a password. No argument of a program has it."""
    password, program = machine.folder / "etcd-root", machine.home / "agent"
    password.write_text("a b$c")
    program.write_text(program.read_text().replace("/etc/fleetcaptain/etcd-root", str(password)))
    seen = machine.folder / "arguments"
    machine.curl(f'echo "$*" >>{seen}')
    assert perform(machine, "true").returncode == 0
    login = f"Basic {base64.b64encode(b'root:a b$c').decode()}"
    assert {headers.get("Authorization") for headers in etcd.headers} == {login}
    assert "a b$c" not in seen.read_text()


def test_the_journal_has_the_end_of_a_long_output(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """And how many lines there were in all."""
    uptime = machine.own_clock()
    machine.stub("sleep", "exec /bin/sleep 0.05")
    much = "i=0; while [ $i -lt 30000 ]; do echo 'a line of some forty characters, as logs have'; i=$((i+1)); done"
    log = machine.folder / "apps" / APP / "tasks" / UNIT
    small = f'until [ "$(wc -c <{log})" -lt 1000 ]; do /bin/sleep 0.02; done'
    perform(machine, f"{much}; echo 104.00 1 >{uptime}; {small}; echo end")
    run = journal(etcd)
    assert run.lines == 30001
    assert run.tail.endswith("a line of some forty characters, as logs have\nend\n")
    assert len(base64.b64encode(run.tail.encode())) <= 4096


def curl() -> str:
    """The real curl."""
    return subprocess.run(["sh", "-c", "command -v curl"], capture_output=True, text=True, check=True).stdout.strip()
