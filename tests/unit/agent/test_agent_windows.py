"""`agent run`: opens and closes the windows of services, once for all machines."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from fleetcaptain.discovery.keys import (
    app_dir,
    lock_key,
    machines_dir,
    window_event_key,
    window_events_dir,
    window_plan_key,
    window_state_key,
)
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.rollout.lock import Owner, is_dead
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.schedule.window_event import EVENT_SEC, WindowEvent
from fleetcaptain.schedule.window_plan import Series, WindowPlan, plan_of
from fleetcaptain.units.unit_text import Option
from tests.fakes.fake_etcd import FakeEtcd
from tests.fakes.fleet.fleet_server import DROPPED, FakeFleet, Fault
from tests.programs import program
from tests.unit.units.shell_machine import ADDRESS, APP, MACHINE_ID, SHELLS, PretendedMachine, registration

in_both_shells = pytest.mark.parametrize("machine", SHELLS, indirect=True)

# A window of an hour each week, of a service with four instances. It opens 180 s before its ready_by, 03:00 UTC.
READY_BY = 1795748400
LEAD_SEC = 180
OPENS = READY_BY - LEAD_SEC
ENDS = READY_BY + 3600
WEEK_SEC = 7 * 86400
SERIES = Series(READY_BY, WEEK_SEC, 520, 3600, 12, 0, "megaquery")
PLAN = WindowPlan("web@%.service", 4, 12, 12, LEAD_SEC, READY_BY + 500 * WEEK_SEC, (SERIES,))
STATE = window_state_key(APP, "web")
LOCK = lock_key(APP, "web")

OPEN = ["launched"] * 12
CLOSED = ["launched"] * 4 + ["loaded"] * 8
OPENED = WindowEvent(OPENS, 4, 12, READY_BY, MACHINE_ID)
OPENED_LINE = "window megaquery of web: 4 -> 12 instances, due in 180 s\n"


class Site:
    """A pretended machine with clocks of its own, its etcd, and fleet with the service `web` and its window."""

    def __init__(self, machine: PretendedMachine, etcd: FakeEtcd, fleet: FakeFleet) -> None:
        self.machine, self.etcd, self.fleet = machine, etcd, fleet
        self.uptime, self.wall_clock = machine.own_clock(), machine.folder / "wall-clock"
        machine.stub(
            "date",
            f'read -r now <{self.wall_clock}; [ "$1" = +%s ] && echo $now || exec {program("date")} -u -d @$now "$2"',
        )
        self.plan(PLAN)
        self.units()

    def plan(self, plan: WindowPlan, service: str = "web") -> None:
        """A deployment wrote this plan."""
        self.etcd.put(window_plan_key(APP, service), plan.to_text())

    def units(self, service: str = "web", app: str = APP) -> None:
        """A deployment put twelve units of *service*; four of them run."""
        for number, desired in enumerate(CLOSED, 1):
            options = (Option("Service", "ExecStart", "/bin/x"), Option("X-FleetCaptain", "App", app))
            self.fleet.cluster.store(f"{service}@{number}.service", options, desired)

    def run(self, time: int, rounds: int = 1, between: str = ":", start_sec: int = 12) -> str:
        """The log of so many *rounds* of the loop, 4 s apart. The agent looks at windows 12 s after its start, which is
        at *time*; *start_sec* after its start is the first round. *between*: an ``sh`` script after each, with the
        number of rounds in $n."""
        self.wall_clock.write_text(f"{time - 12}\n")
        self.uptime.write_text("100.00 1\n")
        later = (
            f"n=$((n - 1)); step=4; [ $n != 0 ] || step={start_sec}"
            f"; read -r up _ <{self.uptime}; echo $((${{up%.*}} + step)).00 1 >{self.uptime}"
            f"; read -r now <{self.wall_clock}; echo $((now + step)) >{self.wall_clock}"
        )
        done = self.machine.loop(rounds + 1, f"{later}; {between}; n=$((n + 1))")
        assert done.stderr == ""
        return done.stdout.partition("\n")[2]

    def desired(self, service: str = "web") -> list[str]:
        """The desired states of the units of *service*, by their numbers."""
        units = self.fleet.cluster.units
        names = [f"{service}@{number}.service" for number in range(1, 13)]
        return [units[name].desired for name in names if name in units]

    def register(self, count: int, **more: object) -> None:
        """So many instances of `web` are in discovery."""
        for number in range(1, count + 1):
            unit = f"web@{number}.service"
            value = registration({"unit": unit, "machine": "machine-b", "ports": {"80": 1}, **more})
            self.etcd.put(self.machine.key("web", unit), value, 800)

    def writes(self) -> list[tuple[str, str, dict[str, str]]]:
        """What the machine wrote into etcd, apart from heartbeats."""
        return [write for write in self.etcd.writes if "/machines/" not in write[1]]

    def state(self, service: str = "web") -> WindowEvent | None:
        """What the agents did last for *service*."""
        value = self.etcd.values.get(window_state_key(APP, service))
        return None if value is None else WindowEvent.from_text(value)

    def put_state(self, event: WindowEvent) -> None:
        """An agent did this."""
        self.etcd.put(STATE, event.to_text())

    def launched(self, number: int) -> None:
        """fleet runs so many instances of web."""
        for one in range(1, number + 1):
            self.fleet.cluster.units[f"web@{one}.service"].desired = "launched"

    def events(self, service: str = "web") -> list[WindowEvent]:
        """The events of *service*, in order."""
        folder = f"{window_events_dir(APP)}/{service}/"
        return [
            WindowEvent.from_text(value) for key, value in sorted(self.etcd.values.items()) if key.startswith(folder)
        ]

    def puts(self) -> list[str]:
        """The names of the units whose desired states were written, in order."""
        return [request.path.rpartition("/")[2] for request in self.fleet.asked("PUT")]


@pytest.fixture
def fleet(machine: PretendedMachine) -> Iterator[FakeFleet]:
    """fleet, on the machine's socket."""
    with FakeFleet(socket_path=machine.folder / "fleet.sock") as fleet:
        yield fleet


