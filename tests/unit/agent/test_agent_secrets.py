"""How the agent opens the secrets of a unit, by the real program and the real OpenSSL."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.discovery.keys import secret_key
from fleetcaptain.fleetfile.values import SecretFile
from fleetcaptain.machine.secrets_key import ENCRYPT, GENERATE, INSTALL
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_etcd import FakeEtcd
from tests.programs import program
from tests.unit.secrets.key_machines import on_paths
from tests.unit.units.shell_machine import APP, IMAGE, SHELLS, UNIT, PretendedMachine
from tests.unit.units.specs import SPECS

OWNER = f"{os.getuid()}:{os.getgid()}"
HOSTILE = " '\"$HOME `id` $(id) %n %% \\ \\n\té\n# a line\n\n[Service]\nend\\"
LONG = "x" * 65536
VALUES = {"HOSTILE": HOSTILE, "LONG": LONG, "PLAIN": "s3cr3t\n\n", "plain": "other"}
SPEC = replace(
    SPECS["app_server"],
    secrets=tuple(sorted(VALUES)),
    secret_files=(
        ("/run/secrets/binary", SecretFile("BINARY", base64=True)),
        ("/run/secrets/hostile", SecretFile("HOSTILE", "0440", OWNER)),
    ),
)
BINARY = bytes(range(256))
ALL = {**VALUES, "BINARY": base64.b64encode(BINARY).decode()}
DIGESTS = {name: f"{number:032x}" for number, name in enumerate(sorted(ALL))}


def run_in(folder: Path, script: str, text: str = "") -> str:
    """The output of a script about keys on the machine in *folder*."""
    argv = ["sh", "-c", on_paths(script, folder)]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=120).stdout


def encrypted(machine: PretendedMachine, clear: str) -> str:
    """*clear*, encrypted for the machine, as etcd has it."""
    return run_in(machine.folder, ENCRYPT, base64.b64encode(clear.encode()).decode()).split()[0]


def give_key(machine: PretendedMachine) -> None:
    """A new key for secrets."""
    program("openssl")
    run_in(machine.folder, INSTALL, run_in(machine.folder, GENERATE))


def keep(
    machine: PretendedMachine, etcd: FakeEtcd, values: Mapping[str, str] = ALL, *, app: str = APP, named: str = ""
) -> None:
    """etcd has *values*. *app*, *named*: whose they are as they were encrypted, and by which name if not their own."""
    for name, value in values.items():
        clear = f"fleetcaptain {app} {named or name} {DIGESTS[name]}\n{value}"
        etcd.put(secret_key(APP, DIGESTS[name]), encrypted(machine, clear))


def load(machine: PretendedMachine) -> UnitFile:
    """fleet loads the unit with its secrets."""
    file = render(SPEC, Mark(APP, "behavioral/dev", SPEC.name)).with_image(IMAGE).with_secrets(DIGESTS)
    machine.write(file.text)
    return file


def opened(machine: PretendedMachine) -> Path:
    """The folder with the unit's secrets in clear."""
    return machine.home / "secrets" / UNIT


@pytest.fixture
def ready(machine: PretendedMachine, etcd: FakeEtcd) -> PretendedMachine:
    """A machine with a key and the unit; etcd has its secrets."""
    give_key(machine)
    keep(machine, etcd)
    load(machine)
    return machine


def as_systemd_reads(text: str) -> dict[str, str]:
    """The variables of an EnvironmentFile= whose values are in double quotes (systemd's env-file.c)."""
    found, at = {}, 0
    while at < len(text):
        equals = text.index('="', at)
        name, value, at = text[at:equals], "", equals + 2
        while text[at] != '"':
            at += text[at] == "\\"
            value += text[at]
            at += 1
        assert text[at : at + 2] == '"\n'
        found[name], at = value, at + 2
    return found


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_every_value_arrives_byte_for_byte(ready: PretendedMachine) -> None:
    """As variables, which systemd passes on, and as files with their mode; only root can read the folder."""
    done = ready.agent("starting", UNIT)
    assert done.returncode == 0, done.stdout
    folder = opened(ready)
    assert as_systemd_reads((folder / "env").read_bytes().decode()) == VALUES
    assert (folder / "file-1").read_bytes() == BINARY
    assert (folder / "file-2").read_bytes().decode() == HOSTILE
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "env": 0o600,
        "file-1": 0o400,
        "file-2": 0o440,
    }
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "s3cr3t" not in done.stdout + done.stderr


