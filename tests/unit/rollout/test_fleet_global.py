"""The rollout of a unit that fleet itself starts on every machine."""

from __future__ import annotations

import pytest

from fleetcaptain.agent.agent_unit import agent_unit
from fleetcaptain.errors import DeadlineExceeded, RolloutFailed
from fleetcaptain.fleet.entities import Machine, UnitState
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot, rows_of
from fleetcaptain.rollout.strategies.fleet_global import run_fleet_global
from fleetcaptain.units.agent_calls import agent_name
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option
from tests.fakes.fake_cluster import APP, STACK
from tests.fakes.fake_site import MACHINES, Site
from tests.fakes.unit_texts import unit_hash

NAME, TEXT = agent_name(APP), agent_unit(APP, STACK).text
TARGET = Target("shop-agent", (NAME,), UnitFile.parse(TEXT))


def on_ssd(file: UnitFile) -> UnitFile:
    """The same unit, for machines with an SSD alone."""
    return UnitFile((*file.options, Option("X-Fleet", "MachineMetadata", "disk=ssd")))


def test_it_returns_when_the_unit_runs_on_every_machine() -> None:
    """The progress counts machines, each number once."""
    site, lines = Site(), list[str]()
    run_fleet_global(site.cluster(), TARGET, 60, lines.append)
    assert {machine for name, machine in site.fleet.loaded if name == NAME} == {"m1", "m2", "m3"}
    assert site.running == {NAME}
    assert lines == ["0/3 machines"]


def test_another_text_replaces_it_everywhere() -> None:
    """Under the same name."""
    site = Site()
    site.start({NAME: TEXT.replace("RestartSec=5", "RestartSec=9")})
    run_fleet_global(site.cluster(), TARGET, 60)
    assert site.texts == {NAME: TEXT}
    assert {row.unit_hash for row in site.fleet.loaded.values()} == {unit_hash(TEXT)}


@pytest.mark.parametrize("state", [("inactive", "dead"), ("failed", "failed")])
def test_one_that_stands_still_on_a_machine_is_started_again(state: tuple[str, str]) -> None:
    """fleet starts a unit once, so it stops on all machines before it starts again on all of them."""
    site = Site()
    site.start({NAME: TEXT})
    row = site.fleet.loaded[NAME, "m2"]
    row.active, row.sub = state
    run_fleet_global(site.cluster(), TARGET, 60)
    assert [row.active for row in site.fleet.loaded.values()] == ["active"] * 3
    before = site.now
    run_fleet_global(site.cluster(), TARGET, 60)
    assert site.now == before


def test_one_that_failed_and_fails_again_is_an_error() -> None:
    """After the time in which its old state may still be reported."""
    site = Site()
    site.start({NAME: TEXT})
    site.fleet.outcome = lambda _name, _text: ("failed", "failed")
    site.fleet.loaded[NAME, "m2"].active = "failed"
    before = site.now
    with pytest.raises(RolloutFailed, match=r"on 10\.0\.0\.\d: systemd says that it failed"):
        run_fleet_global(site.cluster(), TARGET, 60)
    assert site.now - before < 60


def test_one_that_does_not_stop_is_named_with_its_machines() -> None:
    """It waits no longer than for a start."""
    site = Site()
    site.start({NAME: TEXT})
    site.fleet.loaded[NAME, "m2"].active = "inactive"
    site.fleet.step = lambda: None  # type: ignore[method-assign]
    with pytest.raises(DeadlineExceeded, match=r"does not stop on 10\.0\.0\.1, 10\.0\.0\.3. Run"):
        run_fleet_global(site.cluster(), TARGET, 20)


def test_a_unit_that_fails_on_a_machine_ends_it_with_that_machines_journal() -> None:
    """It names the first one in the order of addresses."""
    site = Site(failing="ExecStart")
    with pytest.raises(RolloutFailed) as failure:
        run_fleet_global(site.cluster(), TARGET, 60)
    assert "10.0.0.1" in str(failure.value)
    assert "output of journalctl on 10.0.0.1" in str(failure.value)
    assert "Fix the service and run `pulumi up` again." in str(failure.value)


def test_a_unit_that_does_not_come_up_in_time_is_reported_with_its_states() -> None:
    """By machine."""
    site = Site()
    site.fleet.outcome = lambda _name, _text: ("activating", "start-pre")
    with pytest.raises(
        DeadlineExceeded, match=r"does not run on all machines after 20 s; missing: 10\.0\.0\.1 \(activating/"
    ):
        run_fleet_global(site.cluster(), TARGET, 20)
    assert site.now < 30


def test_only_machines_that_its_metadata_admits_are_waited_for() -> None:
    """fleet starts it on no other."""
    machines = (Machine("m9", "10.0.0.9", {"disk": "ssd"}), *MACHINES)
    state = UnitState(NAME, "m9", unit_hash(TEXT), "loaded", "active", "running")
    snapshot = Snapshot.of((), (state,), machines, ())
    rows = rows_of(NAME, snapshot, on_ssd(TARGET.file))
    assert [(row.machine, row.active, row.sub) for row in rows] == [("10.0.0.9", "active", "running")]
    assert [row.machine for row in rows_of(NAME, snapshot, TARGET.file)] == [
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.3",
        "10.0.0.9",
    ]
    assert [row.active for row in rows_of(NAME, snapshot, TARGET.file)] == ["", "", "", "active"]