@pytest.fixture
def site(machine: PretendedMachine, etcd: FakeEtcd, fleet: FakeFleet) -> Site:
    """The service `web` is deployed, and its window is closed."""
    return Site(machine, etcd, fleet)


# Opening and closing.


@in_both_shells
def test_a_window_opens_and_closes(site: Site) -> None:
    """Each with one line in the log, and one event."""
    assert site.run(OPENS - 1) == ""
    assert site.desired() == CLOSED
    assert site.run(OPENS) == OPENED_LINE
    assert site.desired() == OPEN
    assert site.state() == OPENED
    site.register(12)
    site.run(OPENS + 100)
    opened = replace(OPENED, ready=OPENS + 100)
    assert site.run(ENDS - 1) == ""
    assert site.desired() == OPEN
    assert site.run(ENDS) == "web: 12 -> 4 instances, its window ended\n"
    assert site.desired() == CLOSED
    closed = WindowEvent(ENDS, 12, 4, 0, MACHINE_ID, ENDS)
    assert (site.state(), site.events()) == (closed, [opened, closed])
    assert {site.etcd.entries[window_event_key(APP, "web", event.at)].ttl for event in site.events()} == {EVENT_SEC}
    assert LOCK not in site.etcd.values


def test_fleet_is_woken_for_the_units_that_it_missed(site: Site) -> None:
    """Its agents are deaf for a second after the first of several states."""
    site.run(OPENS)
    names = [f"web@{number}.service" for number in range(5, 13)]
    assert site.puts() == [*names, names[-1]]
    assert {request.body for request in site.fleet.asked("PUT")} == {b'{"desiredState":"launched"}'}


def test_the_usual_instances_are_not_touched(site: Site) -> None:
    """They are the deployment's, whatever their state is."""
    site.fleet.cluster.units["web@2.service"].desired = "loaded"
    site.run(OPENS)
    assert site.desired() == ["launched", "loaded", *["launched"] * 10]


def test_a_missed_moment_is_made_up_for(site: Site) -> None:
    """No machine was up when the window opened; then none when it closed, and the next one is open."""
    assert site.run(READY_BY + 1200) == "window megaquery of web: 4 -> 12 instances, due 1200 s ago\n"
    assert site.desired() == OPEN
    assert site.run(ENDS + 5 * 86400) == "web: 12 -> 4 instances, its window ended\n"
    assert site.desired() == CLOSED
    site.run(OPENS + 519 * WEEK_SEC)
    assert site.desired() == OPEN
    site.run(ENDS + 519 * WEEK_SEC)
    assert site.desired() == CLOSED
    assert site.run(OPENS + 520 * WEEK_SEC) == ""


def test_windows_that_overlap_are_one_after_the_other(site: Site) -> None:
    """The most of all open ones counts; the end of the larger one is no end of the other."""
    longer = Series(READY_BY + 600, 86400, 1, 7200, 8, 0, "report")
    site.plan(WindowPlan(PLAN.unit, 4, 12, 12, LEAD_SEC, PLAN.horizon, (longer, SERIES)))
    site.run(OPENS)
    assert site.desired() == OPEN
    assert site.run(ENDS) == "web: 12 -> 8 instances, its window ended\n"
    assert site.desired() == ["launched"] * 8 + ["loaded"] * 4
    assert site.state() == WindowEvent(ENDS, 12, 8, 0, MACHINE_ID, ENDS)
    site.run(READY_BY + 600 + 7200)
    assert site.desired() == CLOSED


def test_a_minute_passes_between_two_looks(site: Site) -> None:
    """One request each, and no write while nothing is due."""
    site.run(OPENS - 7200, rounds=17)
    reads = [key for method, key, _ in site.etcd.requests if method == "GET" and "_windows" in key]
    assert reads == [f"{app_dir(APP)}/_windows"] * 2
    assert site.writes() == []
    assert site.fleet.requests == []


def test_when_nothing_is_due_nothing_is_written(site: Site) -> None:
    """In an open window too, and with a state."""
    site.run(OPENS)
    site.put_state(replace(OPENED, ready=OPENS))
    before, puts = len(site.writes()), len(site.puts())
    site.run(READY_BY, rounds=30)
    assert (len(site.writes()), len(site.puts())) == (before, puts)


def test_a_unit_of_an_open_window_that_was_stopped_is_started_again(site: Site) -> None:
    """The state alone does not show it."""
    site.run(OPENS)
    site.put_state(replace(OPENED, ready=OPENS))
    site.fleet.cluster.units["web@7.service"].desired = "loaded"
    site.run(READY_BY)
    assert site.desired() == OPEN
    assert LOCK not in site.etcd.values


def test_what_is_needed_again_soon_goes_on_running(site: Site) -> None:
    """Within ten minutes; and only so many as are needed then."""
    second = Series(ENDS + LEAD_SEC + 500, 86400, 1, 3600, 8, 0, "report")
    site.plan(WindowPlan(PLAN.unit, 4, 12, 12, LEAD_SEC, PLAN.horizon, (SERIES, second)))
    site.run(OPENS)
    assert site.run(ENDS) == "web: 12 -> 8 instances, its window ended\n"
    assert site.desired() == ["launched"] * 8 + ["loaded"] * 4
    assert site.run(ENDS + 499) == ""


def test_an_app_without_windows_costs_a_request_a_minute(site: Site) -> None:
    """And nothing is said."""
    for key in list(site.etcd.values):
        site.etcd.remove(key)
    assert site.run(OPENS, rounds=17) == ""
    assert sum("_windows" in key for _, key, _ in site.etcd.requests) == 2


