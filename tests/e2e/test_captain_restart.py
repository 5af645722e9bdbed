"""``captain restart`` on a stack's cluster, and the warning for a service that cannot be rolled."""

from __future__ import annotations

from tests.e2e.stack import Stack


def _starts(stack: Stack) -> dict[str, str]:
    """When each server registered itself: every start does."""
    entries = stack.cluster().snapshot().registrations.values()
    return {entry.unit: entry.since for entry in entries if entry.service == "app_server"}


def test_a_restart_starts_every_instance_anew_and_leaves_nothing_to_do(stack: Stack) -> None:
    """One after the other, under the text they have."""
    before = _starts(stack)
    done = stack.captain("restart", "app_server", "--min-healthy", "1")
    assert done.code == 0, done.output
    assert "4/4 healthy" in done.output
    after = _starts(stack)
    assert after.keys() == before.keys()
    assert all(after[unit] > before[unit] for unit in before)
    stack.rests()


def test_a_service_that_does_not_exist_is_not_restarted(stack: Stack) -> None:
    """It exits as for any service that is not there, and names it."""
    done = stack.captain("restart", "app_serve")
    assert (done.code, "'app_serve'" in done.output) == (3, True)


def test_the_preview_warns_of_a_service_with_one_instance(stack: Stack) -> None:
    """It is down while it is replaced; those with more instances, or replaced blue/green, are not named."""
    with stack.edited("Fleetfile.py", {'"important_queue",': '"important_queue", restart_sec=7,'}):
        shown = stack.preview().output
    assert "important_queue: down during the replacement, for lack of a second instance" in shown
    assert shown.count("for lack of a second instance") == 1
