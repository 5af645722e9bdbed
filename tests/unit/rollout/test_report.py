"""What is said of an instance that failed."""

from __future__ import annotations

from fleetcaptain.rollout.model import Failure
from fleetcaptain.rollout.observe import observe
from fleetcaptain.rollout.report import Outcome, describe, explain
from tests.fakes.fake_cluster import FakeCluster, text_of


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


def test_what_a_machine_says_of_an_instance_is_a_word() -> None:
    """It goes into the first line of an error."""
    said = "Result=exit-code\nExecMainStatus=<{%\x1b]52;\nOther=x\nnote\nResult\n=\n"
    cluster = FakeCluster({"web@1.service": text_of("web")}, run=lambda *_: said)
    assert cluster.facts(observe("web@1.service", cluster.snapshot())) == {"Result": "exit-code"}


def test_a_unit_without_a_machine_waits_for_the_one_that_it_follows() -> None:
    """fleet's engine is suspected only when no rule explains it."""
    follower = text_of("web", machine_of=("db@1.service",))
    cluster = FakeCluster({"web@1.service": follower}, homeless=["web@1.service", "db@1.service"])

    def said() -> str:
        failed = observe("web@1.service", cluster.snapshot())
        return explain(
            cluster, Outcome({}, cluster.snapshot(), Failure(failed.name, "no machine took it", unplaced=True), failed)
        )

    assert "MachineOf requires the machine of db@1.service, but there is no such unit" in said()
    cluster.launch("db@1.service", text_of("db"))
    assert "MachineOf requires the machine of db@1.service, but no machine has it either" in said()