@in_both_shells
def test_several_services_each_have_their_own_windows(site: Site) -> None:
    """Also of another number of instances."""
    site.units("api")
    site.units("api-2")
    site.plan(WindowPlan("api@%.service", 4, 8, 8, 120, PLAN.horizon, (SERIES,)), "api")
    site.plan(WindowPlan("api-2@%.service", 4, 12, 12, LEAD_SEC, PLAN.horizon, ()), "api-2")
    log = site.run(OPENS, rounds=18)
    assert log.splitlines()[0] == OPENED_LINE.strip()
    assert "window megaquery of api: 4 -> 8 instances, due in" in log
    assert (site.desired(), site.desired("api-2")) == (OPEN, CLOSED)
    assert site.desired("api") == ["launched"] * 8 + ["loaded"] * 4
    assert (site.state("api-2"), site.state("api") is None, site.state() is None) == (None, False, False)


def test_a_unit_of_another_app_is_not_touched(site: Site) -> None:
    """It took the name after the app was removed, whose plan is still there. Each app has its own agent."""
    site.units(app="other")
    log = site.run(OPENS)
    assert site.desired() == CLOSED
    assert site.puts() == []
    assert "web: skipped web@5.service web@6.service" in log


def test_the_windows_of_another_app_are_its_own_agents(site: Site) -> None:
    """The directory of an app whose name begins alike, too."""
    site.etcd.remove(window_plan_key(APP, "web"))
    site.etcd.put(window_plan_key(f"{APP}2", "web"), PLAN.to_text())
    assert site.run(OPENS) == ""
    assert site.puts() == []


@in_both_shells
def test_units_that_fleet_does_not_have_are_skipped(site: Site) -> None:
    """The rest of the window opens."""
    del site.fleet.cluster.units["web@7.service"]
    del site.fleet.cluster.units["web@9.service"]
    skipped = "web: skipped web@7.service web@9.service, which fleet does not have: deploy the app again\n"
    assert site.run(OPENS) == OPENED_LINE + skipped
    assert site.desired() == ["launched"] * 10
    assert site.state() == OPENED


def test_a_number_that_a_deployment_changed_is_reached(site: Site) -> None:
    """It was killed between the plan and the state: there is no window that would be due."""
    site.put_state(WindowEvent(OPENS - 9000, 6, 8, 0, "machine-b", 1))
    assert site.run(OPENS - 8000) == "web: 8 -> 4 instances, its window ended\n"
    site.put_state(WindowEvent(OPENS - 9000, 4, 2, 0, "machine-b", 1))
    assert site.run(OPENS - 8000) == "web: 2 -> 4 instances\n"
    assert site.state() == WindowEvent(OPENS - 8000, 2, 4, 0, MACHINE_ID, OPENS - 8000)


# One of several machines.


@in_both_shells
def test_the_lock_is_one_that_rollouts_read(site: Site) -> None:
    """Each with another token, and gone afterwards."""
    for time in (OPENS, ENDS):
        site.run(time)
    created, removed, *_ = [form for _, key, form in site.writes() if key == LOCK]
    assert (created["ttl"], created["prevExist"], removed) == ("30", "false", {"prevValue": created["value"]})
    owner = Owner.from_json(created["value"])
    assert owner.who == f"the machine agent of {ADDRESS}"
    assert owner.since.endswith("+00:00")
    assert not is_dead(owner)
    tokens = {form["value"] for _, key, form in site.writes() if key == LOCK and "value" in form}
    assert len(tokens) == 2


@in_both_shells
def test_a_machine_that_comes_second_does_nothing(site: Site) -> None:
    """The other one was done before this one had the lock."""
    event = replace(OPENED, by="machine-b").to_text()
    write = f"{program('curl')} -s -o /dev/null -X PUT --data-urlencode 'value={event}' {site.etcd.url}/v2/keys{STATE}"
    site.machine.curl(f'case "$*" in *PUT*/locks/web*) {write} ;; esac')
    assert site.run(OPENS) == ""
    assert site.puts() == []
    assert site.etcd.values[STATE] == event
    assert LOCK not in site.etcd.values


def test_a_machine_that_died_is_replaced_within_a_minute(site: Site) -> None:
    """It left its lock behind, and two units that run. While the lock is there nothing is written."""
    site.etcd.put(LOCK, '{"who":"the machine agent of 10.0.0.9"}', 30)
    for number in (5, 6):
        site.fleet.cluster.units[f"web@{number}.service"].desired = "launched"
    expired = f"[ $n != 5 ] || {program('curl')} -s -o /dev/null -X DELETE {site.etcd.url}/v2/keys{LOCK}"
    log = site.run(OPENS, rounds=7, between=expired)
    assert log == "window megaquery of web: 4 -> 12 instances, due in 160 s\n"
    assert site.desired() == OPEN
    assert site.puts()[:2] == ["web@7.service", "web@8.service"]
    assert [method for method, key, _ in site.writes() if key == LOCK] == ["DELETE", "PUT", "DELETE"]


@in_both_shells
def test_a_rollout_comes_first(site: Site) -> None:
    """Said once, and tried again at each step: the window opens as soon as the rollout ends."""
    site.etcd.put(LOCK, '{"who":"ann@laptop"}', 30)
    ends = f"[ $n != 10 ] || {program('curl')} -s -o /dev/null -X DELETE {site.etcd.url}/v2/keys{LOCK}"
    log = site.run(OPENS, rounds=12, between=ends).splitlines()
    waits = "window of web: 4 -> 12 instances waits for the rollout of web"
    assert log == [waits, "window megaquery of web: 4 -> 12 instances, due in 140 s"]
    assert len([key for method, key, _ in site.writes() if (method, key) == ("PUT", LOCK)]) == 1