def test_they_go_when_the_unit_ends(ready: PretendedMachine) -> None:
    """But not while its main process runs, which may read its files. The machine's copy stays encrypted."""
    ready.agent("starting", UNIT)
    ready.agent("stopping", UNIT)
    assert opened(ready).exists()
    ready.agent("stopping", UNIT, without="MAINPID")
    assert not opened(ready).exists()
    copies = [path.read_bytes() for path in (ready.folder / "apps" / APP / "secrets").iterdir()]
    assert len(copies) == len(ALL)
    assert not any(b"s3cr3t" in copy for copy in copies)


def test_without_etcd_the_machines_copy_is_used(ready: PretendedMachine, etcd: FakeEtcd) -> None:
    """A machine that starts during an outage starts its units."""
    ready.agent("starting", UNIT)
    ready.agent("stopping", UNIT, without="MAINPID")
    etcd.close()
    assert ready.agent("starting", UNIT).returncode == 0
    assert (opened(ready) / "file-1").read_bytes() == BINARY


def test_without_etcd_and_a_copy_the_start_fails_with_a_line(ready: PretendedMachine, etcd: FakeEtcd) -> None:
    """After half a minute; systemd tries again."""
    uptime = ready.own_clock()
    ready.stub("sleep", f'read -r now _ <{uptime}; echo "$((${{now%.*}} + 9)).00 1" >{uptime}')
    etcd.close()
    done = ready.agent("starting", UNIT)
    assert done.returncode == 1
    assert done.stdout == (
        f"Could not open the secret BINARY of {UNIT}: etcd answered 000, and this machine has no copy\n"
    )
    assert not opened(ready).exists()


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        ("other key", "it is encrypted for another key than this machine has; run `captain secrets check`"),
        ("no key", "this machine has no {folder}/secrets.key; run `captain secrets check`"),
        ("gone", "etcd does not have it any more; run `pulumi up`"),
        ("changed", "it is encrypted for another key than this machine has; run `captain secrets check`"),
        ("no base64", "etcd has no secret there; remove the key {key}, then run `pulumi up`"),
    ],
)
def test_what_cannot_be_opened_fails_the_start_with_one_line(
    ready: PretendedMachine, etcd: FakeEtcd, damage: str, line: str
) -> None:
    """And leaves nothing in clear. Once it is mended, the unit starts."""
    key = secret_key(APP, DIGESTS["HOSTILE"])
    good = etcd.values[key]
    if damage == "other key":
        give_key(ready)
        for path in ready.folder.glob("secrets.*.old"):
            path.unlink()
    elif damage == "no key":
        (ready.folder / "secrets.key").unlink()
    elif damage == "gone":
        etcd.remove(key)
    elif damage == "changed":
        raw = bytearray(base64.b64decode(good))
        raw[-20] ^= 1
        etcd.put(key, base64.b64encode(raw).decode())
    else:
        etcd.put(key, '{"a":1}')
    done = ready.agent("starting", UNIT)
    name = "BINARY" if "key" in damage else "HOSTILE"
    expected = f"Could not open the secret {name} of {UNIT}: {line.format(folder=ready.folder, key=key)}\n"
    assert (done.returncode, done.stdout) == (1, expected)
    assert not opened(ready).exists()
    if "key" in damage:
        give_key(ready)
        keep(ready, etcd)
    etcd.put(key, good if "key" not in damage else etcd.values[key])
    assert ready.agent("starting", UNIT).returncode == 0


