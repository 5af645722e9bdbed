"""``captain run``, ``captain console`` and ``captain ssh``, with pretended machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import release_key, text_key
from tests.fakes.fake_cluster import FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash, with_image
from tests.unit.oneoff.pretended_ssh import PretendedMachine, pretend

SSH = ["--app", "shop", "--ssh", "core@10.0.0.1"]
WEB = with_image(text_of("web", env=(("A", "now"),)), "image")
OLD = with_image(text_of("web", env=(("A", "before"),)), "image")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PretendedMachine:
    """The machine of all sessions."""
    return pretend(tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster that captain reaches, with an earlier release."""
    cluster = FakeCluster({"web@1.service": WEB})
    release = Release("v1", {"web": ServiceRelease(unit_hash(OLD), 1, "image")})
    cluster.etcd.put(release_key("shop", "v1"), release.to_json())
    cluster.etcd.put(text_key("shop", unit_hash(OLD)), OLD)
    monkeypatch.setattr("fleetcaptain.rollout.connect.open_cluster", lambda *_: cluster)


def test_a_command_runs_and_its_exit_code_is_captains(
    machine: PretendedMachine, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each output is its own, and nothing of captain's is in it."""
    assert main(["run", *SSH, "--", "sh", "-c", "echo out; echo err >&2; exit 3"]) == 3
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("out\n", "err\n")
    assert "--env=A=now" in machine.calls("run")[0]


def test_a_release_has_its_own_text(machine: PretendedMachine) -> None:
    """As etcd keeps it."""
    assert main(["run", *SSH, "--service", "web", "--release", "v1", "--", "true"]) == 0
    assert "--env=A=before" in machine.calls("run")[0]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--service", "wb"], "Name one of its services: web."),
        (["--release", "v2"], "There is no release 'v2'."),
        (["--machine", "m9"], "Name one of these:"),
    ],
)
def test_what_fails_before_the_command_exits_with_125(
    machine: PretendedMachine,
    capfd: pytest.CaptureFixture[str],
    options: list[str],
    why: str,
) -> None:
    """As docker does. Nothing is started."""
    assert main(["run", *SSH, *options, "--", "true"]) == 125
    assert main(["run", *SSH, "--", "true"]) == 0
    assert why in capfd.readouterr().err
    assert len(machine.calls("run")) == 1


def test_a_machine_that_does_not_answer_is_no_exit_code_of_the_command(
    machine: PretendedMachine, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing was started there."""
    (machine.box / "fail").touch()
    assert main(["run", *SSH, "--", "true"]) == 125
    assert "No route to host" in capfd.readouterr().err


def test_a_detached_command_has_a_name(
    machine: PretendedMachine, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The only output; how to read its journal and to stop it is on standard error."""
    (tmp_path / "bin/systemd-run").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$BOX/systemd"\n')
    (tmp_path / "bin/systemd-run").chmod(0o755)
    assert main(["run", *SSH, "--detach", "--timeout", "0.5", "--", "true"]) == 0
    captured = capfd.readouterr()
    unit = captured.out.strip()
    assert f"journalctl -fu {unit}" in captured.err
    assert {f"--unit={unit}", "--property=RuntimeMaxSec=1800"} <= set(
        (machine.box / "systemd").read_text().splitlines()
    )


def test_a_console_needs_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """The error names the command for scripts."""
    assert main(["console", *SSH]) == 2
    assert "captain run" in capfd.readouterr().err


def test_a_console_attaches_or_starts_a_container(machine: PretendedMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without the image's entrypoint; a command with it."""
    monkeypatch.setattr("os.isatty", lambda _: True)
    assert main(["console", "--attach", *SSH, "--release", "v1"]) == 2
    assert main(["console", *SSH, "web@1", "--attach", "--", "python3"]) == 0
    assert machine.calls("exec")[0].endswith(" fc.shop.web.1 python3")
    assert main(["console", *SSH, "--", "true", "--"]) == 0
    (call,) = machine.calls("run")
    assert call.endswith(" image true --")
    assert ("--tty" in call, "--interactive" in call, "--entrypoint" in call) == (True, True, False)


def test_ssh_becomes_a_session_on_the_machine(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each word of a command is one word there; an unknown machine lists the known ones."""
    started: list[str] = []
    monkeypatch.setattr("os.execvp", lambda _, argv: started.extend(argv))
    assert main(["ssh", *SSH, "10.0.0.2", "--", "echo", "a b"]) == 0
    assert started[-3:] == ["--", "core@10.0.0.2", "echo 'a b'"]
    assert "-tt" not in started
    assert main(["ssh", *SSH, "10.0.0.9"]) == 3
    assert "  -  10.0.0.2  10.0.0.2\n" in capfd.readouterr().err