def test_the_plan_is_read_again_under_the_lock(site: Site) -> None:
    """A rollout that ended a moment before wrote another one."""
    plan = WindowPlan(PLAN.unit, 4, 8, 8, LEAD_SEC, PLAN.horizon, (Series(READY_BY, WEEK_SEC, 1, 60, 6, 0, "x"),))
    key = window_plan_key(APP, "web")
    write = f"{program('curl')} -s -o /dev/null -X PUT -d 'value={plan.to_text()}' {site.etcd.url}/v2/keys{key}"
    site.machine.curl(f'case "$*" in *PUT*/locks/web*) {write} ;; esac')
    site.run(OPENS)
    assert site.desired() == ["launched"] * 6 + ["loaded"] * 6
    assert ("GET", f"{app_dir(APP)}/_windows/web", {"recursive": "true", "quorum": "true"}) in site.etcd.requests


@in_both_shells
def test_stopped_units_are_set_by_the_plan_that_is_read_under_the_lock(site: Site) -> None:
    """A rollout that ended a moment before removed the window: what it stopped must not run again."""
    site.put_state(replace(OPENED, ready=OPENS))
    site.launched(6)
    plan = WindowPlan(PLAN.unit, 4, 12, 12, LEAD_SEC, PLAN.horizon, ())
    state = WindowEvent(READY_BY, 12, 4, 0, "deployment", READY_BY)
    puts = [
        f"{program('curl')} -s -o /dev/null -X PUT --data-urlencode 'value={text}' {site.etcd.url}/v2/keys{key}"
        for key, text in ((window_plan_key(APP, "web"), plan.to_text()), (STATE, state.to_text()))
    ]
    site.machine.curl(f'case "$*" in *PUT*/locks/web*) {"; ".join(puts)} ;; esac')
    assert site.run(READY_BY) == ""
    assert "launched" not in site.desired()[6:]
    assert site.state() == state
    assert LOCK not in site.etcd.values


def test_a_rollout_in_an_open_window_is_no_line_of_the_check(site: Site) -> None:
    """It stops units one after the other, and starts them itself."""
    site.put_state(replace(OPENED, ready=OPENS))
    site.launched(11)
    site.etcd.put(LOCK, '{"who":"ann@laptop"}', 30)
    assert site.run(READY_BY, rounds=3) == ""
    assert site.puts() == []


def test_a_plan_that_was_removed_meanwhile_is_forgotten(site: Site) -> None:
    """With its service."""
    url = f"{site.etcd.url}/v2/keys{window_plan_key(APP, 'web')}"
    site.machine.curl(f'case "$*" in *PUT*/locks/web*) {program("curl")} -s -o /dev/null -X DELETE {url} ;; esac')
    assert site.run(OPENS) == ""
    assert (site.puts(), site.state(), LOCK in site.etcd.values) == ([], None, False)


# Faults.


@pytest.mark.parametrize("fault", [DROPPED, Fault(500), Fault(503)])
def test_fleet_that_fails_in_the_middle_is_tried_again(site: Site, fault: Fault) -> None:
    """After half a minute, in which the lock is free. What is not done is not recorded, and said once."""
    fails = "[ $n != 0 ] || touch {0}; [ $n -lt 10 ] || rm -f {0}".format(site.machine.folder / "fails")
    status = fault.status or "000"
    site.machine.curl(
        f'case "$*" in *PUT*/units/web@8.service) if [ -e {site.machine.folder}/fails ]; then'
        f' printf "broken {status}"; exit 22; fi ;; esac'
    )
    log = site.run(OPENS, rounds=18, between=fails).splitlines()
    assert log[0].startswith("window of web: could not set web@8.service to launched: fleet answered 000: broken")
    assert log[1:] == ["window megaquery of web: 4 -> 12 instances, due in 116 s"]
    assert site.desired() == OPEN
    assert [event.at for event in site.events()] == [OPENS + 64]
    assert site.puts().count("web@5.service") == 1
    assert LOCK not in site.etcd.values


@in_both_shells
@pytest.mark.parametrize("fault", [DROPPED, Fault(500), Fault(503)])
def test_without_an_answer_of_fleet_nothing_is_recorded(site: Site, fault: Fault) -> None:
    """The lock is given back each time."""
    site.fleet.inject(*[fault] * 2)
    log = site.run(OPENS, rounds=18).splitlines()
    assert log[0].startswith(f"window of web: could not read web@5.service: fleet answered {fault.status or '000'}: ")
    assert log[1:] == ["window megaquery of web: 4 -> 12 instances, due in 116 s"]
    locks = [method for method, key, _ in site.writes() if key == LOCK]
    assert locks == ["PUT", "DELETE"] * 3


@in_both_shells
def test_a_service_that_fails_does_not_keep_others_from_their_windows(site: Site) -> None:
    """Its failure pauses the next look, not the rest of this one; what runs is watched meanwhile."""
    site.units("api")
    site.plan(replace(PLAN, unit="api@%.service"), "api")
    site.machine.curl('case "$*" in *PUT*/units/api@*) printf "broken 500"; exit 22 ;; esac')
    site.register(12)
    log = site.run(OPENS, rounds=15)
    assert OPENED_LINE in log
    assert "web: 12 instances ready 176 s before" in log
    assert (site.desired(), site.desired("api")) == (OPEN, CLOSED)
    assert [method for method, key, _ in site.writes() if key == lock_key(APP, "api")] == ["PUT", "DELETE"] * 2


def slow(site: Site, step_sec: int) -> str:
    """A script by which fleet takes so long for each unit that it is asked for."""
    later = f"read -r up _ <{site.uptime}; echo $((${{up%.*}} + {step_sec})).00 1 >{site.uptime}"
    return f'case "$*" in *PUT*) ;; */units/*) {later} ;; esac'


@in_both_shells
def test_the_lock_is_renewed_while_fleet_is_slow(site: Site) -> None:
    """Else a rollout would begin in the middle. Heartbeats go on too."""
    site.machine.curl(slow(site, 6))
    site.run(OPENS)
    assert site.desired() == OPEN
    keys = [key for method, key, form in site.etcd.writes if method == "PUT"]
    assert [form.get("refresh") for _, key, form in site.writes() if key == LOCK] == [None, *["true"] * 4, None]
    assert sum("/machines/" in key for key in keys[keys.index(LOCK) :]) >= 8


