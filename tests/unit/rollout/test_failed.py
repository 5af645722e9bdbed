"""What is said of an instance that failed."""

from __future__ import annotations

from fleetcaptain.rollout.failed import describe


def test_the_journal_is_cut_to_what_a_person_reads() -> None:
    """The last lines, none of them endless: a container may log anything."""
    journal = [*(f"line {number}" for number in range(1000)), "x" * 100_000]
    lines = describe("web@1.service", "10.0.0.1", "it does not stay up", {}, journal).splitlines()
    assert lines[:3] == [
        "web@1.service on 10.0.0.1: it does not stay up",
        "its last journal lines:",
        "  line 981",
    ]
    assert lines[-1] == f"  {'x' * 500}... (99,500 more characters)"
