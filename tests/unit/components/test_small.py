"""The small parts of the program: the release's name, buildx's words, the way it ends, downtime."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import log
from components.desired import downtime
from components.failing import give_up
from components.image import told_by_buildx
from components.release import ReleaseName, release_name
from fleetcaptain.errors import FleetCaptainError, ReleaseRefused
from tests.programs import program

SERVICE = {"mode": "rolling", "instances": 1, "unit": "text", "image": "shop@sha256:1"}


def git(folder: Path, *argv: str | bytes) -> None:
    """Run git there, as nobody in particular."""
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run([program("git"), *who, *argv], cwd=folder, check=True, capture_output=True)


def test_the_release_is_named_as_configured_or_after_its_commit(tmp_path: Path) -> None:
    """What has no name of its own, a changed folder or one without git, is completed by its contents."""
    assert release_name("v1", tmp_path) == ReleaseName("v1")
    assert release_name(None, tmp_path) == ReleaseName("dev", exact=False)
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    git(tmp_path, "tag", "v2")
    assert release_name(None, tmp_path) == ReleaseName("v2")
    (tmp_path / "file").write_text("")
    git(tmp_path, "add", "file")
    assert release_name("", tmp_path) == ReleaseName("v2-dirty", exact=False)


def test_a_release_without_a_name_of_its_own_is_told_by_its_contents() -> None:
    """The same contents have the same name, whatever their order; others have another."""
    dev = ReleaseName("dev", exact=False)
    assert dev.tag({"a": "1", "b": "2"}) == dev.tag({"b": "2", "a": "1"})
    assert dev.tag({"a": "1", "b": "2"}) != dev.tag({"a": "2", "b": "1"})
    assert dev.tag({"a": "1"}).startswith("dev-")
    assert ReleaseName("v1").tag({"a": "1"}) == "v1"


# git takes all of these for tags.
GIT_TAGS = [
    "_v2",
    "v1.0#x",
    "%2e%2e%2fcurrent",
    "v" * 129,
    "ü",
    "v\x9b31m",
    "\u202ev",
    "a/_b",
    "@scope/app",
    "v1;x",
    "$(x)",
]


@pytest.mark.parametrize(
    "tag",
    [*GIT_TAGS, "a b", "v1?x", "v/../../current", "v1..2", "v1/", "a//b", "a/./b", "v1\n", "\x1b[31m", "v1\ud800"],
)
def test_a_tag_that_is_no_key_is_refused(tag: str, tmp_path: Path) -> None:
    """etcd would hide it, or take it for something else, or a terminal would."""
    with pytest.raises(ReleaseRefused, match="cannot be the name of a release") as refused:
        release_name(tag, tmp_path)
    assert "Change fleetcaptain:release." in str(refused.value)
    assert str(refused.value).replace("\n", "").isprintable()


@pytest.mark.parametrize("tag", ["v1.0", "a/b", "v1.0/x", "app@1.0", "1+2", "V-1_2", "v" * 128])
def test_a_tag_is_a_name(tag: str, tmp_path: Path) -> None:
    """Whether it is configured or git's."""
    assert release_name(tag, tmp_path) == ReleaseName(tag)
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    git(tmp_path, "tag", tag)
    assert release_name(None, tmp_path) == ReleaseName(tag)


@pytest.mark.parametrize("tag", [*GIT_TAGS, b"v\x9b31m"])
def test_a_tag_of_git_that_is_no_key_is_refused(tag: str | bytes, tmp_path: Path) -> None:
    """With the way out; also where the folder was changed."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    git(tmp_path, "tag", tag)
    for name in ("", "file"):
        if name:
            (tmp_path / name).write_text("")
            git(tmp_path, "add", name)
        with pytest.raises(ReleaseRefused, match="cannot be the name of a release") as refused:
            release_name(None, tmp_path)
        assert "pulumi config set fleetcaptain:release TAG" in str(refused.value)
        assert str(refused.value).replace("\n", "").isprintable()


def test_of_a_failed_build_one_sees_the_step_that_failed() -> None:
    """Not the hundred lines before it."""
    output = "\n".join(
        ["#1 load", *["#2 noise"] * 50, "------", " > [2/3] RUN make:", "make: no rule", "------", "ERROR: 2"]
    )
    assert told_by_buildx(output) == " > [2/3] RUN make:\nmake: no rule\nERROR: 2"


def test_of_a_failed_push_one_sees_the_end() -> None:
    """There is no summary then."""
    assert told_by_buildx("#1 load\n\nERROR: connection refused\n") == "#1 load\nERROR: connection refused"


def test_the_program_ends_with_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the status by which the language host adds none of its own."""
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    with pytest.raises(SystemExit) as ended:
        give_up(FleetCaptainError("what is wrong"))
    assert (ended.value.code, said) == (32, ["what is wrong"])


def test_what_the_program_says_is_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error, a warning and a remark."""
    said: list[str] = []
    for kind in ("error", "warn", "info"):
        monkeypatch.setattr(pulumi.log, kind, said.append)
    for say in (log.error, log.warn, log.info):
        say("<{% if a %}\x1b]0;\x07")
    assert said == [r"<{ % if a %}\x1b]0;\x07"] * 3


@pytest.mark.parametrize(
    ("change", "down"),
    [
        ({}, False),
        ({"unit": "other"}, True),
        ({"image": "shop@sha256:2"}, True),
        ({"instances": 2, "unit": "other"}, False),
        ({"mode": "bluegreen", "unit": "other"}, False),
        ({"mode": "global", "unit": "other"}, False),
        ({"state": "launched"}, False),
    ],
)
def test_a_service_is_down_when_its_only_instance_is_replaced(change: dict[str, Any], down: bool) -> None:
    """Starting one that somebody stopped costs nothing, and new instances come before the old one goes."""
    assert downtime({**SERVICE, "state": "stopped"}, {**SERVICE, **change}) is down


def test_a_task_is_never_down() -> None:
    """It serves nothing."""
    task = {**SERVICE, "unit": "[Service]\nType=oneshot\nExecStart=/bin/true\n"}
    assert downtime(task, {**task, "image": "another"}) is False