def test_an_agent_that_lost_the_lock_stops(site: Site) -> None:
    """A rollout has it. The window opens later."""
    site.machine.curl(
        f'{slow(site, 6)}; case "$*" in *PUT*refresh=true*/locks/*)'
        f" {program('curl')} -s -o /dev/null -X PUT -d value=another {site.etcd.url}/v2/keys{LOCK} ;; esac"
    )
    log = site.run(OPENS).splitlines()
    assert log[0].startswith("window of web: lost the lock: etcd answered 412: ")
    assert site.desired() == [*["launched"] * 6, *["loaded"] * 6]
    assert site.etcd.values[LOCK] == "another"
    assert site.events() == []


@in_both_shells
@pytest.mark.parametrize("key", ["_window_events", "_windows/web/state"])
def test_what_etcd_did_not_take_is_written_again(site: Site, key: str) -> None:
    """The units run; half a minute later the state says so."""
    down = site.machine.folder / "down"
    site.machine.curl(f'case "$*" in *PUT*/{key}*) if [ -e {down} ]; then printf " 500"; exit; fi ;; esac')
    down.touch()
    log = site.run(OPENS, rounds=9, between=f"[ $n -lt 1 ] || rm -f {down}").splitlines()
    assert log[0] == "window of web: could not write its state: etcd answered 500: "
    assert log[1:] == ["window megaquery of web: 4 -> 12 instances, due in 148 s"]
    state = site.state()
    assert state is not None
    assert (state.at, state.before, state.after) == (OPENS + 32, 4, 12)
    assert len(site.puts()) == 9


def test_etcd_that_does_not_answer_is_asked_again_at_the_next_step(site: Site) -> None:
    """Not a minute later."""
    down = site.machine.folder / "down"
    site.machine.curl(f'case "$*" in */_windows?*) if [ -e {down} ]; then printf " 500"; exit; fi ;; esac')
    down.touch()
    site.run(OPENS, rounds=3, between=f"[ $n -lt 1 ] || rm -f {down}")
    assert [event.at for event in site.events()] == [OPENS + 4]


# What others write.


JUNK = [
    "",
    "x",
    "v1",
    "{}",
    '"',
    '","modifiedIndex":7,"key":"',
    "$(touch /tmp/x)",
    PLAN.to_text().replace("v1", "v2"),
    PLAN.to_text().replace("base=4", "base=04"),
    PLAN.to_text().replace("base=4", "base=-4"),
    PLAN.to_text().replace("base=4", "base=a[$(touch x)]"),
    PLAN.to_text().replace("base=4 ", ""),
    PLAN.to_text().replace("most=12", "most=101"),
    PLAN.to_text().replace("lead=180", "lead=1e3"),
    PLAN.to_text().replace("unit=web@%", "unit=../web@%"),
    PLAN.to_text().replace("unit=web@%", "unit=web@1"),
    PLAN.to_text().replace(f"{WEEK_SEC}", f"0{WEEK_SEC}"),
    PLAN.to_text().replace(f"{WEEK_SEC}", "9999999999999999999"),
    PLAN.to_text().replace(":12:0:", "::0:"),
    PLAN.to_text().replace(":megaquery", ""),
    PLAN.to_text().replace("megaquery", "a/b"),
    PLAN.to_text() + ";1:2:3",
    PLAN.to_text() + "\\",
    PLAN.to_text() + "\n",
    PLAN.to_text() + "é",
    PLAN.to_text() + "|x",
    PLAN.to_text() + "{",
]


@in_both_shells
def test_a_plan_that_cannot_be_read_changes_nothing(site: Site) -> None:
    """Said once; the other services have their windows."""
    for number, text in enumerate(JUNK):
        site.etcd.put(window_plan_key(APP, f"junk-{number}"), text)
    lines = site.run(OPENS, rounds=18).splitlines()
    reason = "cannot read the plan of its windows: deploy the app again"
    assert sorted(lines) == sorted([OPENED_LINE.strip(), *(f"junk-{n}: {reason}" for n in range(len(JUNK)))])
    assert site.desired() == OPEN
    assert not any("junk" in key for _, key, _ in site.writes())


@in_both_shells
@pytest.mark.parametrize(("time", "desired"), [(OPENS, OPEN), (ENDS, CLOSED)])
def test_a_state_that_cannot_be_read_is_replaced(site: Site, time: int, desired: list[str]) -> None:
    """After the units are set, whatever they are."""
    states = [
        "",
        "x",
        '{"a":"b"}',
        "to=12",
        f"at={OPENS} from=4 to=12 due=0 by=../x ready=-",
        f"at={OPENS} from=4 to=012 due=0 by=x ready=-",
        f"at={OPENS} from=4 to=400 due=0 by=x ready=-",
        f"at={OPENS} from=4 to=12 due=0 by=x ready=-" + " " * 600,
        f"at={OPENS} from=4 to={desired.count('launched')} due=0 by=x ready=-" + "{",
    ]
    for number, text in enumerate(states):
        service = f"web-{number}"
        site.units(service)
        site.plan(replace(PLAN, unit=f"{service}@%.service"), service)
        site.etcd.put(window_state_key(APP, service), text)
        for unit in range(5, 13):
            site.fleet.cluster.units[f"{service}@{unit}.service"].desired = "loaded" if desired == OPEN else "launched"
    site.run(time)
    for number in range(len(states)):
        state = site.state(f"web-{number}")
        assert state is not None
        assert (site.desired(f"web-{number}"), state.before, state.after) == (desired, 4, desired.count("launched"))


