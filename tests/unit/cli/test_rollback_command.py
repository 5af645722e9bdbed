"""``captain rollback``: which release, what is refused before anything is touched, and what pulumi is started with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from fleetcaptain.cli import main, rollback_command
from fleetcaptain.cli.target_cluster import Site
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import current_key, pending_key, previous_key, rollback_key, text_key
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.release.repository import LastRollback
from tests.fakes.fake_cluster import APP, STACK, FakeCluster
from tests.fakes.unit_texts import unit_hash
from tests.unit.rollout.released import WEB1, WEB2, released

OLD = Release("v1", {"web": ServiceRelease(unit_hash(WEB1), 1)}, "ann@laptop", "2030-01-01T00:00:00+00:00")
NEW = Release("v2", {"web": ServiceRelease(unit_hash(WEB2), 1)}, when="2030-01-02T00:00:00+00:00")
NAME = STACK.rpartition("/")[2]


class _Replaced(Exception):
    """The process became another one."""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeCluster:
    """The stack's cluster, on which v2 runs after v1; this folder has the stack's program."""
    found = released({"web@1.service": WEB2}, "v2", OLD, NEW)
    found.store.write(previous_key(APP), "v1")
    for text in (WEB1, WEB2):
        found.store.write(text_key(APP, unit_hash(text)), text)
    where = Site(Endpoint(("core@10.0.0.1",)), APP, STACK)
    monkeypatch.setattr(rollback_command, "stack_site", lambda *_, **__: where)
    monkeypatch.setattr("fleetcaptain.rollout.connect.open_cluster", lambda *_: found)
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return found


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[str], str]]:
    """The commands that the process became, each with the release in its environment."""
    found: list[tuple[Sequence[str], str]] = []

    def execvpe(_file: str, argv: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
        assert set(os.environ) <= set(environ)
        found.append((argv, environ["FLEETCAPTAIN_ROLLBACK_TO"]))
        raise _Replaced

    monkeypatch.setattr(os, "execvpe", execvpe)
    return found


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("options", "given"),
    [
        ([], ["--stack", NAME]),
        (["v1"], ["--stack", NAME]),
        (["--stack", "acme/shop/prod"], ["--stack", "acme/shop/prod"]),
        (["--config-file", "prod.yaml"], ["--stack", NAME, "--config-file", "prod.yaml"]),
    ],
)
def test_it_becomes_pulumi_with_the_release_in_its_environment(
    started: list[tuple[Sequence[str], str]], options: list[str], given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The previous release by default. The stack is named, and its settings are not written."""
    with pytest.raises(_Replaced):
        main(["rollback", *options, "--yes"])
    assert started == [(["pulumi", "up", *given, "--yes"], "v1")]
    assert "back from v2 to v1, deployed 2030-01-01T00:00:00+00:00 by ann@laptop" in capsys.readouterr().err


@pytest.mark.usefixtures("cluster")
def test_on_a_terminal_pulumi_asks(
    started: list[tuple[Sequence[str], str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Elsewhere no answer is possible: the error has the command."""
    monkeypatch.setattr(os, "isatty", lambda _descriptor: False)
    assert main(["rollback"]) == 2
    assert f"Run `captain rollback v1 --stack {NAME} --yes`." in capsys.readouterr().err
    assert main(["rollback", "--config-file", "prod.yaml", "--stack", "acme/shop/prod"]) == 2
    words = "Run `captain rollback v1 --stack acme/shop/prod --config-file prod.yaml --yes`."
    assert words in capsys.readouterr().err
    monkeypatch.setattr(os, "isatty", lambda _descriptor: True)
    with pytest.raises(_Replaced):
        main(["rollback"])
    assert started == [(["pulumi", "up", "--stack", NAME], "v1")]


def test_after_a_failed_deployment_the_current_release_comes_back(
    cluster: FakeCluster, started: list[tuple[Sequence[str], str]]
) -> None:
    """It is the one before that which was deployed last."""
    cluster.store.write(pending_key(APP), "v3")
    cluster.launch("web@1.service", WEB1)
    with pytest.raises(_Replaced):
        main(["rollback", "--yes"])
    assert started[0][1] == "v2"


def test_the_same_command_continues_a_rollback_that_was_interrupted(
    cluster: FakeCluster, started: list[tuple[Sequence[str], str]]
) -> None:
    """Its target is the pending release, which was complete before."""
    cluster.store.write(pending_key(APP), "v1")
    cluster.store.write(rollback_key(APP), LastRollback("v1", "v2").to_json())
    with pytest.raises(_Replaced):
        main(["rollback", "--yes"])
    assert started[0][1] == "v1"


def test_a_rollback_that_stopped_after_its_release_was_current_does_not_go_forward(
    cluster: FakeCluster, started: list[tuple[Sequence[str], str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The error has the command that continues it, with the options that were given."""
    for key, value in ((current_key, "v1"), (previous_key, "v2"), (rollback_key, LastRollback("v1", "v2").to_json())):
        cluster.store.write(key(APP), value)
    cluster.launch("web@1.service", WEB1)
    options = ["--stack", "acme/shop/prod", "--config-file", "our prod.yaml"]
    assert main(["rollback", "--yes", *options]) == 2
    words = "--stack acme/shop/prod --config-file 'our prod.yaml'`."
    error = capsys.readouterr().err
    assert f"continue it with `captain rollback v1 {words}" in error
    assert f"To go forward again, run `captain rollback v2 {words}" in error
    with pytest.raises(_Replaced):
        main(["rollback", "v1", "--yes", *options])
    assert started == [(["pulumi", "up", *options, "--yes"], "v1")]


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("v9", "Cannot roll back to v9: no such release. Nothing was changed."),
        (
            "v2",
            f"it is the current release, and all services run it. Nothing was changed.\n  To go back further, run "
            f"`captain rollback v1 --stack {NAME}`.",
        ),
        ("v1", "web: etcd no longer has the text of its unit"),
    ],
)
def test_what_cannot_be_gone_back_to_is_refused_first(
    cluster: FakeCluster,
    started: list[tuple[Sequence[str], str]],
    tag: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the rule of `captain releases` and of the program."""
    cluster.store.delete(text_key(APP, unit_hash(WEB1)))
    assert main(["rollback", tag, "--yes"]) == 2
    assert words in capsys.readouterr().err
    assert started == []


def test_the_first_release_has_none_before_it(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """There is a sentence for it."""
    cluster.store.delete(previous_key(APP))
    assert main(["rollback", "--yes"]) == 2
    assert "Cannot roll back: there is no earlier release. Nothing was changed." in capsys.readouterr().err


@pytest.mark.usefixtures("cluster")
def test_without_the_program_or_pulumi_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rollback runs the stack's own program."""
    monkeypatch.setenv("PATH", "")
    assert main(["rollback", "--yes"]) == 10
    assert "Could not start pulumi: " in capsys.readouterr().err
    (tmp_path / "Pulumi.yaml").unlink()
    assert main(["rollback", "--yes"]) == 2
    assert "this folder is not in a Pulumi project. Nothing was changed." in capsys.readouterr().err


def test_without_a_stack_it_names_no_option_that_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rollback runs the stack's program."""
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert main(["rollback"]) == 10
    shown = capsys.readouterr().err
    assert "--stack NAME" in shown
    assert "--ssh" not in shown
