"""Putting, replacing, adopting and deleting units."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import FleetApiError
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.units.unit_file import UnitFile
from tests.contract.sites import Site
from tests.fakes.unit_texts import canonical, unit_hash

TEXT = "[Service]\nExecStart=/bin/sleep infinity\n"
OTHER = "[Service]\nExecStart=/bin/sleep 86400\n"


def test_a_unit_that_is_not_there_is_none(site: Site) -> None:
    """404 is an answer, not an error."""
    assert site.client.unit("nobody.service") is None


def test_a_put_unit_reads_back_as_it_was_put(site: Site) -> None:
    """One read gives all that was written, alone and in the list."""
    site.client.put("put@1.service", UnitFile.parse(TEXT), DesiredState.INACTIVE)
    unit = site.client.unit("put@1.service")
    assert unit is not None
    assert (unit.name, unit.text, unit.unit_hash) == ("put@1.service", TEXT, unit_hash(TEXT))
    assert (unit.desired, unit.current, unit.machine_id) == ("inactive", "inactive", None)
    assert site.client.units() == (unit,)


def test_the_same_put_again_changes_nothing(site: Site) -> None:
    """So that a call whose answer was lost can be made again."""
    site.client.put("again.service", UnitFile.parse(TEXT), DesiredState.INACTIVE)
    before = site.client.units()
    site.client.put("again.service", UnitFile.parse(TEXT), DesiredState.INACTIVE)
    assert site.client.units() == before


@pytest.mark.parametrize("desired", [DesiredState.INACTIVE, DesiredState.LAUNCHED])
def test_a_put_with_another_text_replaces_it(site: Site, desired: DesiredState) -> None:
    """The desired state is the one that came with the new text, whatever the old one was."""
    site.client.put("replaced.service", UnitFile.parse(TEXT), DesiredState.LOADED)
    site.client.put("replaced.service", UnitFile.parse(OTHER), desired)
    unit = site.client.unit("replaced.service")
    assert unit is not None
    assert (unit.text, unit.desired) == (OTHER, desired)


def test_a_unit_of_somebody_else_can_be_adopted(site: Site) -> None:
    """Whatever form it was put in, it reads back canonical, and a put of ours gives it our text."""
    odd = "#by hand\n[Service]\n ExecStart =  /bin/sleep infinity  \n[Unit]\nDescription=mine \n[Service]\nRestart=no\n"
    words = [line.partition("=") for line in ("ExecStart=  /bin/sleep infinity  ", "Restart=no")]
    options = [{"section": "Service", "name": name, "value": value} for name, _, value in words]
    options.insert(1, {"section": "Unit", "name": "Description", "value": "mine "})
    site.call("PUT", "/units/theirs.service", {"options": options, "desiredState": "inactive"}).raise_for_status()
    unit = site.client.unit("theirs.service")
    assert unit is not None
    assert unit.text == canonical(odd)
    site.client.put("theirs.service", UnitFile.parse(TEXT), DesiredState.INACTIVE)
    unit = site.client.unit("theirs.service")
    assert unit is not None
    assert unit.text == TEXT


@pytest.mark.parametrize("desired", DesiredState)
def test_every_desired_state_is_read_back(site: Site, desired: DesiredState) -> None:
    """fleet knows these three words."""
    name = f"desired-{desired}.service"
    site.client.put(name, UnitFile.parse(TEXT), DesiredState.INACTIVE)
    site.client.set_desired(name, desired)
    unit = site.client.unit(name)
    assert unit is not None
    assert (unit.desired, unit.text) == (desired, TEXT)


def test_a_desired_state_of_no_unit_is_an_error(site: Site) -> None:
    """It must not make a unit out of nothing; fleet says 409."""
    with pytest.raises(FleetApiError, match="unit does not exist and options field empty") as caught:
        site.client.set_desired("nobody.service", DesiredState.LAUNCHED)
    assert caught.value.status == 409
    assert site.client.unit("nobody.service") is None


def test_a_unit_is_deleted_once(site: Site) -> None:
    """The second time there is nothing to delete, which is as good."""
    site.client.put("deleted.service", UnitFile.parse(TEXT), DesiredState.INACTIVE)
    assert site.client.delete("deleted.service") is True
    assert site.client.delete("deleted.service") is False
    assert site.client.unit("deleted.service") is None
    assert site.client.units() == ()


def test_a_name_can_be_used_again_after_a_delete(site: Site) -> None:
    """Nothing of the old unit comes back."""
    site.client.put("reused.service", UnitFile.parse(TEXT), DesiredState.LOADED)
    site.client.delete("reused.service")
    site.client.put("reused.service", UnitFile.parse(OTHER), DesiredState.INACTIVE)
    unit = site.client.unit("reused.service")
    assert unit is not None
    assert (unit.text, unit.desired) == (OTHER, "inactive")
