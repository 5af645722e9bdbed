"""The installer's command line: what it prints for `eval`, and how it ends."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tools import __main__
from tools.found import Found
from tools.install_plan import Step, Verb
from tools.profile import Profile


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, on a machine that has all."""
    monkeypatch.setattr(os, "environ", {"PATH": "/usr/bin", "HOME": str(tmp_path)})
    monkeypatch.setattr(__main__, "look", lambda _layout, _environ: Found())
    monkeypatch.setattr(__main__, "plan", lambda _found, _profile: ())
    return tmp_path


def test_install_prints_the_same_environment_as_env(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Though it has set its own to it meanwhile. Nothing else goes to standard output."""
    assert __main__.main(["env"], root) == 0
    expected = capsys.readouterr().out
    assert "PULUMI_BACKEND_URL" in expected
    assert __main__.main(["install", "--exports"], root) == 0
    assert capsys.readouterr() == (expected, "")


def test_what_stacks_keep_is_for_its_owner_alone(root: Path) -> None:
    """Keys, and Pulumi's state; also where an earlier version made the folder."""
    (root / ".fleetcaptain").mkdir(mode=0o755)
    __main__.main(["install"], root)
    assert stat.S_IMODE((root / ".fleetcaptain").stat().st_mode) == 0o700


def test_nothing_is_printed_for_eval_when_a_step_failed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status stops `make`, and the error names the step."""
    step = Step(Verb.LACK, "go", why="not on PATH", by_hand="install Go")
    monkeypatch.setattr(__main__, "plan", lambda _found, _profile: (step,))
    assert __main__.main(["install", "--exports"], root) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "install Go" in printed.err
    assert "Failed: go." in printed.err


@pytest.mark.parametrize(
    ("arguments", "settings", "profile"),
    [
        ([], "", "MAIN"),
        (["--stack", "prod"], "config:\n  fleetcaptain:cluster: aws\n", "AWS"),
        (["--aws"], "", "AWS"),
        (["--tests", "--stack", "prod"], "config:\n  fleetcaptain:cluster: aws\n", "TESTS"),
    ],
)
def test_options_and_settings_choose_the_profile(
    root: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], settings: str, profile: str
) -> None:
    """The settings are those of the stack that is named."""
    planned = []

    def plan(_found: Found, chosen: Profile) -> tuple[Step, ...]:
        planned.append(chosen.name)
        return ()

    monkeypatch.setattr(__main__, "plan", plan)
    (root / "Pulumi.prod.yaml").write_text(settings)
    assert __main__.main(["install", *arguments], root) == 0
    assert planned == [profile]


def test_install_alone_says_that_the_tools_are_ready(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`make tools` has nothing else to say."""
    assert __main__.main(["install"], root) == 0
    assert "tools are ready" in capsys.readouterr().err


def test_keys_and_state_are_their_owner_s_alone(root: Path) -> None:
    """Also where an earlier version made their folder."""
    (root / ".fleetcaptain").mkdir(mode=0o755)
    assert __main__.main(["install"], root) == 0
    assert (root / ".fleetcaptain").stat().st_mode & 0o777 == 0o700


def test_a_lock_that_may_be_dead_is_named_and_does_not_stop_the_installation(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output is for `eval`."""
    lock = root / ".fleetcaptain/pulumi/.pulumi/locks/organization/shop/dev/1.json"
    lock.parent.mkdir(parents=True)
    lock.write_text('{"pid": 7, "username": "ann", "hostname": "else.where", "timestamp": "2026-05-01T12:00:00Z"}')
    assert __main__.main(["install", "--exports"], root) == 0
    printed = capsys.readouterr()
    assert "the stack dev is locked by ann@else.where (process 7)" in printed.err
    assert "dev" not in printed.out
    assert lock.exists()


def test_tidy_looks_where_the_stacks_are(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At what a person has set, not at what the tools would set."""
    (root / ".fleetcaptain" / "dev").mkdir(parents=True)
    monkeypatch.setitem(os.environ, "PULUMI_BACKEND_URL", "s3://states")
    assert __main__.main(["tidy"], root) == 0
    assert (root / ".fleetcaptain" / "dev").is_dir()
    monkeypatch.delitem(os.environ, "PULUMI_BACKEND_URL")
    assert __main__.main(["tidy"], root) == 0
    assert not (root / ".fleetcaptain").exists()


def test_a_step_that_fails_ends_the_command(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the status that stops `make`."""
    (root / "bin").mkdir()
    monkeypatch.setitem(os.environ, "PATH", str(root / "bin"))
    assert __main__.main(["select", "--stack", "x"], root) == 1
    assert __main__.main(["preview", "--stack", "x"], root) == 1
