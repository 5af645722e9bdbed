"""Securing a cluster by passwords: what is refused, what is done in which order, what a cut-off run leaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from fleetcaptain.errors import ClusterRefused, ClusterUnreachable, FleetCaptainError, RolloutFailed
from fleetcaptain.fleet.entities import Machine as Listed
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.ssh import PASSWORD_FILE
from fleetcaptain.fleet.tunnel import Result
from fleetcaptain.securing import machine_login as login
from fleetcaptain.securing.machine_login import FLEET_FILE, KEEP_MACHINE, Login, Passwords, drop_in, units_in
from fleetcaptain.securing.securing import Operator, Securing
from fleetcaptain.securing.security_state import APPLY, UNDO, Beat, beats_in, lines, problems, to_do
from tests.fakes.fake_etcd import FakeEtcd

SCRIPT, DROP_IN = (
    "/etc/fleetcaptain/keep-machine",
    "/etc/systemd/system/fleet.service.d/20-fleetcaptain-etcd.conf",
)
UNIT = "Id=web@1.service\nActiveState=active\nActiveEnterTimestampMonotonic={}\n\n"


class Cut(BaseException):
    """A ^C."""


@dataclass
class FakeMachine:
    """*files*: path -> text. *uses*: the password with which its fleetd runs. *mute*: its fleetd does nothing. *units*:
    what systemd says of them, and *restarted*, when fleetd was restarted."""

    id: str
    address: str
    files: dict[str, str] = field(default_factory=dict)
    uses: str = ""
    down: bool = False
    mute: bool = False
    units: str = UNIT.format(5)
    restarted: str = ""
    said: set[str] = field(default_factory=lambda: {"group", "etcd", "fleetd"})

    def inspected(self) -> str:
        """What the script that looks prints."""
        modes = {FLEET_FILE: "600 root root", PASSWORD_FILE: "640 root core"}
        said = {
            path: f"{hashlib.sha256(text.encode()).hexdigest()} {modes.get(path, '644 root root')}"
            for path, text in self.files.items()
        }
        said |= {"id": self.id, **dict.fromkeys(self.said, "yes")}
        if self.uses:
            said |= {"password": "yes"}
            if self.uses in self.files.get(FLEET_FILE, ""):
                said["current"] = "yes"
        return "Welcome\n" + "".join(f"fleetcaptain: {name}={value}\n" for name, value in said.items())


class World:
    """Machines, etcd, and a clock that only sleeps move. *cut*: so many commands later, and after each of its effects,
    a ^C comes."""

    def __init__(self, *machines: FakeMachine) -> None:
        self.etcd = FakeEtcd()
        self.machines = {f"core@{machine.address}": machine for machine in machines}
        self.now, self.cut, self.commands = 0.0, -9, list[list[str]]()
        self.done: list[str] = []
        self.passwords: list[str] = []
        self.sleep(0)

    def operator(self, *hosts: str) -> Operator:
        """The way to all of it; *hosts* are named beside fleet's."""
        fleet = cast("FleetClient", type("Fleet", (), {"machines": lambda _self: self.listed()})())
        return Operator(
            fleet,
            self.etcd.store,
            self.run,
            lambda ip: f"core@{ip}",
            hosts,
            self.passwords.append,
            lambda: self.now,
            self.sleep,
        )

    def listed(self) -> tuple[Listed, ...]:
        """The machines whose keys live."""
        keys = [key.split("/")[4] for key in self.etcd.entries if key.startswith("/_coreos.com/fleet/machines/")]
        return tuple(Listed(one.id, one.address) for one in self.machines.values() if one.id in keys)

    def sleep(self, seconds: float) -> None:
        """Each fleetd that etcd lets in writes its key."""
        self.now += seconds
        access = self.etcd.access
        for machine in self.machines.values():
            let_in = not access.enabled or machine.uses == access.passwords["fleet"]
            if let_in and not machine.mute and not machine.down:
                self.etcd.put(f"/_coreos.com/fleet/machines/{machine.id}/object", "{}", 30)

    def run(self, host: str, argv: list[str], _seconds: float, text: str) -> Result:
        """Do what a script would do."""
        machine = self.machines[host]
        if machine.down:
            raise ClusterUnreachable(f"{host} does not answer")
        assert argv[:4] == ["sudo", "-n", "sh", "-c"]
        self.commands.append(argv)
        script = argv[4]
        if script == login.INSPECT:
            return Result(0, machine.inspected())
        if script == login.READ:
            return Result(0, machine.files[FLEET_FILE] + machine.files[PASSWORD_FILE])
        if script == login.UNITS:
            return Result(0, machine.units)
        self.done.append(f"{argv[5]} {machine.id}")
        if script == login.PREPARE:
            fleet, root = text.split()
            env = f"FLEET_ETCD_USERNAME=fleet\nFLEET_ETCD_PASSWORD={fleet}\n"
            files = {FLEET_FILE: env, PASSWORD_FILE: f"{root}\n"}
            machine.units = machine.restarted or machine.units
            machine.files |= {**files, SCRIPT: argv[6], DROP_IN: argv[7]}
            machine.uses = fleet
        else:
            assert script == login.CLEAR
            assert argv[7] == drop_in(machine.address, password=False)
            machine.files.clear()
            machine.uses = ""
        self.cut -= 1
        if self.cut == -1:
            raise Cut
        return Result(0, "")


