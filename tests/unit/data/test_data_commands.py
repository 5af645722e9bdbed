"""``captain volumes``, ``backup``, ``restore`` and ``bind``, with a pretended ssh, docker and fleet."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.cli import main
from fleetcaptain.data.paused_service import paused
from fleetcaptain.discovery.keys import rollout_key
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.depart import remove_service
from fleetcaptain.rollout.journal import journal_of
from fleetcaptain.rollout.targets import DesiredService, RolloutSettings
from fleetcaptain.rollout.update import update
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, FakeCluster, text_of
from tests.unit.data.volume_machine import VolumeMachine, pretend

DB, CONTAINER = "db@1.service", "fc.shop.db.1"
SSH = ["--app", APP, "--ssh", "core@10.0.0.1"]
Captain = Callable[..., int]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VolumeMachine:
    """All machines."""
    return pretend(tmp_path, monkeypatch)


@pytest.fixture
def cluster(machine: VolumeMachine, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """db with a volume that has one row, and web without one."""
    cluster = FakeCluster({"web@1.service": text_of("web")}, run=machine.run)
    deploy(cluster)
    (machine.volume("data") / "rows").write_text("1")
    machine.in_use(CONTAINER)
    monkeypatch.setattr("fleetcaptain.rollout.connect.open_cluster", lambda *_: cluster)
    return cluster


def deploy(cluster: FakeCluster, **keywords: Any) -> None:
    """Deploy db."""
    file = UnitFile.parse(text_of("db", **{"volumes": ("data:/data",), **keywords}))
    desired = DesiredService("db", file, Mode.ROLLING, 1, settings=RolloutSettings(min_healthy_sec=0))
    update(cluster, desired, lambda _line: None, lambda: False)
    cluster.history.clear()


@pytest.fixture
def stops(cluster: FakeCluster, machine: VolumeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container ends with its unit."""
    plain = cluster._reach

    def reach(name: str) -> None:
        plain(name)
        machine.in_use(*([CONTAINER] if DB in cluster.runs else []))

    monkeypatch.setattr(cluster, "_reach", reach)


def captain(*argv: str) -> int:
    """The exit code."""
    at = argv.index("--") if "--" in argv else len(argv)
    return main([*argv[:at], *SSH, *argv[at:]])


@pytest.mark.usefixtures("stops")
def test_a_backup_comes_back(cluster: FakeCluster, machine: VolumeMachine, tmp_path: Path) -> None:
    """The service stops meanwhile, and runs afterwards; other files of the volume go."""
    file, data = tmp_path / "db.tar", machine.volume("data")
    assert captain("backup", "db", "--stop", "--output", str(file)) == 0
    assert cluster.history == [f"loaded {DB}", f"launched {DB}"]
    assert file.stat().st_mode & 0o777 == 0o600
    (data / "rows").write_text("2")
    (data / "later").write_text("x")
    assert captain("restore", "db", str(file), "--stop") == 0
    assert [(path.name, path.read_text()) for path in data.iterdir()] == [("rows", "1")]
    assert machine.left == []
    assert DB in cluster.runs
    assert [one.name for one in tmp_path.iterdir() if "part" in one.name] == []


