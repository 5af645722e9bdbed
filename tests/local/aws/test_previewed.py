"""Previews of a stack that is not there yet, through the real engine."""

from __future__ import annotations

import pytest

from tests.fakes.plugins.wire import UNKNOWN
from tests.local.aws.scenario import Story


def test_all_that_is_wrong_with_the_settings_is_in_one_report(story: Story) -> None:
    """And nothing is declared after it."""
    (error,) = story.refused.errors
    for setting in ("size", "instanceType", "allowSshFrom", "discoveryUrl", "keyPair"):
        assert f"fleetcaptain:{setting}: " in error
    assert story.refused.code != 0
    assert story.refused.did("create") == ["Stack fleetcaptain-prod"]


def test_the_whole_program_previews_without_a_cluster(story: Story) -> None:
    """No error and no warning, though no machine, address or image is known yet."""
    assert story.planned.code == 0, story.planned.output
    assert story.planned.errors == story.planned.warnings == ()
    assert story.planned.did() == story.made.did()


def test_a_preview_touches_nothing(story: Story) -> None:
    """Not even what could be made at once."""
    assert story.untouched.empty, story.untouched


@pytest.mark.parametrize("service", ["web", "api", "redis"])
def test_a_preview_knows_every_line_of_a_unit(story: Story, service: str) -> None:
    """Only where it will run is unknown, and, of an image that has to be built, its digest."""
    inputs = story.planned.step(f"Unit {service}").inputs
    unknown = {name for name, value in inputs.items() if value == UNKNOWN}
    assert unknown == ({"cluster"} if service == "redis" else {"cluster", "image"})
    assert "ExecStart=" in inputs["unit"]
    assert UNKNOWN not in inputs["unit"]