def world(count: int = 3) -> World:
    """So many machines, on which nothing is done yet."""
    return World(*(FakeMachine(f"m{number}", f"10.0.0.{number}") for number in range(1, count + 1)))


def securing(there: World, *hosts: str) -> Securing:
    """`captain secure` on it, silently."""
    return Securing(there.operator(*hosts), lambda _line: None)


def is_secured(there: World) -> bool:
    """Whether etcd asks, and every fleetd gets in."""
    access = there.etcd.access
    fleet = access.passwords.get("fleet")
    return access.enabled and access.v3_enabled and all(one.uses == fleet for one in there.machines.values())


def is_open(there: World) -> bool:
    """Whether nothing of it is left."""
    access = there.etcd.access
    left = access.enabled or access.v3_enabled or access.users or access.roles
    return not left and not any(one.files or one.uses for one in there.machines.values())


def test_a_look_changes_nothing_and_shows_the_way() -> None:
    """With the commands, and what they cost; passwords stand nowhere in them."""
    there = world()
    found = securing(there).inspect()
    text = "\n".join(lines(found))
    assert "v2 API off, v3 API off" in text
    assert text.count("not ready") == 3
    assert text.count("on core@10.0.0.") == 3
    assert "80 ms" in text
    assert there.done == []
    assert is_open(there)
    assert not there.etcd.writes


def test_machines_come_first_one_after_the_other_and_etcd_last() -> None:
    """And all of it goes again in the other order."""
    there = world()
    securing(there).apply(["/config"])
    assert there.done == ["apply m1", "apply m2", "apply m3"]
    assert is_secured(there)
    assert there.etcd.access.roles["guest"]["write"] == ["/config/*"]
    secret = {there.passwords[-1], there.machines["core@10.0.0.1"].uses}
    assert len(secret) == 2
    assert not any(word in str(there.commands) for word in secret)
    assert "Nothing to do" in "\n".join(lines(securing(there).inspect()))
    securing(there).apply(["/other"])
    assert len(there.done) == 3
    assert there.etcd.access.roles["guest"]["write"] == ["/config/*", "/other/*"]
    securing(there).undo()
    assert there.done[3:] == ["undo m1", "undo m2", "undo m3"]
    assert is_open(there)


