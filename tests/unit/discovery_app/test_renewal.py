"""What an app does about a registration that is not as it left it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.discovery.renewal import RenewalStep, next_step


def entry(machine: str = "here", lease: str = "", **marks: Any) -> Registration:
    """What was found at the key."""
    return Registration("web", "web@1.service", "c", machine, "10.0.0.1", lease=lease, **marks)


OWN = Registration("web", "web@1.service", "c", "here", "10.0.0.1", {"80": 8080}, lease="app")


@pytest.mark.parametrize(
    ("found", "shared", "lapsed", "step"),
    [
        # It ran out while etcd was away.
        (None, True, True, RenewalStep.CREATE),
        (None, False, True, RenewalStep.CREATE),
        # Its unit took it back, and is about to stop this app.
        (None, True, False, RenewalStep.WAIT),
        # No unit knows of this name: somebody removed the key by mistake.
        (None, False, False, RenewalStep.CREATE),
        # The unit registered later than its app, or the agent put back what was lost.
        (entry(), True, False, RenewalStep.REPLACE),
        # A rollout marked it, as the unit's own or as this app's.
        (entry(draining=True), True, False, RenewalStep.WAIT),
        (entry(lease="app", draining=True), True, True, RenewalStep.WAIT),
        # The machine agent marked it.
        (replace(OWN, draining=True, maintenance=True), True, True, RenewalStep.RENEW),
        (replace(OWN, draining=True, failing="no answer"), False, False, RenewalStep.RENEW),
        # Or marked another one.
        (entry(lease="app", draining=True, maintenance=True), True, True, RenewalStep.WAIT),
        (entry("elsewhere", draining=True, maintenance=True), True, True, RenewalStep.WAIT),
        # The unit runs elsewhere by now.
        (entry("elsewhere"), True, True, RenewalStep.WAIT),
        # Another process of the app registered later, or took it back.
        (entry(lease="app"), True, False, RenewalStep.WAIT),
        (entry(lease="beacon", draining=True), True, False, RenewalStep.WAIT),
    ],
)
def test_what_was_lost_is_put_back_and_what_was_decided_stays(
    found: Registration | None, shared: bool, lapsed: bool, step: RenewalStep
) -> None:
    """An instance that is going away must not come back into discovery by its own hand."""
    assert next_step(OWN, found, shared=shared, lapsed=lapsed) is step
