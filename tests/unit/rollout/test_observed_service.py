"""What runs of a service, as the next preview compares it."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.fleet.entities import DesiredState, UnitEntity, UnitState
from fleetcaptain.rollout.observe import LAUNCHED, Snapshot, live
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.unit_texts import unit_hash

MARK = "\n[X-FleetCaptain]\nApp=shop\nStack=p/s\nService=web\n"
OLD = f"[Service]\nExecStart=/bin/old\n{MARK}"
NEW = f"[Service]\nExecStart=/bin/new\n{MARK}"
OURS = Ownership("shop", "p/s")


def snapshot(*texts: str, desired: DesiredState = DesiredState.LAUNCHED) -> Snapshot:
    """A cluster on which the units run these texts."""
    units = [
        UnitEntity(f"web@{number}.service", UnitFile.parse(text), desired, desired, "m1")
        for number, text in enumerate(texts, 1)
    ]
    states = [UnitState(unit.name, "m1", unit.unit_hash, "loaded", "active", "running") for unit in units]
    return Snapshot.of(units, states, [], [])


def test_all_alike_and_launched_is_as_it_should_be() -> None:
    """Nothing differs, so nothing shows."""
    found = live(OURS, "web", unit_hash(NEW), snapshot(NEW, NEW))
    assert found is not None
    assert (found.state, found.instances) == (LAUNCHED, 2)


def test_a_rollout_that_was_cut_off_always_shows() -> None:
    """Whichever of the two texts is wanted, and whichever was deployed last: a mixture is never what is wanted."""
    for known in (OLD, NEW):
        found = live(OURS, "web", unit_hash(known), snapshot(NEW, OLD))
        assert found is not None
        assert found.state != LAUNCHED


def test_a_stopped_instance_shows() -> None:
    """By name and desired state."""
    found = live(OURS, "web", unit_hash(NEW), snapshot(NEW, NEW, desired=DesiredState.LOADED))
    assert found is not None
    assert "web@1.service loaded" in found.state


def test_an_instance_that_stands_still_shows() -> None:
    """fleet takes it for launched; systemd says otherwise."""
    whole = snapshot(NEW, NEW, NEW)
    stopped = replace(whole.states[1], active="inactive", sub="dead")
    found = live(OURS, "web", unit_hash(NEW), replace(whole, states=(whole.states[0], stopped, whole.states[2])))
    assert found is not None
    assert found.state == "web@2.service inactive"


def test_a_process_that_outlived_its_change_shows() -> None:
    """fleet says that all is well; what is registered tells that it is not."""
    left = Registration("web", "web@2.service", unit_hash(OLD), "m1", "10.0.0.1")
    found = live(OURS, "web", unit_hash(NEW), replace(snapshot(NEW, NEW), registrations={left.unit: left}))
    assert found is not None
    assert found.state == "web@2.service runs another text"


def test_nothing_left_is_nothing() -> None:
    """So that the service is made anew."""
    assert live(OURS, "web", unit_hash(NEW), snapshot()) is None


def test_a_text_that_is_printed_otherwise_always_shows() -> None:
    """Though what is printed of it may be the desired text."""
    edited = NEW.replace("/bin/new", "/bin/new \x1b")
    found = live(OURS, "web", unit_hash(NEW), snapshot(edited))
    assert found is not None
    assert found.state == "web@1.service has characters in its text that are shown as escapes"