@in_both_shells
def test_a_directory_with_an_odd_name_is_left(site: Site) -> None:
    """It would be another URL."""
    for name in (
        "../plan",
        "a b/plan",
        "a|b/plan",
        "-x/plan",
        ".x/plan",
        "a%2fb/plan",
        "x",
        "deep/er/plan",
        "web/plans",
    ):
        site.etcd.put(f"{app_dir(APP)}/_windows/{name}", PLAN.to_text())
    assert site.run(OPENS, rounds=2) == OPENED_LINE


@in_both_shells
def test_a_long_plan_is_read_quickly(site: Site) -> None:
    """As long as a deployment may write one; a longer one is refused."""
    series = tuple(Series(READY_BY + 10 * k, WEEK_SEC, 520, 9, 4, 0, "n" * 40) for k in range(3700))
    plan = WindowPlan(PLAN.unit, 4, 12, 12, LEAD_SEC, PLAN.horizon, (*series, SERIES))
    assert 250_000 < len(plan.to_text()) <= 256 * 1024
    site.plan(plan)
    assert site.run(OPENS) == OPENED_LINE
    site.plan(WindowPlan(PLAN.unit, 4, 12, 12, LEAD_SEC, PLAN.horizon, (*series, *series, SERIES)))
    assert "cannot read the plan" in site.run(ENDS)


# Instances that are ready.


@in_both_shells
def test_the_time_at_which_all_are_ready_is_written_once(site: Site) -> None:
    """By the agent that opened the window, which looks at each step."""
    site.register(11)
    last = f"{site.etcd.url}/v2/keys{site.machine.key('web', 'web@12.service')}"
    between = f"[ $n != 4 ] || {program('curl')} -s -o /dev/null -X PUT -d ttl=800 -d value=x {last}"
    log = site.run(OPENS, rounds=20, between=between)
    assert log == OPENED_LINE + "web: 12 instances ready 164 s before 03:00:00Z\n"
    assert site.state() == replace(OPENED, ready=OPENS + 16)
    assert site.events() == [site.state()]
    assert [key for _, key, _ in site.writes()].count(STATE) == 2


@pytest.mark.parametrize("mark", [{"draining": True}, {"draining": True, "failing": "GET / answered 500"}])
def test_an_instance_that_lookups_leave_out_is_not_ready(site: Site, mark: dict[str, object]) -> None:
    """It drains, or its check fails."""
    site.put_state(OPENED)
    site.register(12)
    site.register(1, **mark)
    site.run(OPENS + 4)
    assert site.writes() == []


@in_both_shells
def test_instances_that_are_late_are_a_line_each_for_the_warning_and_the_end(site: Site) -> None:
    """The warning comes once, when all had to be ready."""
    site.put_state(OPENED)
    site.register(9)
    assert site.run(READY_BY - 8, rounds=2) == ""
    assert site.run(READY_BY - 4, rounds=8) == "web: 9 of 12 instances are ready at 03:00:00Z, when all must be\n"
    site.register(12)
    assert site.run(READY_BY + 20) == "web: 12 instances ready 20 s too late for 03:00:00Z\n"
    assert site.state() == replace(OPENED, ready=READY_BY + 20)


def test_after_ten_minutes_it_looks_once_a_minute(site: Site) -> None:
    """It may never be ready."""
    site.put_state(OPENED)
    site.run(OPENS + 560, rounds=12)
    looks = sum(key == f"{app_dir(APP)}/_windows" for _, key, _ in site.etcd.requests)
    assert looks == 11
    site.etcd.requests.clear()
    site.run(OPENS + 604, rounds=15)
    assert sum(key == f"{app_dir(APP)}/_windows" for _, key, _ in site.etcd.requests) == 1


@in_both_shells
def test_another_agent_takes_over_when_the_first_had_its_time(site: Site) -> None:
    """Its machine may be gone. Who opened the window stays."""
    site.put_state(replace(OPENED, by="machine-b"))
    site.register(12)
    assert site.run(OPENS + 59) == ""
    assert site.run(OPENS + 60) == "web: 12 instances ready 120 s before 03:00:00Z\n"
    assert site.state() == replace(OPENED, by="machine-b", ready=OPENS + 60)


@pytest.mark.parametrize("is_there", [True, False])
def test_the_warning_of_a_machine_that_is_gone_is_the_others(site: Site, is_there: bool) -> None:
    """Else each of many machines would warn."""
    site.put_state(replace(OPENED, by="machine-b"))
    if is_there:
        site.etcd.put(f"{machines_dir(APP)}/machine-b", "{}", 900)
    assert site.run(READY_BY).count("0 of 12 instances are ready") == (0 if is_there else 1)


def test_of_two_agents_one_writes_that_they_are_ready(site: Site) -> None:
    """By compare-and-swap."""
    site.put_state(replace(OPENED, by="machine-b"))
    site.register(12)
    other = replace(OPENED, by="machine-b", ready=OPENS + 64).to_text()
    write = f"{program('curl')} -s -o /dev/null -X PUT --data-urlencode 'value={other}' {site.etcd.url}/v2/keys{STATE}"
    site.machine.curl(f'case "$*" in *PUT*/_windows/web/state*) {write} ;; esac')
    assert site.run(OPENS + 68) == ""
    assert site.etcd.values[STATE] == other
    assert site.events() == []


# Machines of their own.

WIDE = replace(PLAN, warm=8, series=(replace(SERIES, machines=3),))
PARTLY = ["launched"] * 8 + ["inactive"] * 4


def put_machines(site: Site, count: int, others: int = 2) -> None:
    """So many machines for windows are in fleet, and some others."""
    site.fleet.cluster.machines = (
        *(Machine(f"a{number:031}", "10.0.0.1", {"group": "base"}) for number in range(others)),
        *(Machine(f"b{number:031}", "10.0.0.2", {"group": "windows", "zone": "a"}) for number in range(count)),
    )


