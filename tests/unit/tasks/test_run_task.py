"""A run of a task from its start to its result, on a simulated cluster whose machines keep the journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fleetcaptain.discovery.keys import result_key, task_key
from fleetcaptain.errors import FleetCaptainError, Interrupted, Locked, RolloutFailed
from fleetcaptain.fleet.entities import DesiredState, Machine
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.tasks.run_task import LOST_SEC, run_task
from fleetcaptain.tasks.task_run import RunState, TaskRun, wanted_run
from fleetcaptain.tasks.task_store import KEPT, TaskStore
from fleetcaptain.tasks.task_units import clear_all_units, clear_ended_units
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render_task import render_task
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, STACK, FakeCluster

KEY = task_key(APP, "migrate")
NOW = "2026-01-02T03:04:05+00:00"


def file_of(command: str = "rake", **more: tuple[str, ...]) -> UnitFile:
    """The unit of the task with this *command*."""
    spec = ServiceSpec("migrate", "the schema", "shop", (command,), **more)  # type: ignore[arg-type]
    return render_task(TaskSpec(spec), Mark(APP, STACK, "migrate")).with_image("shop@sha256:1")


FILE, OTHER = file_of(), file_of("other")


class Machines(FakeCluster):
    """A cluster whose machines claim what the journal wants, and end each run as *ends* says, after *takes* seconds.
    Without *claims* they do not. *ran*: the unit of each run that began."""

    def __init__(self, *ends: tuple[RunState, int], takes: float = 5.0, claims: bool = True) -> None:
        super().__init__()
        self.ends, self.takes, self.claims = list(ends), takes, claims
        self.ran: list[str] = []
        self.ends_at = 0.0
        self.then: Callable[[], None] = lambda: None

    def _pass(self, seconds: float) -> None:
        super()._pass(seconds)
        _node, run = TaskStore(self.store, APP, "migrate").last()
        if run is not None and run.state is RunState.WANTED and self.claims and run.unit in self.runs:
            self.ran.append(run.unit)
            self.ends_at = self.now + self.takes
            run = replace(run, state=RunState.RUNNING, machine="10.0.0.1")
        elif run is not None and run.state is RunState.RUNNING and self.ends:
            if self.now >= self.ends_at:
                state, status = self.ends.pop(0)
                run = replace(run, state=state, status=status, reason="exited", until=NOW)
                run = replace(run, lines=run.lines + 1, tail=f"{run.tail}end\n")
            else:
                run = replace(run, lines=run.lines + 1, tail=f"{run.tail}line {run.lines + 1}\n")
        else:
            return
        self.etcd.put(KEY, run.to_json())
        self.then()

    def found(self, run: TaskRun) -> None:
        """What the journal says before the deployment."""
        self.etcd.put(KEY, run.to_json())

    def last(self) -> TaskRun:
        """What the journal says."""
        return TaskRun.from_json(self.etcd.values[KEY])


def wanted(file: UnitFile = FILE, attempt: str = "0badc0de") -> TaskRun:
    """A run that another deployment wants."""
    return wanted_run("migrate", file.unit_hash, attempt, "jo@host", NOW)


def running(file: UnitFile = FILE) -> TaskRun:
    """One that runs."""
    return replace(wanted(file), state=RunState.RUNNING, machine="10.0.0.2")


def test_a_task_runs_and_its_unit_is_removed() -> None:
    """Each line of its output is said once."""
    machines, said = Machines((RunState.DONE, 0)), list[str]()
    run = run_task(machines, "migrate", FILE, said.append)
    assert run.state is RunState.DONE
    assert len(machines.ran) == 1
    assert not machines.units
    lines = [line for line in said if line.startswith(("line", "end"))]
    assert lines == [f"line {number}" for number in range(1, len(lines))] + ["end"]
    assert result_key(APP, "migrate", FILE.unit_hash) in machines.etcd.values


def test_a_success_is_not_run_again() -> None:
    """Also after another text ran."""
    machines = Machines((RunState.DONE, 0), (RunState.DONE, 0))
    for file in (FILE, OTHER, FILE, OTHER):
        run_task(machines, "migrate", file, lambda _: None)
    assert len(machines.ran) == 2


def test_a_failure_is_said_and_the_next_deployment_runs_it_again() -> None:
    """With its last lines."""
    machines = Machines((RunState.FAILED, 3), (RunState.DONE, 0))
    with pytest.raises(
        RolloutFailed, match=r"migrate failed on 10\.0\.0\.1: its command ended with exit code 3"
    ) as found:
        run_task(machines, "migrate", FILE, lambda _: None)
    assert "\n  end\n" in str(found.value)
    assert not machines.units
    assert run_task(machines, "migrate", FILE, lambda _: None).state is RunState.DONE
    assert len(machines.ran) == 2


@pytest.mark.parametrize("is_put", [True, False])
def test_the_run_of_a_killed_deployment_begins(is_put: bool) -> None:
    """It was killed before or after it put the unit."""
    machines = Machines((RunState.DONE, 0))
    machines.found(wanted())
    if is_put:
        machines.fleet.put(wanted().unit, FILE, DesiredState.LAUNCHED)
    run_task(machines, "migrate", FILE, lambda _: None)
    assert machines.ran == [wanted().unit]


def test_a_run_that_began_is_followed() -> None:
    """And its failure is this deployment's."""
    machines = Machines((RunState.FAILED, 1))
    machines.found(running())
    with pytest.raises(RolloutFailed, match=r"failed on 10\.0\.0\.2"):
        run_task(machines, "migrate", FILE, lambda _: None)
    assert machines.ran == []