@pytest.mark.parametrize("whose", [{"named": "LONG"}, {"app": "probe"}])
def test_a_value_at_another_ones_key_is_refused(
    ready: PretendedMachine, etcd: FakeEtcd, whose: Mapping[str, str]
) -> None:
    """Who can write etcd cannot give a service another secret than its text names, nor one of another app, though all
    apps of a cluster have one key."""
    keep(ready, etcd, {"PLAIN": "x"}, **whose)
    done = ready.agent("starting", UNIT)
    assert (done.returncode, done.stdout) == (
        1,
        f"Could not open the secret PLAIN of {UNIT}: etcd has another secret in its place; remove the key "
        f"{secret_key(APP, DIGESTS['PLAIN'])}, then run `pulumi up`\n",
    )


def test_a_text_that_names_the_value_of_another_app_finds_none(ready: PretendedMachine, etcd: FakeEtcd) -> None:
    """An app looks below its own keys only, and for the copies in its own folder."""
    digest = DIGESTS["HOSTILE"]
    etcd.put(secret_key("probe", digest), etcd.values[secret_key(APP, digest)])
    etcd.remove(secret_key(APP, digest))
    done = ready.agent("starting", UNIT)
    assert (done.returncode, done.stdout) == (
        1,
        f"Could not open the secret HOSTILE of {UNIT}: etcd does not have it any more; run `pulumi up`\n",
    )


def test_the_key_that_was_replaced_still_opens(ready: PretendedMachine) -> None:
    """Until the next deployment has encrypted everything again."""
    give_key(ready)
    assert ready.agent("starting", UNIT).returncode == 0


def test_the_loop_removes_what_is_not_needed(ready: PretendedMachine) -> None:
    """Secrets of a unit that ended without a last line, and copies that no unit names."""
    ready.agent("starting", UNIT)
    copies = ready.folder / "apps" / APP / "secrets"
    (copies / ("f" * 32)).write_text("old")
    ready.states({UNIT: "active"})
    ready.loop()
    assert opened(ready).exists()
    assert {path.name for path in copies.iterdir()} == {*DIGESTS.values()}
    ready.states({})
    ready.loop()
    assert opened(ready).exists(), "it may start at any time"
    (ready.units / UNIT).unlink()
    ready.loop()
    assert not opened(ready).exists()
    assert not list(copies.iterdir())


def test_a_one_off_gets_its_own(ready: PretendedMachine) -> None:
    """By the lines of the unit that it is a one-off of, in a folder that goes with it."""
    text, folder = ready.folder / "unit", ready.folder / "one-off"
    text.write_text(load(ready).text)
    assert ready.agent("open", str(text), str(folder)).returncode == 0
    assert as_systemd_reads((folder / "env").read_text()) == VALUES


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_units_that_start_together_do_not_disturb_each_other(ready: PretendedMachine) -> None:
    """They fetch the same values at the same time, and none of them sees half of one."""
    units = [f"app_server@{number}.service" for number in range(1, 9)]
    for unit in units:
        ready.write((ready.units / UNIT).read_text(), unit)
    with ThreadPoolExecutor(len(units)) as pool:
        ended = list(pool.map(lambda unit: ready.agent("starting", unit), units))
    assert [(done.returncode, done.stdout) for done in ended] == [(0, "")] * len(units)


@pytest.mark.parametrize("machine", SHELLS, indirect=True)
def test_a_tasks_command_has_its_secrets_whatever_they_are_called(machine: PretendedMachine) -> None:
    """Not the program's own variables of the same names."""
    folder = machine.home / "secrets" / UNIT
    folder.mkdir(parents=True)
    names = ("STATUS", "APP", "LOG", "CODE", "FOLDER", "UNIT")
    (folder / "env").write_text("".join(f'{name}="a\\$b of {name}"\n' for name in names))
    program = machine.home / "agent"
    head = program.read_text().partition("COMMAND=${1-}")[0]
    program.write_text(f"{head}\nUNIT={UNIT} STATUS=200 LOG=x CODE=1\nwith_secrets env\n")
    shown = machine.agent().stdout.splitlines()
    assert {line for line in shown if line.split("=")[0] in names} == {f"{name}=a$b of {name}" for name in names}