@in_both_shells
def test_units_for_other_machines_wait_for_them(site: Site) -> None:
    """Those that are warm run meanwhile. It is said once, and looked at each minute."""
    site.plan(WIDE)
    put_machines(site, 2)
    log = site.run(OPENS, rounds=17).splitlines()
    waits = "window megaquery of web waits for its machines: 2 of 3 with the metadata group=windows are in fleet"
    assert log == [waits, "window megaquery of web: 4 -> 8 instances, due in 180 s"]
    assert site.desired() == PARTLY
    assert sum(request.path.endswith("/machines") for request in site.fleet.requests) >= 2
    put_machines(site, 3)
    site.run(OPENS + 170)
    assert site.desired() == OPEN
    assert [(event.before, event.after, event.due) for event in site.events()] == [(4, 8, READY_BY), (8, 12, READY_BY)]


@in_both_shells
def test_windows_of_two_services_do_not_wait_for_the_same_machines(site: Site) -> None:
    """Each has all of its units only when there are enough for both: fleet would place them on the others."""
    site.units("api")
    site.plan(WIDE)
    fewer = replace(SERIES, machines=2)
    later = replace(SERIES, start=READY_BY + WEEK_SEC, machines=7)
    site.plan(replace(WIDE, unit="api@%.service", series=(fewer,)), "api")
    site.plan(replace(WIDE, unit="later@%.service", series=(later,)), "later")
    site.etcd.put(window_plan_key(APP, "junk"), "junk")
    put_machines(site, 4)
    log = site.run(OPENS)
    for service in ("web", "api"):
        assert (
            f"window megaquery of {service} waits for its machines: 4 of 5 with the metadata group=windows are in fleet"
        ) in log
    assert (site.desired(), site.desired("api")) == (PARTLY, PARTLY)
    put_machines(site, 5)
    site.run(OPENS + 60)
    assert (site.desired(), site.desired("api")) == (OPEN, OPEN)


def test_units_of_other_machines_are_inactive_after_the_window(site: Site) -> None:
    """Loaded ones would be placed on the base machines. Whether its machines are still there says nothing."""
    site.plan(WIDE)
    site.put_state(replace(OPENED, ready=OPENS))
    site.launched(12)
    assert site.run(READY_BY) == ""
    assert site.puts() == []
    site.run(ENDS)
    assert site.desired() == ["launched"] * 4 + ["loaded"] * 4 + ["inactive"] * 4


def test_instances_that_run_are_not_stopped_for_want_of_machines(site: Site) -> None:
    """They were there when the first of two windows opened; the second one needs more."""
    first = replace(SERIES, at_least=10, machines=1)
    site.plan(replace(WIDE, series=(first, *WIDE.series)))
    put_machines(site, 1)
    site.put_state(WindowEvent(OPENS - 60, 4, 10, READY_BY, "machine-b", OPENS))
    site.launched(10)
    assert "waits for its machines: 1 of 3" in site.run(OPENS)
    assert site.puts() == []


def test_a_window_without_machines_does_not_wait_for_those_of_another(site: Site) -> None:
    """It may bring more than the units that are warm in the other one's plan."""
    other = Series(READY_BY, WEEK_SEC, 520, 3600, 10, 0, "report")
    site.plan(replace(WIDE, series=(*WIDE.series, other)))
    assert "window report of web: 4 -> 10 instances, due in 180 s" in site.run(OPENS)
    assert site.desired() == ["launched"] * 10 + ["inactive"] * 2


@in_both_shells
def test_machines_are_counted_over_all_pages(site: Site) -> None:
    """fleet lists a hundred at a time."""
    site.plan(WIDE)
    put_machines(site, 3, others=198)
    site.run(OPENS)
    assert site.desired() == OPEN


def test_without_the_list_of_machines_what_is_warm_runs(site: Site) -> None:
    """And the reason is fleet's own."""
    site.plan(WIDE)
    site.fleet.inject(Fault(503))
    log = site.run(OPENS).splitlines()
    assert log[0].startswith("window of web: could not list the machines: fleet answered 503: ")


# Clocks.


def others_clocks(site: Site, off_sec: dict[str, int]) -> str:
    """A script by which other machines have heartbeats whose clocks are so many seconds ahead; each says so once a
    minute. The file `right` in the machine's folder has them be right."""
    beats = [
        f"[ ! -e {site.machine.folder}/right ] && off={off} || off=0;"
        f" {program('curl')} -s -o /dev/null -X PUT -d ttl=900 --data-urlencode"
        f' "value={{\\"agent\\":\\"a\\",\\"machine\\":\\"{name}\\",\\"clock\\":$((now / 60 * 60 + off))}}"'
        f" {site.etcd.url}/v2/keys{machines_dir(APP)}/{name}"
        for name, off in off_sec.items()
    ]
    return f"read -r now <{site.wall_clock}; {'; '.join(beats)}"


@in_both_shells
@pytest.mark.parametrize("off_sec", [-3600, -100, 100])
def test_a_machine_with_a_wrong_clock_opens_nothing(site: Site, off_sec: int) -> None:
    """From its start on, said once; and once when it is right again: then it opens what it missed."""
    clocks = others_clocks(site, {"machine-b": off_sec, "machine-c": off_sec, "machine-d": 0})
    right = f"[ $n != 4 ] || touch {site.machine.folder}/right"
    log = site.run(OPENS - 16, rounds=20, between=f"{right}; {clocks}", start_sec=4)
    wrong, right, opened = log.splitlines()
    assert wrong == (
        "this machine opens and closes no windows: its clock is more than 30 s from those of 2 of 3 other machines"
    )
    assert right == "the clock of this machine is right again"
    assert opened.startswith("window megaquery of web: 4 -> 12 instances, due in ")