def test_a_run_of_another_text_is_waited_for() -> None:
    """Two are never at once."""
    machines = Machines((RunState.DONE, 0), (RunState.DONE, 0))
    machines.found(running(OTHER))
    begun: list[RunState] = []
    said: list[str] = []
    machines.then = lambda: begun.append(machines.last().state)
    run_task(machines, "migrate", FILE, said.append)
    assert [line for line in said if line.startswith("waiting for the end")] == [
        f"waiting for the end of another run, which jo@host began at {NOW}"
    ]
    assert len(machines.ran) == 1
    # what the other one did is kept
    assert result_key(APP, "migrate", OTHER.unit_hash) in machines.etcd.values
    assert begun.index(RunState.DONE) < len(begun) - 1


def test_a_run_of_another_text_that_has_not_begun_is_replaced() -> None:
    """Its unit is removed, and its deployment learns of it."""
    machines = Machines((RunState.DONE, 0))
    machines.found(wanted(OTHER))
    machines.fleet.put(wanted().unit, OTHER, DesiredState.LAUNCHED)
    run_task(machines, "migrate", FILE, lambda _: None)
    assert wanted().unit not in machines.ran
    assert not machines.units


def test_a_success_is_not_run_again_because_another_text_was_wanted() -> None:
    """By a deployment that was killed: the run that it wanted must not begin any more."""
    machines = Machines((RunState.DONE, 0))
    run_task(machines, "migrate", FILE, lambda _: None)
    machines.found(wanted(OTHER))
    run_task(machines, "migrate", FILE, lambda _: None)
    machines.fleet.put(wanted(OTHER).unit, OTHER, DesiredState.LAUNCHED)
    machines.sleep(10)
    assert len(machines.ran) == 1
    assert machines.last().unit_hash == FILE.unit_hash


def test_the_own_success_counts_when_the_next_run_is_wanted_already() -> None:
    """By another deployment, before this one has looked again."""
    machines = Machines((RunState.DONE, 0))

    def replaced() -> None:
        if machines.last().state is RunState.DONE:
            TaskStore(machines.store, APP, "migrate").keep(machines.last())
            machines.found(wanted(OTHER))
            machines.claims = False

    machines.then = replaced
    assert run_task(machines, "migrate", FILE, lambda _: None).unit_hash == FILE.unit_hash
    assert machines.last() == wanted(OTHER)


def test_a_deployment_whose_run_was_replaced_ends() -> None:
    """Else both would replace each other's."""
    machines = Machines(claims=False)
    with pytest.raises(Locked, match="jo@host deploys another text of the task migrate"):
        run_task(machines, "migrate", FILE, lambda _: machines.found(wanted(OTHER)))


def test_a_claim_that_is_not_renewed_is_lost_and_the_operator_decides() -> None:
    """The next deployment runs it again; this one does not."""
    machines = Machines()
    machines.found(running())
    with pytest.raises(
        RolloutFailed, match=r"The result of the task migrate is unknown: its machine 10\.0\.0\.2 ended"
    ):
        run_task(machines, "migrate", FILE, lambda _: None)
    assert LOST_SEC <= machines.now < LOST_SEC + 10
    assert machines.last().state is RunState.UNKNOWN
    machines.ends = [(RunState.DONE, 0)]
    run_task(machines, "migrate", FILE, lambda _: None)
    assert len(machines.ran) == 1


