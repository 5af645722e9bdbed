"""The small parts of the program: buildx's words, the way it ends, downtime."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.app_image import buildx_error
from components.engine import diagnostics
from components.engine.abort import abort
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.rollout.targets import downtime

SERVICE = {"mode": "rolling", "instances": 1, "unit": "text", "image": "shop@sha256:1"}


def test_of_a_failed_build_one_sees_the_step_that_failed() -> None:
    """Not the hundred lines before it."""
    output = "\n".join(
        ["#1 load", *["#2 noise"] * 50, "------", " > [2/3] RUN make:", "make: no rule", "------", "ERROR: 2"]
    )
    assert buildx_error(output) == " > [2/3] RUN make:\nmake: no rule\nERROR: 2"


def test_of_a_failed_push_one_sees_the_end() -> None:
    """There is no summary then."""
    assert buildx_error("#1 load\n\nERROR: connection refused\n") == "#1 load\nERROR: connection refused"


def test_the_program_ends_with_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the status by which the language host adds none of its own."""
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    with pytest.raises(SystemExit) as ended:
        abort(FleetCaptainError("what is wrong"))
    assert (ended.value.code, said) == (32, ["what is wrong"])


def test_what_the_program_says_is_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error, a warning and a remark."""
    said: list[str] = []
    for kind in ("error", "warn", "info"):
        monkeypatch.setattr(pulumi.log, kind, said.append)
    for say in (diagnostics.error, diagnostics.warn, diagnostics.info):
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