@pytest.mark.parametrize("off_sec", [-36, 36])
def test_a_clock_that_is_a_little_wrong_is_found_within_two_minutes(site: Site, off_sec: int) -> None:
    """A clock that was written before this machine looked is up to a minute old."""
    clocks = others_clocks(site, {"machine-b": off_sec, "machine-c": off_sec})
    log = site.run(OPENS - 60, rounds=20, between=clocks, start_sec=4)
    assert log.count("\n") == 1
    assert log.startswith("this machine opens and closes no windows: ")


@in_both_shells
@pytest.mark.parametrize(
    "off_sec",
    [
        {"machine-b": 3600},
        {"machine-b": 3600, "machine-c": 0},
        {"machine-b": 3600, "machine-c": -3600, "machine-d": 0, "machine-e": 1},
        {"machine-b": 24, "machine-c": -24, "machine-d": 20},
    ],
)
def test_a_wrong_clock_of_another_machine_stops_nothing(site: Site, off_sec: dict[str, int]) -> None:
    """Of two machines neither is known to be right. At the first look their heartbeats are 50 s old."""
    log = site.run(OPENS - 10, rounds=19, between=others_clocks(site, off_sec), start_sec=4)
    assert log == "window megaquery of web: 4 -> 12 instances, due in 130 s\n"


def test_a_clock_that_jumps_is_noticed_at_once(site: Site) -> None:
    """Although those of the others were seen before."""
    clocks = others_clocks(site, {"machine-b": 0, "machine-c": 0})
    site.plan(replace(PLAN, series=(replace(SERIES, start=READY_BY + 3600),)))
    jump = f"echo $((now + 3600)) >{site.wall_clock}"
    log = site.run(OPENS - 60, rounds=19, between=f"[ $n = 17 ] && {jump} || {{ {clocks}; }}", start_sec=4)
    assert log.startswith("this machine opens and closes no windows: ")


@pytest.mark.parametrize("clock", ["0", "x", "99999999999999999999", "-5", '"7"', "$(touch x)"])
def test_a_heartbeat_of_a_guest_is_no_clock(site: Site, clock: str) -> None:
    """What is no number is left out; one that is wrong is one of several."""
    beat = json.dumps({"agent": "a", "machine": "machine-b"}, separators=(",", ":"))[:-1] + f',"clock":{clock}}}'
    url = f"{site.etcd.url}/v2/keys{machines_dir(APP)}"
    put = f"{program('curl')} -s -o /dev/null -X PUT --data-urlencode 'value={beat}'"
    log = site.run(OPENS, rounds=3, between=f"{put} {url}/machine-b; {put} {url}/machine-c", start_sec=4)
    assert ("no windows" in log) == (clock == "0")


# Rights, and the plan.


@in_both_shells
def test_what_only_the_superuser_writes_is_written_with_the_machines_password(site: Site) -> None:
    """Where etcd knows its superuser by a password. Heartbeats are a guest's."""
    password, text = site.machine.folder / "etcd-root", site.machine.home / "agent"
    password.write_text("a b$c")
    text.write_text(text.read_text().replace("/etc/fleetcaptain/etcd-root", str(password)))
    site.register(12)
    assert len(site.run(OPENS, rounds=2).splitlines()) == 2
    login = f"Basic {base64.b64encode(b'root:a b$c').decode()}"
    asked = zip(site.etcd.requests, site.etcd.headers, strict=True)
    written = {
        (key.removeprefix(f"{app_dir(APP)}/").partition("/")[0], headers.get("Authorization") == login)
        for (method, key, _), headers in asked
        if method != "GET"
    }
    assert written == {("machines", False), ("locks", True), ("_windows", True), ("_window_events", True)}


@in_both_shells
def test_an_agent_and_the_plan_agree_on_how_many_must_run(machine: PretendedMachine) -> None:
    """For any plan and time. The shell reads them in one process."""
    made = random.Random(7)  # noqa: S311 - the same cases each time
    cases: list[tuple[int, WindowPlan]] = []
    for _ in range(400):
        base = made.randint(1, 9)
        most = made.randint(base, 40)
        series = tuple(
            Series(
                READY_BY + made.randint(-5, 5) * 1800,
                made.choice([3600, 86400, WEEK_SEC]),
                made.choice([1, 2, 3, 500]),
                made.choice([60, 1800, 3600, 90000]),
                made.randint(1, most),
                made.choice([0, 0, 3]),
                made.choice(["a", "mega-query_2", "9"]),
            )
            for _ in range(made.randint(0, 5))
        )
        lead_sec = made.choice([0, 1, 180, 4000])
        plan = WindowPlan("web@%.service", base, most, made.randint(base, most), lead_sec, READY_BY, series)
        edges = [
            one.start + k * one.step + edge
            for one in series
            for k in (0, 1, 499)
            for edge in (-lead_sec - 1, -lead_sec, 0, one.length - 1, one.length)
        ]
        cases += [(time, plan) for time in (*made.sample(edges, min(6, len(edges))), READY_BY)]
    known = WindowSpec("a", 12, 150, 90, (0, 1, 2, 3, 4), (), "America/Chicago")
    for dates in ((), (date(2028, 2, 29), date(2027, 3, 14))):
        window = replace(known, days=() if dates else known.days, dates=dates)
        plan = plan_of("web@%.service", 4, [window], 180, READY_BY)
        cases += [(READY_BY + made.randint(0, 10 * 366 * 86400), plan) for _ in range(30)]
    (machine.folder / "cases").write_text("".join(f"{time}\n{plan.to_text()}\n" for time, plan in cases))
    functions, _, _ = (machine.home / "agent").read_text().partition("\nCOMMAND=")
    loop = 'while read -r EPOCH && read -r PLAN; do read_plan all && say "$DESIRED"; done <"$FOLDER/../cases"'
    (machine.home / "agent").write_text(f"{functions}\n{loop}\n")
    done = machine.agent()
    assert done.stderr == ""
    assert list(map(int, done.stdout.split())) == [plan.desired(time) for time, plan in cases]