@pytest.mark.parametrize("first", [APPLY, UNDO])
@pytest.mark.parametrize("second", [APPLY, UNDO])
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_run_that_was_cut_off_is_continued_or_undone(first: str, second: str, cut: int) -> None:
    """At any machine. Passwords that are there stay, so that machines which are ready are left alone."""
    there = world()
    if first == UNDO:
        securing(there).apply()
        there.done.clear()
    there.cut = cut
    with pytest.raises(Cut):
        securing(there).apply() if first == APPLY else securing(there).undo()
    assert there.etcd.access.enabled is False
    before, there.done[:] = list(there.done), []
    if second == APPLY:
        securing(there).apply()
        assert is_secured(there)
    else:
        securing(there).undo()
        assert is_open(there)
    if first == second:
        assert set(before) & set(there.done) == set()


def refused(there: World, what: str, *hosts: str) -> str:
    """Why nothing is done."""
    with pytest.raises(ClusterRefused, match=r"Nothing was changed:") as error:
        securing(there, *hosts).apply() if what == APPLY else securing(there).undo()
    assert there.done == []
    return str(error.value)


def test_a_machine_that_cannot_be_prepared_refuses_all() -> None:
    """It would be locked out."""
    there = world()
    there.machines["core@10.0.0.2"].down = True
    assert (
        "core@10.0.0.2: fleet lists this machine, so it must be prepared too. core@10.0.0.2 does not answer"
    ) in refused(there, APPLY)
    there = world()
    there.machines["core@10.0.0.2"].said = {"fleetd"}
    assert "no group `core`" in refused(there, APPLY)
    assert "127.0.0.1:2379" in refused(there, APPLY)


def test_a_cluster_with_certificates_or_with_authentication_of_others_is_left_alone() -> None:
    """For different reasons."""
    there = world()
    there.machines["core@10.0.0.1"].said.add("certificates")
    for what in (APPLY, UNDO):
        assert "by certificates on core@10.0.0.1" in refused(there, what)
    there = world()
    there.etcd.access.v3_enabled = True
    for what in (APPLY, UNDO):
        assert "another tool turned it on" in refused(there, what)


def test_a_cluster_with_certificates_everywhere_has_nothing_to_do() -> None:
    """That is not a refusal, and its machines are as they should be."""
    there = world()
    for machine in there.machines.values():
        machine.said.add("certificates")
    there.etcd.access.enabled = True
    first, _ = lines(Securing(there.operator(), print).inspect())
    assert "Nothing to do." in first


def test_a_rollout_and_a_directory_that_stays_closed_refuse_it() -> None:
    """Whoever deploys would lose the way in."""
    there = world()
    there.etcd.put("/fleetcaptain/shop/locks/web", "{}")
    assert "shop/web is being rolled out" in refused(there, APPLY)
    for directory in ("/_coreos.com", "/fleetcaptain/shop", "config", "/a/../b"):
        assert problems(securing(world()).inspect(), APPLY, [directory])


def test_a_machine_that_does_not_come_back_stops_it_before_etcd_asks() -> None:
    """The others are not touched."""
    there = world()
    there.machines["core@10.0.0.2"].mute = True
    there.etcd.put("/_coreos.com/fleet/machines/m2/object", "{}", 30)
    with pytest.raises(RolloutFailed, match=r"has not registered again.*Not changed yet: core@10\.0\.0\.3.*--undo"):
        securing(there).apply()
    assert there.done == ["apply m1", "apply m2"]
    assert there.etcd.access.enabled is False


def test_units_that_stop_with_fleetd_stop_it_and_those_that_restart_are_named() -> None:
    """One that came back by itself is no reason to leave a machine half done."""
    there = world()
    there.machines["core@10.0.0.2"].restarted = UNIT.format(5).replace("=active", "=failed")
    with pytest.raises(
        RolloutFailed, match=r"core@10\.0\.0\.2: after 120 s these units no longer run: web@1\.service\."
    ):
        securing(there).apply()
    there, said = world(1), list[str]()
    there.machines["core@10.0.0.1"].restarted = UNIT.format(6)
    Securing(there.operator(), said.append).apply()
    assert any("restarted by themselves: web@1.service" in line for line in said)
    assert is_secured(there)


