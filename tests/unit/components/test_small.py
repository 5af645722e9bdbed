"""The small parts of the program: the release's name, buildx's words, the way it ends, downtime."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.failing import give_up
from components.image import told_by_buildx
from components.release import release_tag
from components.unit import downtime
from fleetcaptain.errors import FleetCaptainError

SERVICE = {"mode": "rolling", "instances": 1, "unit": "text", "image": "shop@sha256:1"}


def git(folder: Path, *argv: str) -> None:
    """Run git there, as nobody in particular."""
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *argv], cwd=folder, check=True, capture_output=True)


def test_the_release_is_named_as_configured_or_after_its_commit(tmp_path: Path) -> None:
    """A changed folder says so; one without git is just ``dev``."""
    assert release_tag("v1", tmp_path) == "v1"
    assert release_tag(None, tmp_path) == "dev"
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    git(tmp_path, "tag", "v2")
    assert release_tag(None, tmp_path) == "v2"
    (tmp_path / "file").write_text("")
    git(tmp_path, "add", "file")
    assert release_tag("", tmp_path) == "v2-dirty"


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
