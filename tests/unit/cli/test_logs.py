"""``captain logs``: what it prints and how it exits. ssh is a script that answers as a machine does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.cli import main
from fleetcaptain.errors import FleetApiError
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.tunnel import Tunnel
from tests.fakes.fake_cluster import FakeCluster
from tests.unit.logs.test_journals import said
from tests.waits import until

SSH = ["--app", "shop", "--ssh", "core@10.0.0.1"]

# The last argument is the command on the machine, the one before it the machine.
_FAKE_SSH = """#!{python}
import sys
from pathlib import Path
host = sys.argv[-2].partition("@")[2]
with (Path(__file__).parent / "asked").open("a") as file:
    file.write(f"{{host}} {{sys.argv[-1]}}\\n")
answer = Path(__file__).parent / host
if not answer.exists():
    sys.exit(255)
sys.stdout.write(answer.read_text())
"""

_COMMAND = Tunnel(Endpoint(("core@10.0.0.1",))).command
_CONNECTED = "fleetcaptain.cli.logs_command._connected"
_NO_KEYS = frozenset[str]().__contains__


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the journal of each machine that answers, by its address."""
    cluster = FakeCluster()
    cluster.launch_service("web", 3)
    monkeypatch.setattr(
        "fleetcaptain.cli.logs_command._connected", lambda _: (cluster.fleet, lambda _key: False, _COMMAND)
    )
    ssh = tmp_path / "ssh"
    ssh.write_text(_FAKE_SSH.format(python=sys.executable))
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "10.0.0.1").write_text(said(2) + said(1, start=6))
    (tmp_path / "10.0.0.2").write_text(said(1, start=4, unit="web@2.service"))
    (tmp_path / "10.0.0.3").write_text("Welcome\n" + said(1, start=2, unit="web@3.service"))
    return tmp_path


