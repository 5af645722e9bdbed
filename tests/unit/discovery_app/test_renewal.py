"""What an app does about a registration that is not as it left it."""

from __future__ import annotations

import pytest

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.discovery.renewal import Step, next_step


def entry(machine: str = "here", lease: str = "", draining: bool = False) -> Registration:
    """What was found at the key."""
    return Registration("web", "web@1.service", "c", machine, "10.0.0.1", lease=lease, draining=draining)


@pytest.mark.parametrize(
    ("found", "shared", "lapsed", "step"),
    [
        # It ran out while etcd was away.
        (None, True, True, Step.CREATE),
        (None, False, True, Step.CREATE),
        # Its unit took it back, and is about to stop this app.
        (None, True, False, Step.WAIT),
        # No unit knows of this name: somebody removed the key by mistake.
        (None, False, False, Step.CREATE),
        # The unit registered later than its app, or the beacon put back what was lost.
        (entry(), True, False, Step.REPLACE),
        # A rollout marked it, as the unit's own or as this app's.
        (entry(draining=True), True, False, Step.WAIT),
        (entry(lease="app", draining=True), True, True, Step.WAIT),
        # The unit runs elsewhere by now.
        (entry("elsewhere"), True, True, Step.WAIT),
        # Another process of the app registered later, or took it back.
        (entry(lease="app"), True, False, Step.WAIT),
        (entry(lease="beacon", draining=True), True, False, Step.WAIT),
    ],
)
def test_what_was_lost_is_put_back_and_what_was_decided_stays(
    found: Registration | None, shared: bool, lapsed: bool, step: Step
) -> None:
    """An instance that is going away must not come back into discovery by its own hand."""
    assert next_step(found, "here", shared=shared, lapsed=lapsed) is step