def test_without_heartbeats_it_is_turned_off_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """And said so, with the machine's name."""
    there = world()
    enforce: Callable[..., None] = securing(there)._access.enforce.__func__  # type: ignore[attr-defined]

    def enforce_and_break(*args: Any) -> None:
        enforce(*args)
        there.machines["core@10.0.0.3"].mute = True

    monkeypatch.setattr("fleetcaptain.securing.securing.Access.enforce", enforce_and_break)
    with pytest.raises(RolloutFailed, match=r"No heartbeat from m3.*turned off again"):
        securing(there).apply()
    assert not there.etcd.access.enabled
    assert not there.etcd.access.v3_enabled
    there.machines["core@10.0.0.3"].mute = False
    securing(there).undo()
    assert is_open(there)


def test_a_machine_that_was_added_gets_the_same_passwords() -> None:
    """fleet does not list it, as it is locked out; the way into the cluster names it."""
    there = world(2)
    securing(there).apply()
    # Its units are elsewhere by now.
    there.machines["core@10.0.0.3"] = FakeMachine("m3", "10.0.0.3", restarted=" ")
    found = securing(there, "core@10.0.0.3").inspect()
    assert [machine.id for machine in to_do(found, APPLY)] == ["m3"]
    there.done.clear()
    securing(there, "core@10.0.0.3").apply()
    assert there.done == ["apply m3"]
    assert is_secured(there)


def test_passwords_show_nowhere() -> None:
    """Neither in what a debugger prints, nor in an error."""
    passwords = Passwords.random()
    assert passwords.root not in repr(passwords)
    assert "secret" not in repr(Result(0, "secret", "secret"))
    there = world(1)
    securing(there).apply()
    there.machines["core@10.0.0.1"].files[PASSWORD_FILE] = "not one\n"
    with pytest.raises(FleetCaptainError) as error:
        securing(there).undo()
    assert "not one" not in str(error.value)


def test_a_machine_is_ready_only_as_a_whole() -> None:
    """Any file that differs, or a mode, or a fleetd from before, makes it not ready."""
    there = world(1)
    securing(there).apply()
    machine = there.machines["core@10.0.0.1"]
    (ready,) = securing(there).inspect().machines
    reference = ready.login.secrets
    assert ready.login.is_ready("10.0.0.1", reference)
    assert not ready.login.is_ready("10.0.0.9", reference)
    for name in ready.login.facts.keys() - {"id", "group", "etcd", "fleetd", "password"}:
        less = replace(ready.login, facts={key: value for key, value in ready.login.facts.items() if key != name})
        assert not less.is_ready("10.0.0.1", reference), name
    open_to_all = Login.of(machine.inspected().replace("600 root root", "644 root root"))
    assert open_to_all.secrets is None
    assert machine.files[SCRIPT] == KEEP_MACHINE


def test_what_machines_print_is_read_strictly() -> None:
    """Units, heartbeats, and nonsense."""
    assert units_in(f"{UNIT.format(7)}nonsense\n\n") == {"web@1.service": ("active", "7")}
    node = {"key": "/m/m1/object", "createdIndex": 1, "modifiedIndex": 2, "ttl": 30}
    nodes = [{"key": "/m/m1", "nodes": [node]}, {"key": "/m/-m1", "nodes": [{**node, "key": "/m/-m1/object"}]}]
    assert beats_in(json.dumps({"node": {"nodes": nodes}})) == {"m1": Beat(1, 2, 30)}
    for text in ("", "[]", '{"node": 1}', '{"node": {"nodes": [1]}}', "[" * 100_000):
        assert beats_in(text) == {}
    assert Passwords.of("FLEET_ETCD_PASSWORD=short\nshort\n") is None