def test_a_lost_run_is_named_by_the_address_that_its_machine_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """When fleet does not list the machine any more."""
    machines = Machines()
    machines.found(replace(running(), machine="0badc0de"))
    there = (Machine("0badc0de", "10.0.0.9"),)
    monkeypatch.setattr(machines.fleet, "machines", lambda: there if machines.now < LOST_SEC / 2 else ())
    with pytest.raises(RolloutFailed, match=r"its machine 10\.0\.0\.9 ended"):
        run_task(machines, "migrate", FILE, lambda _: None)


def test_a_lost_run_of_another_text_stops_the_deployment() -> None:
    """Nobody has decided yet what its half means for the next one."""
    machines = Machines()
    machines.found(running(OTHER))
    with pytest.raises(RolloutFailed, match="is unknown"):
        run_task(machines, "migrate", FILE, lambda _: None)
    assert machines.ran == []


def test_a_stop_before_the_run_takes_it_back() -> None:
    """Nothing runs later."""
    machines, stops = Machines(claims=False), list[str]()
    with pytest.raises(Interrupted, match="did not begin"):
        run_task(machines, "migrate", FILE, stops.append, lambda: len(stops) > 1)
    assert machines.last().reason == "withdrawn"
    assert not machines.units


def test_a_stop_during_the_run_leaves_it_alone() -> None:
    """The next deployment follows it."""
    machines = Machines(takes=1000)
    with pytest.raises(Interrupted, match=r"continues on 10\.0\.0\.1"):
        run_task(machines, "migrate", FILE, lambda _: None, lambda: machines.now > 30)
    assert machines.last().state is RunState.RUNNING
    assert machines.units


def test_a_unit_that_ends_without_a_claim_is_said() -> None:
    """As where the machine agent is not installed."""
    machines = Machines(claims=False)

    def halt(_line: str) -> None:
        for name in list(machines.runs):
            machines.halt(name)

    with pytest.raises(RolloutFailed, match=r"migrate did not begin.*its unit ended on 10\.0\.0\."):
        run_task(machines, "migrate", FILE, halt)
    assert machines.last().reason == "withdrawn"
    assert not machines.units


def test_a_task_that_no_machine_can_take_is_refused() -> None:
    """Before anything is written."""
    machines = Machines()
    with pytest.raises(RolloutFailed, match=r"Cannot run the task migrate: .*disk=ssd"):
        run_task(machines, "migrate", file_of(machine_metadata=("disk=ssd",)), lambda _: None)
    assert KEY not in machines.etcd.values


def test_a_journal_that_cannot_be_read_stops_everything() -> None:
    """What happened is not known."""
    machines = Machines()
    machines.etcd.put(KEY, "nonsense")
    with pytest.raises(FleetCaptainError, match="Cannot read the journal of the task migrate"):
        run_task(machines, "migrate", FILE, lambda _: None)
    assert not machines.units


def test_units_of_others_stay() -> None:
    """Only those of this task and stack whose run is over are removed."""
    machines = Machines((RunState.DONE, 0))
    foreign = render_task(TaskSpec(ServiceSpec("migrate", "x", "shop", ("x",))), Mark(APP, "other/stack", "migrate"))
    machines.launch("migrate-task@11111111.service", foreign.text)
    web = machines.launch_service("web", 1)
    run_task(machines, "migrate", FILE, lambda _: None)
    assert set(machines.units) == {"migrate-task@11111111.service", *web}


@pytest.mark.parametrize("active", [True, False])
def test_units_that_a_killed_deployment_left_are_removed(active: bool) -> None:
    """Also of tasks that the Fleetfile does not have any more; those that run only with the app."""
    machines = Machines()
    web = machines.launch_service("web", 1)
    machines.found(running())
    for name in (running().unit, "migrate-task@11111111.service"):
        machines.launch(name, FILE.text)
    clear_all_units(machines) if active else clear_ended_units(machines, ())
    assert set(machines.units) == {*web, *([] if active else [running().unit])}


def test_units_are_removed_with_the_app_whatever_the_journal_says() -> None:
    """Else an invalid value would prevent `pulumi destroy`."""
    machines = Machines()
    machines.launch(running().unit, FILE.text)
    machines.etcd.put(KEY, "nonsense")
    clear_all_units(machines)
    assert not machines.units


def test_the_last_results_are_kept() -> None:
    """As many as the releases that may run the same text, and more."""
    machines = Machines()
    store = TaskStore(machines.store, APP, "migrate")
    for number in range(KEPT + 5):
        store.keep(replace(wanted(), state=RunState.DONE, unit_hash=f"{number:040x}"))
    kept = [node.key for node in machines.store.below(f"/fleetcaptain/{APP}/_tasks/migrate")]
    assert len(kept) == KEPT
    assert store.result(f"{KEPT + 4:040x}") is not None
    assert store.result(f"{0:040x}") is None