@pytest.mark.usefixtures("cluster")
def test_a_backup_that_does_not_fit_on_this_computer_changes_nothing(
    machine: VolumeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From standard input it is stored first, to be checked."""

    def copy(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleetcaptain.cli.restore_command.shutil.copyfileobj", copy)
    assert captain("restore", "db", "-", "--stop") == 1
    error = capsys.readouterr().err
    assert "No space left on device. Nothing was changed." in error
    assert "TMPDIR" in error
    assert (machine.volume("data") / "rows").read_text() == "1"


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_what_would_corrupt_is_refused(
    cluster: FakeCluster, machine: VolumeMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """While the service writes. Nothing is stopped or written, and each way out is named."""
    file = tmp_path / "db.tar"
    tarfile.open(file, "w").close()
    before = file.read_bytes()
    argv = ["--output", str(file)] if command == "backup" else [str(file)]
    assert captain(command, "db", *argv) == 2
    assert "--stop" in capsys.readouterr().err
    assert (cluster.history, file.read_bytes()) == ([], before)
    assert (machine.volume("data") / "rows").read_text() == "1"


@pytest.mark.usefixtures("cluster")
def test_a_command_of_the_app_makes_and_takes_the_backup(machine: VolumeMachine, tmp_path: Path) -> None:
    """In the container of the instance, which runs on."""
    file = tmp_path / "dump"
    assert captain("backup", "db", "--output", str(file), "--", "sh", "-c", "echo dump") == 0
    assert file.read_text() == "dump\n"
    target = tmp_path / "restored"
    assert captain("restore", "db", str(file), "--", "tee", str(target)) == 0
    assert target.read_text() == "dump\n"
    assert f"exec --interactive {CONTAINER} sh -c echo dump" in (machine.box / "docker").read_text()


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    "argv",
    [
        *(
            ["backup", "db", "--output", "dump", *option]
            for option in (["--stop"], ["--before", "x"], ["--after", "x"])
        ),
        ["restore", "db", "dump", "--stop"],
    ],
)
def test_a_command_runs_while_the_service_does(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """So it is given without the options for a copy of the volume."""
    assert captain(*argv, "--", "cat") == 2
    assert "only without a command after `--`; remove " in capsys.readouterr().err


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("failing", [False, True])
def test_hooks_bring_the_files_to_rest(machine: VolumeMachine, tmp_path: Path, *, failing: bool) -> None:
    """The second one runs whatever happens."""
    file, log = tmp_path / "db.tar", tmp_path / "log"
    hook = f"echo before >>{log}; exit {int(failing)}"
    assert captain("backup", "db", "--output", str(file), "--before", hook, "--after", f"echo after >>{log}") == failing
    assert log.read_text() == "before\nafter\n"
    assert file.exists() is not failing
    assert machine.left == []


@pytest.mark.parametrize("hook", ["--before", "--after"])
def test_a_service_that_stops_has_no_hooks(cluster: FakeCluster, tmp_path: Path, hook: str) -> None:
    """Its container, in which they run, is gone meanwhile."""
    file = tmp_path / "db.tar"
    assert captain("backup", "db", "--stop", "--output", str(file), hook, "true") == 2
    assert (cluster.history, file.exists()) == ([], False)


@pytest.mark.usefixtures("cluster")
def test_no_part_of_a_backup_is_left_as_if_it_were_whole(
    machine: VolumeMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a failed command, and after a lost connection, an earlier file stays."""
    file = tmp_path / "dump"
    file.write_text("earlier")
    assert captain("backup", "db", "--output", str(file), "--", "sh", "-c", "echo half; echo why >&2; exit 7") == 1
    assert "with the exit code 7:\n  why" in capsys.readouterr().err
    (machine.box / "fail").touch()
    assert captain("backup", "db", "--output", str(file), "--", "true") == 10
    assert "No route to host" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["dump"]
    assert file.read_text() == "earlier"


@pytest.mark.parametrize("damage", ["cut", "text", "without end", "compressed"])
def test_a_backup_that_is_not_whole_changes_nothing(
    cluster: FakeCluster, machine: VolumeMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """It is read before anything stops."""
    file, rows = tmp_path / "db.tar", tmp_path / "rows"
    rows.write_bytes(bytes(range(256)) * 100)
    with tarfile.open(file, "w:gz" if damage == "compressed" else "w") as tar:
        tar.add(rows, "rows")
    whole = file.read_bytes()
    ends = {"cut": 2000, "text": 0, "without end": 512 + 25600, "compressed": len(whole)}
    file.write_bytes(whole[: ends[damage]] or b"rows of text" * 100)
    assert captain("restore", "db", str(file), "--stop") == 1
    assert "the backup is incomplete" in capsys.readouterr().err
    assert cluster.history == []
    assert (machine.volume("data") / "rows").read_text() == "1"


@pytest.mark.usefixtures("stops")
def test_a_restore_that_breaks_off_leaves_the_data(
    cluster: FakeCluster, machine: VolumeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine counts the bytes; the service runs again."""
    file = tmp_path / "db.tar"
    tarfile.open(file, "w").close()
    monkeypatch.setattr("fleetcaptain.data.backup.check_tar", lambda *_: file.stat().st_size + 1)
    assert captain("restore", "db", str(file), "--stop") == 1
    assert (machine.volume("data") / "rows").read_text() == "1"
    assert machine.left == []
    assert DB in cluster.runs


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["web"], "Name a service that has one: db."),
        (["db", "--volume", "logs"], "Choose one with --volume: data."),
        (["db", "--machine", "m9"], "Name one of these:"),
    ],
)
@pytest.mark.usefixtures("cluster")
def test_what_is_not_there_is_named(argv: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what there is."""
    assert captain("backup", *argv, "--output", "/dev/null") == 3
    assert why in capsys.readouterr().err


def test_volumes_are_listed_with_their_machines(
    cluster: FakeCluster, machine: VolumeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also those of a service that left, with the command that removes them."""
    home = cluster.units[DB].machine_id
    assert captain("volumes", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    (stays,) = [row for row in rows if row["stays"]]
    assert (stays["service"], stays["volume"], stays["machine"], stays["state"]) == ("db", "data", home, "in use")
    remove_service(cluster, "db", lambda _line: None)
    machine.in_use()
    assert captain("volumes") == 0
    output = capsys.readouterr().out
    assert f"{home}*" in output
    assert "unused" in output
    assert f"To remove data: captain ssh {home} -- sudo docker volume rm data" in output


def test_a_service_moves_only_with_consent_to_leave_its_data(
    cluster: FakeCluster, machine: VolumeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stops, and starts on the other machine, which must have no older volume."""
    home = cluster.units[DB].machine_id
    other = next(ip for ip in cluster.machines if ip != home)
    assert captain("bind", "db", other, "--without-data") == 2
    assert f"captain ssh {other} -- sudo docker volume rm data" in capsys.readouterr().err
    shutil.rmtree(machine.volume("data").parent)
    assert captain("bind", "db", other) == 2
    assert f"(volumes data) is on {home}" in capsys.readouterr().err
    assert cluster.history == []
    assert captain("bind", "web", other) == 3
    assert captain("bind", "db", str(home)) == 0
    assert "already" in capsys.readouterr().out
    assert captain("bind", "db", other, "--without-data") == 0
    assert f"db stays on {other} now, with empty volumes" in capsys.readouterr().out
    anchor = cluster.units[f"{APP}.data-db.service"]
    assert (anchor.file.needs(anchor.name).machine_id, cluster.units[DB].desired) == (other, DesiredState.LAUNCHED)
    assert cluster.units[DB].machine_id == other


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_service_between_two_starts_is_no_service_at_rest(
    cluster: FakeCluster, machine: VolumeMachine, tmp_path: Path, command: str
) -> None:
    """It has no container now, and may have one while the files are read or exchanged."""
    file = tmp_path / "db.tar"
    tarfile.open(file, "w").close()
    machine.in_use()
    assert captain(command, "db", *(["--output", str(file)] if command == "backup" else [str(file)])) == 2
    assert cluster.history == []
    assert (machine.volume("data") / "rows").read_text() == "1"


@pytest.mark.usefixtures("stops")
def test_a_container_that_starts_during_a_restore_keeps_its_files(
    machine: VolumeMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files are exchanged only if no container has them then, too."""
    file = tmp_path / "db.tar"
    tarfile.open(file, "w").close()
    machine.program("tar", f'echo {CONTAINER} >"$BOX/users"')
    assert captain("restore", "db", str(file), "--stop") == 1
    assert f"data is in use by {CONTAINER}" in capsys.readouterr().err
    assert (machine.volume("data") / "rows").read_text() == "1"
    assert machine.left == []


@pytest.mark.usefixtures("stops")
def test_a_service_starts_after_a_restore_that_lost_its_connection(
    cluster: FakeCluster, machine: VolumeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine has all bytes and goes on by itself."""
    file, changes = tmp_path / "db.tar", []
    with tarfile.open(file, "w") as tar:
        tar.addfile(tarfile.TarInfo("restored"))
    machine.loses_connection("tar")
    plain = cluster._ask

    def ask(name: str, desired: DesiredState) -> None:
        changes.append((desired, (machine.box / "tar").exists()))
        plain(name, desired)

    monkeypatch.setattr(cluster, "_ask", ask)
    assert captain("restore", "db", str(file), "--stop") == 10
    assert set(changes) == {("loaded", False), ("launched", True)}
    assert [path.name for path in machine.volume("data").iterdir()] == ["restored"]


def test_a_backup_comes_from_where_the_service_runs(cluster: FakeCluster, machine: VolumeMachine) -> None:
    """Its rule says another machine than before, where its old volume stays."""
    home = cluster.units[DB].machine_id
    other = next(ip for ip in cluster.machines if ip != home)
    deploy(cluster, machine_id=other)
    cluster.units[DB] = replace(cluster.units[DB], machine_id=other)
    assert captain("backup", "db", "--output", "/dev/null", "--", "true") == 0
    assert f"core@{other} " in (machine.box / "ssh").read_text()
    assert f"core@{home} " not in (machine.box / "ssh").read_text()


def test_an_earlier_volume_of_a_service_is_listed(
    cluster: FakeCluster, machine: VolumeMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not the default, and a backup can name it."""
    home = cluster.units[DB].machine_id
    for name in ("data-17", "data-18"):
        deploy(cluster, volumes=(f"{name}:/data",))
        machine.volume(name)
    machine.in_use()
    assert captain("volumes", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    states = {row["volume"]: row["state"] for row in rows if row["machine"] == home}
    assert states == {"data": "unused", "data-17": "unused", "data-18": "at rest"}
    shutil.rmtree(machine.volume("data").parent)
    assert captain("volumes", "--json") == 0
    assert {row["volume"] for row in json.loads(capsys.readouterr().out)} == {"data-17", "data-18"}
    file = str(tmp_path / "db.tar")
    assert captain("backup", "db", "--stop", "--output", file) == 0
    assert "backup of data-18 of db" in capsys.readouterr().err
    assert captain("backup", "db", "--stop", "--output", file, "--volume", "data-17") == 0


@pytest.mark.usefixtures("stops")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_service_starts_again_after_a_signal(
    cluster: FakeCluster, machine: VolumeMachine, tmp_path: Path, number: signal.Signals
) -> None:
    """As after ^C; its journal says so, and the signal has its meaning again."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        machine.program("tar", f"kill -{int(number)} {os.getpid()}; sleep 1")
        assert captain("backup", "db", "--stop", "--output", str(tmp_path / "db.tar")) != 0
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert DB in cluster.runs
    entry = journal_of(cluster, "db")
    assert entry is not None
    assert entry.state == "interrupted"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["machine", "programs"]


@pytest.mark.usefixtures("stops")
def test_a_second_backup_starts_what_a_killed_one_has_stopped(cluster: FakeCluster, tmp_path: Path) -> None:
    """Which left its journal, and its lock until that expired."""
    with paused(cluster, "db", "backup", lambda _line: None):
        entry = journal_of(cluster, "db")
    assert entry is not None
    assert entry.state == "rolling"
    cluster.store.write(rollout_key(APP, "db"), entry.to_json())
    cluster.set_desired_state(DB, DesiredState.LOADED)
    cluster.sleep(9)
    assert DB not in cluster.runs
    assert captain("backup", "db", "--stop", "--output", str(tmp_path / "db.tar")) == 0
    assert DB in cluster.runs
    # What is loaded for another reason stays so.
    cluster.set_desired_state(DB, DesiredState.LOADED)
    cluster.sleep(9)
    assert captain("backup", "db", "--stop", "--output", str(tmp_path / "db.tar")) == 0
    assert DB not in cluster.runs


@pytest.mark.usefixtures("stops")
@pytest.mark.parametrize("where", ["folder/db.tar", "/dev/full"])
def test_a_file_that_cannot_be_written_is_named(
    cluster: FakeCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    """And the service runs again, with an end in its journal."""
    file = tmp_path / where
    if where == "/dev/full":
        file = tmp_path / "db.tar"
        (tmp_path / "db.tar.part").symlink_to("/dev/full")
        monkeypatch.setattr(Path, "chmod", lambda *_: None)
    assert captain("backup", "db", "--stop", "--output", str(file)) == 1
    assert "rite " in capsys.readouterr().err
    entry = journal_of(cluster, "db")
    assert entry is None or entry.state != "rolling"
    assert DB in cluster.runs