def test_lines_of_all_machines_come_by_time(machines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its instance, without colour, since the output is no terminal."""
    assert main(["logs", "web", *SSH]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "web@1 | m0",
        "web@1 | m1",
        "web@3 | m2",
        "web@2 | m4",
        "web@1 | m6",
    ]
    asked = (machines / "asked").read_text().splitlines()
    assert {line.partition(" ")[0] for line in asked} == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert all("--lines=100" in line and "--unit=web@1.service" in line for line in asked)


def test_machines_are_asked_while_fleet_is(machines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line comes after one handshake and not after two."""
    cluster = FakeCluster()
    cluster.launch_service("web", 3)
    asked = machines / "asked"

    class Slow(FleetClient):
        def __init__(self) -> None:
            pass

        def units(self) -> Any:
            until(asked.exists)
            return cluster.fleet.units()

        def machines(self) -> Any:
            return cluster.fleet.machines()

    monkeypatch.setattr(_CONNECTED, lambda _: (Slow(), _NO_KEYS, _COMMAND))
    assert main(["logs", "web", *SSH]) == 0
    assert sorted(line.partition(" ")[0] for line in asked.read_text().splitlines()) == [
        f"10.0.0.{number}" for number in (1, 2, 3)
    ]


def test_the_logs_of_a_task_that_does_not_run_are_shown(machines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fleet has no unit of it; etcd has its journal."""
    cluster = FakeCluster()
    cluster.launch_service("web", 3)
    keys = {"/fleetcaptain/shop/_tasks/migrate/last"}
    monkeypatch.setattr(_CONNECTED, lambda _: (cluster.fleet, keys.__contains__, _COMMAND))
    assert main(["logs", "migrate", *SSH]) == 0
    asked = (machines / "asked").read_text().splitlines()
    assert {line.partition(" ")[0] for line in asked} == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert all("--unit=migrate-task@*.service" in line and "--unit=migrate-task.service" in line for line in asked)
    assert main(["logs", "web2", *SSH]) == 3
    assert main(["logs", "migrate@1", *SSH]) == 3


def test_without_ssh_no_machine_can_be_asked(
    machines: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says so."""
    monkeypatch.setenv("PATH", str(machines / "nowhere"))
    assert main(["logs", "web", *SSH]) == 10
    assert "10.0.0.1: could not start OpenSSH's client: " in capsys.readouterr().err


@pytest.mark.usefixtures("machines")
def test_lines_are_counted_over_all_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """The last ones of all."""
    assert main(["logs", "web", "--lines", "2", *SSH]) == 0
    assert capsys.readouterr().out == "web@2 | m4\nweb@1 | m6\n"


@pytest.mark.usefixtures("machines")
def test_programs_get_a_line_of_json_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    """With all that docs/logs.md says."""
    assert main(["logs", "web", "--json", "-n", "1", *SSH]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.000006+00:00",
        "instance": "web@1",
        "unit": "web@1.service",
        "machine": "10.0.0.1",
        "priority": 6,
        "message": "m6",
    }


def test_a_silent_machine_is_named_while_the_others_are_shown(
    machines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error."""
    (machines / "10.0.0.2").unlink()
    assert main(["logs", "web", *SSH]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "web@1 | m6"
    assert captured.err == "10.0.0.2 does not answer: the connection was lost\n"
    for address in ("10.0.0.1", "10.0.0.3"):
        (machines / address).unlink()
    assert main(["logs", "web", *SSH]) == 10


def test_without_fleet_the_machines_of_the_connection_are_asked(
    machines: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As without a quorum of etcd: whatever their journals have of the service."""

    class Silent(FleetClient):
        def __init__(self) -> None:
            pass

        def units(self) -> Any:
            raise FleetApiError("fleet answered GET /units with 500", 500)

    monkeypatch.setattr("fleetcaptain.cli.logs_command._connected", lambda _: (Silent(), lambda _key: False, _COMMAND))
    assert main(["logs", "web", *SSH, "--ssh", "core@10.0.0.3"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["web@1 | m0", "web@1 | m1", "web@3 | m2", "web@1 | m6"]
    assert captured.err.startswith("fleet answered GET /units with 500 Shown are")
    asked = (machines / "asked").read_text()
    assert "--unit=web@1.service" in asked
    assert "--unit=web@*.service" in asked


def test_what_an_app_prints_cannot_drive_the_terminal(machines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Colours are left out, all else is escaped; a further line has its instance, too."""
    fields = {
        "__REALTIME_TIMESTAMP": "9",
        "_SYSTEMD_UNIT": "web@1.service",
        "MESSAGE": "\x1b[31mred\x1b[0m\n\x1b]0;x\x07",
    }
    (machines / "10.0.0.1").write_text(json.dumps(fields))
    assert main(["logs", "web", "-n", "1", *SSH]) == 0
    assert capsys.readouterr().out == "web@1 | red\nweb@1 | \\x1b]0;x\\x07\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["logs"], 2),
        (["logs", "web;x"], 2),
        (["logs", "web", "--lines", "-1"], 2),
        (["logs", "web", "--lines", "99999999999999999999"], 2),
        (["logs", "web", "--since", "soon"], 2),
        (["logs", "web", "--grep", "("], 2),
    ],
)
def test_a_mistake_asks_no_machine(machines: Path, words: list[str], code: int) -> None:
    """And exits with its code."""
    assert main([*words, *SSH]) == code
    assert not (machines / "asked").exists()


@pytest.mark.parametrize("service", ["wbe", "web@9"])
@pytest.mark.parametrize("more", [[], ["--follow"]])
@pytest.mark.usefixtures("machines")
def test_what_the_app_does_not_have_is_not_available(service: str, more: list[str]) -> None:
    """Its exit code says so."""
    assert main(["logs", service, *more, *SSH]) == 3


_SHOWN = """
import sys
from fleetcaptain.cli import logs_command, main
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.tunnel import Tunnel
from tests.fakes.fake_cluster import FakeCluster
cluster = FakeCluster()
cluster.launch_service("web", 1)
logs_command._connected = lambda _: (cluster.fleet, lambda _key: False, Tunnel(Endpoint(("core@10.0.0.1",))).command)
sys.exit(main(["logs", "web", "-n", "all", "--app", "shop", "--ssh", "core@10.0.0.1"]))
"""


def test_a_reader_that_ends_ends_it(machines: Path) -> None:
    """As `captain logs web | head` does: without a message, and with 0."""
    (machines / "10.0.0.1").write_text(said(100_000))
    with subprocess.Popen(
        [sys.executable, "-c", _SHOWN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"web@1 | m0\n"
        process.stdout.close()
        assert process.wait(timeout=120) == 0
        assert process.stderr.read() == b""
