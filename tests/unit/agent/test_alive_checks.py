"""The alive checks of the machine agent: the real program and an etcd in memory, with docker, systemctl and the
machine's clock pretended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.discovery.failing_instances import failing_services
from fleetcaptain.fleetfile.letters import _USUAL
from fleetcaptain.fleetfile.values import Alive, BlueGreen, Command, Expand, Http, Port, Rolling, ServiceSpec, Tcp
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.shell_machine import program_on

MACHINE, RUN = "m1", "0123456789abcdef"
UNIT = "web@1.service"
KEYS = "/fleetcaptain/shop"
KEY = f"{KEYS}/services/web/{UNIT}"
SLOT = f"{KEYS}/restarts/web/1"
REASON = "GET /alive on container port 80 answered 503"
# A check runs 30 s after the start, and then every 10 s; a restart waits 20 s more for what other machines see.
GRACE, EVERY, OTHERS = 30, 10, 20
WEB = ServiceSpec("web", "web", "web:1", ports=(Port(80),), alive=Alive(Http("/alive")), start_sec=100)
_HANGS = 'case "$*" in exec*) echo >>"$0.calls"; exec /bin/sleep 60 ;; inspect*) echo true ;; esac'


class Server:
    """The service on the loopback: *status* answers each GET, *seen* are the paths."""

    def __init__(self) -> None:
        self.status, self.seen = 200, list[str]()

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.seen.append(self.path)
                self.send_response(server.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep the test's output clean."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._http.server_port)


class Machine:
    """One machine with the agent of the app ``shop``. Its clock stands still, and goes on in `passes`."""

    def __init__(self, folder: Path, etcd: FakeEtcd, server: Server) -> None:
        self.etcd, self.server = etcd, server
        self.run, self.units, self.bin = folder / "run" / "shop", folder / "units", folder / "bin"
        for one in (self.run, self.units, self.bin):
            one.mkdir(parents=True)
        self.agent = self.run / "agent"
        program = program_on(folder, etcd.url)
        assert "/proc/uptime" in program
        self.agent.write_text(program.replace("/proc/uptime", "$UPTIME"))
        self.clock, self.log = folder / "uptime", folder / "log"
        self.time = 100
        self.clock.write_text("100.5 1\n")
        (folder / "machine-id").write_text(f"{MACHINE}\n")
        self.stub("sleep", 'echo >>"$0.calls"; read -r _ <"$0.go"')
        os.mkfifo(self.bin / "sleep.go")
        self.stub("docker", f"case $1 in port) echo 0.0.0.0:{server.port} ;; inspect) echo true ;; esac")
        self.stub(
            "systemctl",
            'case "$*" in *-health.service) echo inactive ;; is-active*) shift 2; for one; do echo active; done ;; '
            '*) echo "$*" >>"$0.calls" ;; esac',
        )
        self.environ = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "UPTIME": str(self.clock),
            "COREOS_PRIVATE_IPV4": "127.0.0.1",
            "MAINPID": str(os.getpid()),
            "INVOCATION_ID": RUN,
            "IMAGE": "web@sha256:1",
        }

    def stub(self, name: str, script: str) -> None:
        """Put a command of that *name*, an ``sh`` script, first on PATH."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        """The lines that the stub *name* wrote."""
        path = self.bin / f"{name}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def command(self, *words: str) -> str:
        """Run the agent with *words*, which has to succeed; its output."""
        argv = ["/bin/sh", str(self.agent), *words]
        done = subprocess.run(argv, env=self.environ, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def starts(self, spec: ServiceSpec = WEB, unit: str = UNIT) -> None:
        """systemd starts the *unit* of *spec*."""
        file = render(spec, Mark("shop", "shop/dev", spec.name)).with_image("web@sha256:1")
        (self.units / unit).write_text(file.text)
        self.command("starting", unit)
        self.command("started", unit)

    @contextmanager
    def looped(self) -> Iterator[Self]:
        """The agent's loop runs."""
        argv = ["/bin/sh", str(self.agent), "run"]
        with (
            self.log.open("w") as log,
            subprocess.Popen(argv, env=self.environ, stdout=log, stderr=log, start_new_session=True) as loop,
        ):
            try:
                yield self
            finally:
                os.killpg(loop.pid, 9)

    def passes(self, seconds: int, *, settled: bool = True) -> None:
        """*seconds* pass, in steps of at most the time between two checks. Ends when the loop, and unless not *settled*
        its checks, have seen each of them."""
        until = self.time + seconds
        while self.time < until:
            self.time = min(self.time + EVERY, until)
            temporary = self.clock.with_suffix(".new")
            temporary.write_text(f"{self.time}.5 1\n")
            temporary.replace(self.clock)
            self._round()
            if settled:
                self._until(lambda: not list(self.run.glob("checked/.*")))

    def _round(self) -> None:
        """The loop, which sleeps, goes on until it sleeps again."""
        self._until(lambda: bool(self.calls("sleep")))
        rounds = len(self.calls("sleep"))
        with (self.bin / "sleep.go").open("w") as go:
            go.write("\n")
        self._until(lambda: len(self.calls("sleep")) > rounds)

    @property
    def beats(self) -> int:
        """How often the machine renewed its heartbeat."""
        beat = f"{KEYS}/machines/{MACHINE}"
        return sum(method == "PUT" and key == beat for method, key, _ in list(self.etcd.requests))

    def _until(self, holds: Callable[[], bool]) -> None:
        with self.etcd.changed:
            for _ in range(3000):
                if holds():
                    return
                self.etcd.changed.wait(0.01)
        pytest.fail(f"the agent's loop does not go on: {self.log.read_text()}")

    @property
    def file(self) -> str:
        """The registration that the agent keeps."""
        return (self.run / "services" / "web" / UNIT).read_text()

    def said(self, what: str) -> list[str]:
        """The lines of the loop's log with *what*."""
        return [line for line in self.log.read_text().splitlines() if what in line]

    def restarts(self) -> list[str]:
        """The units that were restarted."""
        return [call.removeprefix("try-restart --no-block ") for call in self.calls("systemctl")]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose loop runs, without a unit."""
    with FakeEtcd() as etcd, Server() as server, Machine(tmp_path, etcd, server).looped() as one:
        yield one


def other(machine: Machine, number: int, *, failing: bool = False) -> str:
    """Another instance of web, on another machine."""
    value = {"service": "web", "unit": f"web@{number}.service", "machine": "m2", "ports": {"80": 1}}
    mark = {"draining": True, "failing": "x"} if failing else {}
    key = f"{KEYS}/services/web/web@{number}.service"
    return machine.etcd.put(key, json.dumps({**value, **mark}, separators=(",", ":")), 900)


def fails(machine: Machine, spec: ServiceSpec = WEB) -> str:
    """An instance of *spec* starts, and its check fails as often as it may. Returns its registration before."""
    machine.server.status = 503
    machine.starts(spec)
    original = machine.etcd.entries[KEY].value
    machine.passes(GRACE + 2 * EVERY + 4)
    return original


def test_an_instance_is_out_of_discovery_when_its_check_has_failed_often_enough(machine: Machine) -> None:
    """Every lookup leaves out what is draining; all else of the registration stays."""
    machine.server.status = 503
    machine.starts()
    original = machine.etcd.entries[KEY].value
    machine.passes(GRACE + EVERY + 4)
    assert len(machine.server.seen) == 2
    assert machine.etcd.entries[KEY].value == machine.file == original
    machine.passes(EVERY)
    assert machine.etcd.value(KEY) == {**json.loads(original), "draining": True, "failing": REASON}
    assert machine.file == machine.etcd.entries[KEY].value
    assert machine.said("out of discovery") == [
        f"{UNIT} is out of discovery: its alive check failed 3 times in a row: {REASON}"
    ]
    machine.passes(EVERY)
    assert len(machine.said("out of discovery")) == 1
    assert machine.restarts() == []


def test_it_is_back_when_its_check_holds(machine: Machine) -> None:
    """With the registration that it had."""
    original = fails(machine)
    machine.server.status = 200
    machine.passes(EVERY + 4)
    assert machine.etcd.entries[KEY].value == machine.file == original
    machine.passes(5 * EVERY)
    assert machine.restarts() == []
    assert len(machine.said("in discovery again")) == 1


def test_a_mark_that_only_etcd_has_is_taken_back(machine: Machine) -> None:
    """etcd did not answer in time, or the agent ended, before the file had it."""
    original = fails(machine)
    (machine.run / "services" / "web" / UNIT).write_text(original)
    machine.server.status = 200
    machine.passes(EVERY + 4)
    assert machine.etcd.entries[KEY].value == machine.file == original
    assert len(machine.said("in discovery again")) == 1


def test_only_failures_in_a_row_count(machine: Machine) -> None:
    """One answer in between, and the count begins again."""
    machine.server.status = 503
    machine.starts()
    original = machine.etcd.entries[KEY].value
    for status in (503, 503, 200, 503, 503):
        seen = len(machine.server.seen)
        machine.server.status = status
        while len(machine.server.seen) == seen:
            machine.passes(2)
    assert machine.etcd.entries[KEY].value == original


def test_no_check_runs_in_the_time_of_grace(machine: Machine) -> None:
    """An app may take its time after it is ready."""
    machine.server.status = 503
    machine.starts()
    machine.passes(GRACE - 2)
    assert machine.server.seen == []
    machine.passes(6)
    assert machine.server.seen == ["/alive"]


def test_it_is_restarted_after_others_had_time_to_fail_too(machine: Machine) -> None:
    """With one instance it is; it holds a slot until it is registered again."""
    fails(machine)
    machine.passes(OTHERS - 6)
    assert machine.restarts() == []
    machine.passes(10)
    assert machine.restarts() == [UNIT]
    slot = machine.etcd.entries[SLOT]
    assert (slot.value, slot.ttl) == (UNIT, 100 + 20 + 60)
    assert machine.said("restarting") == [f"restarting {UNIT}: its alive check fails: {REASON}"]
    machine.passes(5 * EVERY)
    assert machine.restarts() == [UNIT]
    machine.command("stopping", UNIT)
    assert KEY not in machine.etcd.entries
    machine.server.status = 200
    machine.starts()
    assert SLOT not in machine.etcd.entries
    assert "failing" not in machine.etcd.value(KEY)
    machine.passes(GRACE + 5 * EVERY)
    assert "failing" not in machine.etcd.value(KEY)


@pytest.mark.parametrize(
    ("failing", "restarting", "holding", "restarted"),
    [
        (0, 0, 0, True),
        (1, 0, 0, False),
        (1, 0, 1, False),
        (0, 0, 1, True),
        (1, 0, 2, True),
        (2, 0, 2, False),
        (0, 1, 1, False),
        (0, 1, 2, True),
        (1, 1, 2, False),
        (1, 1, 3, True),
    ],
)
def test_none_is_restarted_when_most_fail(
    machine: Machine, failing: int, restarting: int, holding: int, restarted: bool
) -> None:
    """Something that they need is down, and a restart would only make it worse. Half of them are not most. Those that
    were restarted and did not come back fail too."""
    for number in range(failing):
        other(machine, 10 + number, failing=True)
    for number in range(holding):
        other(machine, 20 + number)
    for number in range(restarting):
        machine.etcd.put(f"{KEYS}/restarts/web/{number + 1}", f"web@3{number}.service", 180)
    fails(machine, ServiceSpec(**{**vars(WEB), "rollout": Rolling(max_parallel=9)}))
    machine.passes(OTHERS + 3 * EVERY)
    assert machine.restarts() == ([UNIT] if restarted else [])
    # Operators read the same; they do not see those that restart.
    values = [entry.value for key, entry in machine.etcd.entries.items() if key.startswith(f"{KEYS}/services/web/")]
    (web,) = failing_services(map(Registration.from_json, values))
    assert web.most is not restarted or restarting
    bad = failing + restarting + 1
    said = f"{bad} of {bad + holding} instances of web fail, so something that they need may be down"
    assert machine.said("not restarted") == ([] if restarted else [f"{UNIT} is not restarted: {said}"])


def test_the_last_one_that_comes_back_is_not_restarted(machine: Machine) -> None:
    """What all need is there again, and each finds out at its own next check."""
    for number in (10, 11):
        other(machine, number, failing=True)
    fails(machine)
    machine.passes(OTHERS + 5 * EVERY)
    assert machine.said("not restarted")
    for number in (10, 11):
        other(machine, number)
    machine.passes(OTHERS - 1)
    assert machine.restarts() == []
    machine.passes(EVERY + 1)
    assert machine.restarts() == [UNIT]


def test_none_is_restarted_during_a_rollout(machine: Machine) -> None:
    """The rollout replaces it, or fails because of it."""
    machine.etcd.put(f"{KEYS}/locks/web", "{}", 30)
    fails(machine)
    machine.passes(OTHERS + 2 * EVERY)
    assert machine.restarts() == []
    assert machine.said("not restarted") == [f"{UNIT} is not restarted: a rollout of web is in progress"]
    assert not [key for key in machine.etcd.entries if key.startswith(f"{KEYS}/restarts")]
    machine.etcd.remove(f"{KEYS}/locks/web")
    machine.passes(EVERY + 4)
    assert machine.restarts() == [UNIT]


@pytest.mark.parametrize(
    ("parallel", "others", "slots"), [(1, 3, 1), (2, 3, 2), ("25%", 5, 2), ("25%", 6, 2), ("25%", 2, 1), ("9%", 2, 1)]
)
def test_at_most_as_many_are_restarted_at_once_as_the_rollout_replaces(
    machine: Machine, parallel: int | str, others: int, slots: int
) -> None:
    """A share is of all instances, rounded down, at least one."""
    for number in range(others):
        other(machine, 10 + number)
    for number in range(1, slots + 1):
        machine.etcd.put(f"{KEYS}/restarts/web/{number}", f"web@2{number}.service", 180)
    fails(machine, ServiceSpec(**{**vars(WEB), "rollout": Rolling(max_parallel=parallel)}))
    machine.passes(OTHERS + EVERY)
    assert machine.restarts() == []
    assert len(machine.said("is not restarted: as many instances of web as its rollout replaces at once")) == 1
    other(machine, 20 + slots)
    machine.etcd.remove(f"{KEYS}/restarts/web/{slots}")
    machine.passes(EVERY + 4)
    assert machine.restarts() == [UNIT]
    assert machine.etcd.entries[f"{KEYS}/restarts/web/{slots}"].value == UNIT


def test_an_instance_that_does_not_come_back_keeps_its_slot(machine: Machine) -> None:
    """Each of its starts renews it: no other instance is restarted in its place."""
    fails(machine)
    machine.passes(OTHERS + EVERY)
    assert machine.restarts() == [UNIT]
    machine.etcd.put(SLOT, UNIT, 5)
    machine.command("starting", UNIT)
    assert machine.etcd.entries[SLOT].ttl == 180
    machine.etcd.put(SLOT, "web@2.service", 5)
    machine.command("starting", UNIT)
    assert (machine.etcd.entries[SLOT].value, machine.etcd.entries[SLOT].ttl) == ("web@2.service", 5)


def test_a_slot_that_it_did_not_give_back_is_its_own(machine: Machine) -> None:
    """As after an agent that was killed between the two."""
    machine.etcd.put(SLOT, UNIT, 50)
    fails(machine)
    machine.passes(OTHERS + EVERY)
    assert machine.restarts() == [UNIT]
    assert machine.etcd.entries[SLOT].ttl == 180


@pytest.mark.parametrize("when", [0, GRACE + 2 * EVERY + 4])
def test_none_is_restarted_during_maintenance_of_its_service(machine: Machine, when: int) -> None:
    """It goes on for those who look into it, whether its check failed before or fails then. Afterwards it counts."""
    machine.server.status = 503
    machine.starts()
    original = machine.etcd.entries[KEY].value
    machine.passes(when)
    machine.etcd.put(f"{KEYS}/maintenance/web", "{}")
    machine.passes(GRACE + OTHERS + 5 * EVERY)
    marked = {**json.loads(original), "draining": True, "maintenance": True}
    assert machine.etcd.value(KEY) == json.loads(machine.file) == marked
    assert machine.restarts() == []
    assert machine.said("not restarted") == [f"{UNIT} is not restarted: its service is under maintenance"]
    machine.etcd.remove(f"{KEYS}/maintenance/web")
    machine.passes(4)
    failing = "it failed during the maintenance of its service"
    assert machine.etcd.value(KEY) == {**json.loads(original), "draining": True, "failing": failing}
    assert machine.restarts() == []
    machine.passes(OTHERS + 2 * EVERY)
    assert machine.restarts() == [UNIT]


def test_an_instance_whose_check_holds_again_after_maintenance_is_back(machine: Machine) -> None:
    """Its first check says so."""
    machine.server.status = 503
    machine.starts()
    original = machine.etcd.entries[KEY].value
    machine.etcd.put(f"{KEYS}/maintenance/web", "{}")
    machine.passes(GRACE + 5 * EVERY)
    machine.etcd.remove(f"{KEYS}/maintenance/web")
    machine.passes(4)
    assert "failing" in machine.etcd.value(KEY)
    machine.server.status = 200
    machine.passes(2 * EVERY)
    assert machine.etcd.entries[KEY].value == machine.file == original
    assert machine.restarts() == []


@pytest.mark.parametrize("lease", ["app", "beacon"])
def test_the_registration_of_the_app_itself_is_marked_and_restored(machine: Machine, lease: str) -> None:
    """With all that the app wrote; what the app renews gets no longer life."""
    machine.server.status = 503
    machine.starts()
    own = {"machine": MACHINE, "lease": lease, "run": RUN, "service": "web", "unit": UNIT, "note": 'a "b\\c" & <d>'}
    text = machine.etcd.put(KEY, json.dumps(own, separators=(",", ":")), 60)
    machine.passes(GRACE + 2 * EVERY + 4)
    assert machine.etcd.value(KEY) == {**own, "draining": True, "failing": REASON}
    assert machine.etcd.entries[KEY].ttl == (60 if lease == "app" else 900)
    assert json.loads(machine.file)["failing"] == REASON
    machine.server.status = 200
    machine.passes(EVERY + 4)
    assert machine.etcd.entries[KEY].value == text
    assert "failing" not in machine.file


@pytest.mark.parametrize("begins", [{}, {"machine": MACHINE, "lease": "beacon"}])
def test_what_is_draining_for_another_reason_stays(machine: Machine, begins: dict[str, str]) -> None:
    """A rollout is about to stop it, or the app has unregistered itself; neither is restarted."""
    machine.server.status = 503
    machine.starts()
    value = {**begins, **machine.etcd.value(KEY), "draining": True}
    text = machine.etcd.put(KEY, json.dumps(value, separators=(",", ":")), 60)
    machine.passes(GRACE + 2 * EVERY + OTHERS + 2 * EVERY)
    assert machine.etcd.entries[KEY].value == text
    assert machine.restarts() == []
    why = "others changed its registration, or it is about to stop"
    assert machine.said("not restarted") == [f"{UNIT} is not restarted: {why}"]


def test_a_mark_is_kept_when_its_file_was_not_written(machine: Machine) -> None:
    """The agent was killed between etcd and the file: the next check makes both equal, also when it holds."""
    original = fails(machine)
    marked = machine.etcd.entries[KEY].value
    file = machine.run / "services" / "web" / UNIT
    file.write_text(original)
    machine.passes(EVERY + 4)
    assert machine.file == machine.etcd.entries[KEY].value == marked
    file.write_text(marked)
    machine.etcd.put(KEY, original, 900)
    machine.server.status = 200
    machine.passes(EVERY + 4)
    assert machine.file == machine.etcd.entries[KEY].value == original


def test_a_registration_that_expired_comes_back_with_its_mark(machine: Machine) -> None:
    """As after an outage of etcd: what fails stays out of discovery."""
    fails(machine)
    marked = machine.etcd.entries[KEY].value
    machine.etcd.remove(KEY)
    machine.passes(20)
    assert machine.etcd.entries[KEY].value == marked


def test_a_stopped_unit_is_not_checked(machine: Machine) -> None:
    """Its registration is gone, and nothing brings it back."""
    fails(machine)
    machine.command("stopping", UNIT)
    seen = len(machine.server.seen)
    machine.passes(GRACE + 5 * EVERY)
    assert len(machine.server.seen) == seen
    assert KEY not in machine.etcd.entries
    assert machine.restarts() == []


def test_a_unit_that_is_stopped_while_it_is_marked_leaves_nothing(machine: Machine) -> None:
    """Its own lines know only the registration from before the mark."""
    machine.server.status = 503
    machine.starts()
    machine.passes(GRACE + EVERY + 4)
    file = machine.run / "services" / "web" / UNIT
    curl = 'case "$*" in *prevIndex=*value=*) {0} "$@"; rm -f {1} ;; *) exec {0} "$@" ;; esac'
    machine.stub("curl", curl.format(shutil.which("curl"), file))
    machine.passes(EVERY)
    assert KEY not in machine.etcd.entries
    assert not file.exists()


def test_a_check_that_hangs_delays_no_heartbeat(machine: Machine) -> None:
    """It runs once at a time, and ends after some seconds; this one never gets so far."""
    machine.stub("docker", _HANGS)
    machine.stub("timeout", 'while case $1 in docker) false ;; esac; do shift; done; exec "$@"')
    machine.starts(ServiceSpec(**{**vars(WEB), "ports": (), "alive": Alive(Command("true"))}))
    machine.passes(GRACE + 2, settled=False)
    beats = machine.beats
    machine.passes(3 * EVERY, settled=False)
    assert machine.beats == beats + 3
    assert len(machine.calls("docker")) == 1


def test_a_check_of_the_run_before_says_nothing_of_this_one(machine: Machine) -> None:
    """It was slow: the unit was started again meanwhile, and has another check."""
    machine.server.status = 503
    machine.starts()
    original = machine.etcd.entries[KEY].value
    machine.passes(GRACE + EVERY + 4)
    noted, following = machine.run / "alive" / UNIT, machine.run / "following"
    following.write_text(f"{machine.time} {noted.read_text().partition(' ')[2]}")
    machine.stub("curl", f'case "$*" in */alive*) mv {following} {noted} ;; esac; exec {shutil.which("curl")} "$@"')
    machine.passes(EVERY)
    assert len(machine.server.seen) == 3
    assert machine.etcd.entries[KEY].value == machine.file == original


@pytest.mark.parametrize("name", [UNIT, f".{UNIT}"])
def test_a_file_that_the_agent_could_not_finish_ends_no_check(machine: Machine, name: str) -> None:
    """It was killed between the opening of the file and its line."""
    machine.starts()
    (machine.run / "checked" / name).touch()
    machine.passes(GRACE, settled=False)
    machine.passes(4)
    assert machine.server.seen == ["/alive"]


def test_a_command_that_fails_or_takes_too_long(machine: Machine) -> None:
    """Its reason says so, and a unit without a container runs it on the machine."""
    spec = {
        **vars(WEB),
        "alive": Alive(Command("exit 3"), failures=1, grace_sec=0),
        "start": ("/bin/serve",),
        "ports": (),
    }
    machine.starts(ServiceSpec(**spec))
    machine.passes(4)
    assert machine.etcd.value(KEY)["failing"] == "its command failed"


def test_a_port_that_accepts_no_connection(machine: Machine) -> None:
    """The server has gone, though its container runs."""
    machine.starts(ServiceSpec(**{**vars(WEB), "alive": Alive(Tcp(), failures=1, grace_sec=0)}))
    machine.passes(4)
    assert "failing" not in machine.etcd.value(KEY)
    machine.server.__exit__()
    machine.passes(EVERY + 4)
    assert machine.etcd.value(KEY)["failing"] == "a connection to container port 80 failed"


def test_an_answer_that_does_not_come(machine: Machine) -> None:
    """A reason has no character that JSON would read."""
    check = Http('/a"b\\c{d}')
    machine.starts(ServiceSpec(**{**vars(WEB), "alive": Alive(check, failures=1, grace_sec=0)}))
    machine.server.__exit__()
    machine.passes(4)
    assert machine.etcd.value(KEY)["failing"] == "no answer to GET /abcd on container port 80"


@pytest.mark.parametrize("specifier", _USUAL)
def test_every_specifier_that_a_check_may_have_is_replaced(machine: Machine, specifier: str) -> None:
    """The Fleetfile refuses the others."""
    check = Http(Expand(f"/%{specifier}/${{SHARD}}/100%%"))
    machine.environ["SHARD"] = "7"
    machine.starts(ServiceSpec(**{**vars(WEB), "alive": Alive(check, grace_sec=0)}))
    machine.passes(2)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    names = {"n": UNIT, "N": "web@1", "p": "web", "P": "web", "i": "1", "I": "1", "m": MACHINE, "b": boot}
    assert machine.server.seen == [f"/{names.get(specifier, os.uname().nodename)}/7/100%"]


def test_a_unit_without_the_keyword_has_no_check(machine: Machine) -> None:
    """It is off by default."""
    machine.server.status = 503
    machine.starts(ServiceSpec(**{**vars(WEB), "alive": None}))
    machine.passes(GRACE + 5 * EVERY)
    assert machine.server.seen == []


def _lines(**more: Any) -> list[str]:
    file = render(ServiceSpec(**{**vars(WEB), **more}), Mark("shop", "shop/dev", "web"))
    return [line for line in file.text.splitlines() if line.startswith("Alive")]


def test_the_unit_says_what_the_agent_has_to_know() -> None:
    """Only what differs from the usual, and nothing that depends on the number of instances."""
    assert _lines() == _lines(instances=7) == ["Alive=http 80 /alive"]
    assert _lines(alive=None) == []
    assert _lines(rollout=BlueGreen()) == ["Alive=http 80 /alive"]
    assert _lines(alive=Alive(Tcp(), 20, 5, 0), rollout=Rolling(max_parallel="25%"), instances=8) == [
        "Alive=tcp 80",
        "AliveEvery=20",
        "AliveFailures=5",
        "AliveGrace=0",
        "AliveParallel=25%",
    ]
    check = Http("/a%b", 80, "shop.example.org", {"A": "b"}, https=True)
    assert _lines(alive=Alive(check), rollout=Rolling(max_parallel=2)) == [
        "Alive=https 80 /a%%b",
        "AliveHost=shop.example.org",
        "AliveHeader=A: b",
        "AliveParallel=2",
    ]
