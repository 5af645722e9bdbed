"""`agent run`: rounds of the loop, with registrations of this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest

from fleetcaptain.agent.agent_unit import agent_unit
from fleetcaptain.agent.program import program_hash
from fleetcaptain.units.agent_calls import agent_name
from tests.fakes.fake_etcd import FakeEtcd
from tests.programs import program
from tests.unit.units.shell_machine import MACHINE_ID, SHELLS, UNIT, PretendedMachine, made_by_app, registration
from tests.unit.units.specs import SPECS

VALUE = '{"service":"app_server","machine":"machine-a","note":"a & b = é + %41"}'
TRICKS = f'"value":"{{"machine":"{MACHINE_ID}","lease":"beacon"}} "modifiedIndex":7, "ttl":800,'
ACTIVE = {UNIT: "active"}


def register(machine: PretendedMachine, etcd: FakeEtcd, value: str = VALUE, ttl: int = 800) -> None:
    """The unit has registered with `VALUE`; in etcd is now *value*."""
    machine.file().parent.mkdir(parents=True, exist_ok=True)
    machine.file().write_text(VALUE)
    etcd.put(machine.key(), value, ttl)


def changes(machine: PretendedMachine, etcd: FakeEtcd) -> list[tuple[str, dict[str, str]]]:
    """What was written at the key of the unit."""
    return [(method, form) for method, key, form in etcd.writes if key == machine.key()]


# Heartbeat.


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_the_heartbeat_is_one_key_that_is_refreshed(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """With the hash of the program that runs, and the machine's clock."""
    machine.stub("date", "echo 1795748400")
    machine.loop(3)
    key = f"/fleetcaptain/{machine.app}/machines/{MACHINE_ID}"
    value = registration({"agent": machine.program_hash, "machine": MACHINE_ID, "clock": 1795748400})
    refresh = ("PUT", key, {"refresh": "true", "prevExist": "true", "ttl": "900"})
    assert etcd.writes == [("PUT", key, {"ttl": "900", "value": value}), refresh, refresh]
    etcd.put(key, "of the program before", 12)
    machine.loop()
    assert etcd.values[key] == value


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_once_a_minute_the_heartbeat_says_what_time_it_is(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """In place of a refresh: it is not written more often."""
    uptime, clock = machine.own_clock(), machine.folder / "clock"
    clock.write_text("1000")
    machine.stub("date", f"cat {clock}")
    machine.loop(33, between=f"echo $((100 + n * 4)).00 1 >{uptime}; echo $((1000 + n * 4)) >{clock}")
    forms = [form for _, key, form in etcd.writes if "/machines/" in key]
    assert len(forms) == 33
    assert [json.loads(form["value"])["clock"] for form in forms if "value" in form] == [1000, 1060, 1120]
    assert {form.get("prevExist") for form in forms[1:]} == {"true"}


def test_a_machine_without_registrations_reads_little(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """A heartbeat, the others' heartbeats and the services under maintenance; once a minute all registrations, the
    windows and the logins at registries."""
    uptime = machine.own_clock()
    done = machine.loop(5, between=f"echo $((100 + n * 4)).00 1 >{uptime}")
    assert done.stderr == ""
    assert len(etcd.writes) == 5
    assert len(etcd.requests) - len(etcd.writes) == 14


def test_the_log_says_which_program_runs(machine: PretendedMachine) -> None:
    """Nothing else, when nothing happens."""
    assert machine.loop(2).stdout == f"agent {machine.program_hash}\n"


@pytest.mark.parametrize("state", ["active", "failed"])
def test_a_long_job_does_not_make_the_machine_silent(machine: PretendedMachine, etcd: FakeEtcd, state: str) -> None:
    """Each of many units takes etcd a while: the heartbeat goes on between them."""
    units = [f"app_server@{number}.service" for number in range(9)]
    machine.states(dict.fromkeys(units, state))
    machine.file().parent.mkdir(parents=True)
    for unit in units:
        etcd.put(machine.key(unit=unit), VALUE, 500)
        machine.file(unit=unit).write_text(VALUE)
    uptime = machine.own_clock()
    later = f"read -r now _ <{uptime}; echo $((${{now%.*}} + 2)).00 1 >{uptime}"
    machine.curl(f'case "$*" in *services/app_server*) {later} ;; esac')
    machine.loop(1)
    beats = [number for number, (_, key, _) in enumerate(etcd.writes) if "/machines/" in key]
    gaps = [after - before for before, after in pairwise([*beats, len(etcd.writes)])]
    # Two calls for each unit, of 2 s each.
    assert max(gaps) <= 3


# Renewal.


@pytest.mark.parametrize("state", ["active", "reloading"])
def test_a_registration_with_little_time_left_is_renewed_by_comparing(
    machine: PretendedMachine, etcd: FakeEtcd, state: str
) -> None:
    """Only the time to live changes, and only if the value is this machine's."""
    machine.states({UNIT: state})
    register(machine, etcd, ttl=599)
    machine.loop()
    assert changes(machine, etcd) == [("PUT", {"refresh": "true", "ttl": "900", "prevValue": VALUE})]
    assert etcd.values[machine.key()] == VALUE
    assert machine.file().exists()


def test_a_registration_with_time_left_is_not_written(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Writes hardly grow with the units. The number is etcd's own, not one in the value."""
    machine.states(ACTIVE)
    register(machine, etcd, ttl=600)
    machine.loop()
    assert changes(machine, etcd) == []
    etcd.put(machine.key(), made_by_app("beacon", note=TRICKS), 599)
    machine.loop()
    assert len(changes(machine, etcd)) == 1


# Those that the agent calls, apart from its shell's own.
_PROGRAMS = ("basename", "cat", "curl", "cut", "docker", "head", "ln", "mkdir", "mv", "rm", "sleep", "systemctl", "tr")


def register_many(machine: PretendedMachine, etcd: FakeEtcd, ttls: Sequence[int | None]) -> list[str]:
    """Active units of two services, whose keys have so much time left; None: the key is lost. Returns their keys. The
    agent was away for a moment only: a first heartbeat would have it read them twice."""
    etcd.put(f"/fleetcaptain/{machine.app}/machines/{MACHINE_ID}", "{}", 12)
    names = {f"{service}@{number}.service": service for number in range(len(ttls)) for service in ("app_server", "web")}
    units = list(names)[: len(ttls)]
    machine.states(dict.fromkeys(units, "active"))
    keys = []
    for unit, ttl in zip(units, ttls, strict=True):
        file, key = machine.file(names[unit], unit), machine.key(names[unit], unit)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'{{"unit":"{unit}","machine":"{MACHINE_ID}"}}')
        if ttl is not None:
            etcd.put(key, file.read_text(), ttl)
        keys.append(key)
    return keys


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_one_request_reads_all_registrations(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Each answer is that of its key: what needs it is renewed or created, and nothing else is written."""
    ttls = [(800, 599, None)[number % 3] for number in range(60)]
    keys = register_many(machine, etcd, ttls)
    calls = machine.folder / "calls"
    machine.curl(f'echo "$*" >>{calls}')
    done = machine.loop()
    assert done.stderr == ""
    reads = [line.split() for line in calls.read_text().splitlines() if "/services/" in line and "-X" not in line]
    urls = [word.removeprefix(f"{etcd.url}/v2/keys") for words in reads for word in words if word.startswith("http")]
    assert (len(reads), sorted(urls)) == (1, sorted(keys))
    assert [etcd.entries[key].ttl for key in keys] == [800 if ttl == 800 else 900 for ttl in ttls]
    assert [etcd.values[key] for key in keys] == [machine.file(*key.split("/")[-2:]).read_text() for key in keys]
    written = [key for _, key, _ in etcd.writes if "/services/" in key]
    assert sorted(written) == sorted(key for key, ttl in zip(keys, ttls, strict=True) if ttl != 800)
    assert done.stdout.count("its key was missing") == ttls.count(None)


@pytest.mark.parametrize("machine", ["bash"], indirect=True)
def test_registrations_with_time_left_cost_no_process_each(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """A round of many takes about as many as that of one: bash says which process runs each command. On a busy computer
    a heartbeat more may be due in between."""
    text = machine.home / "agent"
    text.write_text(f"PS4='+process $BASHPID '; set -x\n{text.read_text()}")
    found = []
    many = 60
    for count in (1, many):
        register_many(machine, etcd, [800] * count)
        etcd.requests.clear()
        trace = machine.loop().stderr
        assert sum("/services/" in key for _, key, _ in etcd.requests) == count
        # A short line of one process may be in the middle of a long one of another.
        commands = re.findall(r"\+process (\d+) (?:timeout \d+ )?(\w+)(?!=)\b", trace)
        shells, programs = {process for process, _ in commands}, [name for _, name in commands if name in _PROGRAMS]
        assert "curl" in programs
        found.append(len(shells) + len(programs))
    assert found[1] - found[0] < many / 2


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_a_lost_key_of_an_active_unit_is_created_again(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """It was removed while etcd, or this machine, was away; it is created only if no one else did meanwhile."""
    machine.states(ACTIVE)
    register(machine, etcd)
    etcd.remove(machine.key())
    done = machine.loop()
    assert changes(machine, etcd) == [("PUT", {"prevExist": "false", "ttl": "900", "value": VALUE})]
    assert etcd.values[machine.key()] == VALUE
    assert f"registered {UNIT} again: its key was missing" in done.stdout


def test_a_lost_key_of_a_unit_that_starts_is_its_own_to_create(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Its last run's file says nothing about this one, and it is not ready."""
    machine.states({UNIT: "activating"})
    register(machine, etcd)
    etcd.remove(machine.key())
    machine.loop()
    assert changes(machine, etcd) == []
    assert machine.file().exists()


def test_the_loop_does_not_undo_a_stop(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The unit unregisters between the loop's look at its state and its request: the loop takes that back."""
    register(machine, etcd)
    etcd.remove(machine.key())
    count = machine.folder / "states"
    # Active for the question before the request, then on its way down.
    machine.stub("systemctl", f"echo >>{count}; [ $(wc -l <{count}) -gt 1 ] && echo deactivating || echo active")
    done = machine.loop()
    # Once more when the loop sees the unit's state: the file is still there.
    assert [method for method, _ in changes(machine, etcd)] == ["PUT", "DELETE", "DELETE"]
    assert changes(machine, etcd)[1] == ("DELETE", {"prevValue": VALUE})
    assert machine.key() not in etcd.values
    assert "again" not in done.stdout


def test_a_registration_that_vanishes_while_it_is_renewed_stays_away(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The stop removed its file as well; an empty value would be none of ours."""
    machine.states(ACTIVE)
    register(machine, etcd)
    etcd.remove(machine.key())
    created = machine.folder / "created"
    machine.curl(
        f'case "$*" in *prevExist=false*) touch {created};; *{UNIT}) rm -f {machine.file()};; esac',
    )
    machine.loop()
    assert not created.exists()
    assert machine.key() not in etcd.values


def test_a_value_of_another_stays(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The unit's own, marked as draining, or another machine's."""
    machine.states(ACTIVE)
    register(machine, etcd, "another", 60)
    machine.loop()
    assert (etcd.values[machine.key()], etcd.entries[machine.key()].ttl) == ("another", 60)


@pytest.mark.parametrize("machine_id", [MACHINE_ID, "machine-b"])
def test_what_an_app_renews_itself_is_left(machine: PretendedMachine, etcd: FakeEtcd, machine_id: str) -> None:
    """It must run out when the app hangs."""
    machine.states(ACTIVE)
    value = made_by_app("app", machine_id, connection={"note": TRICKS})
    register(machine, etcd, value, 60)
    machine.loop()
    assert (etcd.values[machine.key()], etcd.entries[machine.key()].ttl) == (value, 60)


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_what_an_app_left_to_the_agent_is_renewed(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """A command that registers and ends cannot renew; its registration lives as long as the unit does."""
    machine.states(ACTIVE)
    value = made_by_app("beacon", connection={"note": TRICKS})
    register(machine, etcd, value, 60)
    index = etcd.entries[machine.key()].index
    machine.loop()
    assert changes(machine, etcd) == [("PUT", {"refresh": "true", "ttl": "900", "prevIndex": str(index)})]
    assert etcd.values[machine.key()] == value


def test_another_machines_agent_renews_what_was_left_to_it(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The unit may run there now; here only its remains are active."""
    machine.states(ACTIVE)
    register(machine, etcd, made_by_app("beacon", "machine-b"), 60)
    machine.loop()
    assert etcd.entries[machine.key()].ttl == 60


# Removal.


@pytest.mark.parametrize("state", ["inactive", "failed", "deactivating", "unknown"])
def test_a_unit_that_ended_is_unregistered_within_one_round(
    machine: PretendedMachine, etcd: FakeEtcd, state: str
) -> None:
    """Key and file go; the log says why."""
    machine.states({UNIT: state})
    register(machine, etcd)
    done = machine.loop()
    assert machine.key() not in etcd.values
    assert [path for path in machine.home.rglob("*") if UNIT in path.name or path.name == "retired"] == []
    assert f"unregistering {UNIT}: systemd says {state}" in done.stdout


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_only_the_units_that_ended_are_unregistered(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """All states come in one answer, in the order of the units."""
    states = {f"app_server@{number}.service": state for number, state in enumerate(("active", "failed", "active"))}
    machine.states(states)
    for unit in states:
        etcd.put(machine.key(unit=unit), VALUE, 800)
        machine.file().parent.mkdir(parents=True, exist_ok=True)
        machine.file(unit=unit).write_text(VALUE)
    machine.loop()
    assert [unit for unit in states if machine.key(unit=unit) in etcd.values] == [
        "app_server@0.service",
        "app_server@2.service",
    ]


@pytest.mark.parametrize("script", ["echo 'Failed to connect to bus' >&2; exit 1", "echo nonsense", "exit 0"])
def test_while_systemd_does_not_answer_everything_stays(machine: PretendedMachine, etcd: FakeEtcd, script: str) -> None:
    """That is no sign that a unit ended."""
    machine.stub("systemctl", script)
    register(machine, etcd)
    machine.loop()
    assert etcd.values[machine.key()] == VALUE
    assert machine.file().exists()


@pytest.mark.parametrize("lease", ["app", "beacon"])
def test_a_unit_that_ended_loses_what_its_app_registered(machine: PretendedMachine, etcd: FakeEtcd, lease: str) -> None:
    """The app is gone with the unit."""
    register(machine, etcd, made_by_app(lease, connection={"note": TRICKS}), 60)
    machine.loop()
    assert machine.key() not in etcd.values
    assert not machine.file().exists()


@pytest.mark.parametrize("value", ["of another machine", made_by_app("app", "machine-b", connection={"note": TRICKS})])
def test_a_unit_that_runs_on_another_machine_keeps_its_key(
    machine: PretendedMachine, etcd: FakeEtcd, value: str
) -> None:
    """Only the file goes here."""
    register(machine, etcd, value, 60)
    machine.loop()
    assert etcd.values[machine.key()] == value
    assert not machine.file().exists()


def test_a_unit_that_starts_is_left_alone(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """It is just about to register: its file is there before it is active."""
    machine.states({UNIT: "activating"})
    register(machine, etcd)
    machine.loop()
    assert changes(machine, etcd) == []
    assert machine.file().exists()


def test_a_unit_that_starts_again_meanwhile_keeps_its_registration(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The loop has seen it dead; while it removes the old registration, the next run writes its own."""
    register(machine, etcd)
    other = registration({"service": "app_server", "run": "next"})
    put = f"{program('curl')} -s -o /dev/null -X PUT --data-urlencode 'value={other}'"
    started = f"printf %s '{other}' >{machine.file()}; {put} {machine.url}/v2/keys{machine.key()}"
    machine.curl(f'case "$*" in *DELETE*prevValue*) {started} ;; esac')
    machine.loop()
    assert etcd.values[machine.key()] == other
    assert machine.file().read_text() == other


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_an_unregistration_without_etcd_is_tried_again(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The file comes back for the next round."""
    register(machine, etcd)
    down = machine.folder / "down"
    machine.curl(
        f'case "$*" in *DELETE*) [ ! -f {down} ] || exit 7;; esac',
    )
    down.touch()
    machine.loop(2, between=f"cp -r {machine.home}/services {machine.folder}/round$n; rm -f {down}")
    assert (machine.folder / "round1" / "app_server" / UNIT).read_text() == VALUE
    assert machine.key() not in etcd.values
    assert not machine.file().exists()


# Rounds without etcd, and another program.


def test_an_etcd_that_answers_too_slowly_does_not_hold_the_loop(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """curl's own limit is one for each of many registrations."""
    machine.states(ACTIVE)
    register(machine, etcd)
    machine.stub("timeout", f'shift; exec {program("timeout")} 0.2 "$@"')
    machine.curl('case "$*" in *" 5 http"*/services/app_server/*) exec /bin/sleep 60 ;; esac')
    machine.loop(2)
    assert machine.file().exists()


def test_without_etcd_nothing_is_changed(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Not even the file of a unit that ended; the log says it once."""
    register(machine, etcd)
    etcd.close()
    done = machine.loop(3)
    assert machine.file().exists()
    first, outage = done.stdout.splitlines()
    assert first == f"agent {machine.program_hash}"
    assert outage.startswith("no heartbeat: etcd answered 000: curl: (7) ")


def test_an_etcd_that_refuses_the_heartbeat_is_logged(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Also when it never took one, as where the rights are missing."""
    etcd.failures, etcd.failure = 99, 401
    assert machine.loop(2).stdout.count("no heartbeat: etcd answered 401: {") == 1


def test_without_the_right_to_a_heartbeat_registrations_are_renewed(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """An existing cluster may have rights of its own, which no deployment extends."""
    machine.states(ACTIVE)
    register(machine, etcd, ttl=60)
    machine.curl('case "$*" in *PUT*/machines/*) printf " 401"; exit ;; esac')
    machine.loop()
    assert etcd.entries[machine.key()].ttl == 900


def test_an_outage_is_logged_once(machine: PretendedMachine) -> None:
    """With etcd's own words."""
    down = machine.folder / "down"
    machine.curl(
        f'[ ! -f {down} ] || {{ printf "curl: (7) refused 000" >&2; exit 7; }}',
    )
    done = machine.loop(4, between=f"touch {down}")
    assert done.stdout.count("no heartbeat: etcd answered 000: curl: (7) refused") == 1


@pytest.mark.parametrize(("names_it", "rounds"), [(False, 3), (True, 9)])
def test_the_unit_starts_again_when_it_names_another_program(
    machine: PretendedMachine, names_it: bool, rounds: int
) -> None:
    """After a minute, so that an old program serves while the new one cannot be fetched."""
    uptime = machine.own_clock()
    unit = agent_unit(machine.app, "behavioral/dev").text
    named = machine.program_hash if names_it else "0" * 64
    machine.write(unit.replace(f"Program={program_hash()}", f"Program={named}"), agent_name(machine.app))
    machine.loop(9, between=f"echo $((100 + n * 25)).00 1 >{uptime}")
    assert len((machine.folder / "rounds").read_text()) == rounds


def test_a_machine_that_missed_its_heartbeat_looks_twice(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Others that took it for silent may be about to remove another registration."""
    machine.states(ACTIVE)
    register(machine, etcd)
    uptime = machine.own_clock()
    remove = f"curl -s -o /dev/null -X DELETE {machine.url}/v2/keys"
    heartbeat = f"/fleetcaptain/{machine.app}/machines/{MACHINE_ID}"
    lost = f"[ $n = 1 ] && {remove}{heartbeat}; [ $n = 2 ] && {remove}{machine.key()}"
    done = machine.loop(4, between=f"{lost}; echo $((100 + n * 4)).00 1 >{uptime}")
    assert done.stdout.count("registered") == 1
    assert machine.key() in etcd.values


# After a reboot, /run is empty.


def test_what_this_machine_had_registered_before_a_reboot_is_removed(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Not what runs, starts, or is another machine's."""
    others = {
        "app_server@2.service": ("active", MACHINE_ID),
        "app_server@3.service": ("activating", MACHINE_ID),
        "app_server@4.service": ("inactive", "machine-b"),
    }
    machine.states({unit: state for unit, (state, _) in others.items()})
    for unit, machine_id in {
        UNIT: MACHINE_ID,
        **{unit: machine_id for unit, (_, machine_id) in others.items()},
    }.items():
        etcd.put(machine.key(unit=unit), registration({"unit": unit, "machine": machine_id, "ports": {"80": 1}}), 60)
    done = machine.loop()
    kept = [key for key in etcd.values if "/services/" in key]
    assert kept == [machine.key(unit=unit) for unit in others]
    assert f"unregistered {UNIT}: it does not run on this machine" in done.stdout


@pytest.mark.parametrize("name", ["--host=evil", "-Hevil", "*", "[1-99]", "a b", "a%2fb", "x\\y"])
def test_an_odd_key_of_a_guest_is_no_option(machine: PretendedMachine, etcd: FakeEtcd, name: str) -> None:
    """Guests may write below services/: the text of a key is neither an option, a pattern nor a range of URLs."""
    etcd.put(f"/fleetcaptain/{machine.app}/services/x/{name}", registration({"machine": MACHINE_ID}), 60)
    etcd.put(machine.key(), VALUE, 60)
    machine.file().parent.mkdir(parents=True)
    machine.file().write_text(VALUE)
    machine.states(ACTIVE)
    done = machine.loop()
    assert "stub:" not in done.stderr
    assert etcd.values[machine.key()] == VALUE
    assert len(etcd.writes) <= 4


def test_variables_of_units_that_ended_are_removed(machine: PretendedMachine) -> None:
    """They would collect: a service that is replaced blue/green has other names each time. A unit that fleet has may
    start meanwhile."""
    machine.load(SPECS["app_server"])
    states = {
        "a@1.service": "active",
        "a@2.service": "deactivating",
        "a@3.service": "inactive",
        "a@4.service": "activating",
    }
    machine.states(states)
    (machine.home / "env").mkdir()
    for unit in (*states, UNIT):
        (machine.home / "env" / unit).touch()
    machine.loop()
    assert sorted(path.name for path in (machine.home / "env").iterdir()) == [
        "a@1.service",
        "a@2.service",
        "a@4.service",
        UNIT,
    ]


def test_the_file_of_the_old_version_is_kept_true(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Units that the beacon served go on until they are replaced: same path, same value, another lifetime."""
    machine.states(ACTIVE)
    register(machine, etcd, ttl=60)
    machine.loop()
    assert etcd.entries[machine.key()].ttl == 900
    machine.states({})
    machine.loop()
    assert machine.key() not in etcd.values
