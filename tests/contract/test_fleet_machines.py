"""Machines, their metadata, and which fleet it is."""

from __future__ import annotations

from tests.contract.sites import Site


def test_machines_have_id_address_and_metadata(site: Site) -> None:
    """The address is the one that the machine gave fleet; the metadata is all of it."""
    assert site.client.machines() == (site.machine,)
    assert site.machine.metadata == {"name": "m1", "zone": "z1", "rack": "r1", "disk": "ssd"}


def test_the_version_is_in_every_answer(site: Site) -> None:
    """Also in those that say no."""
    assert site.client.version() == "1.0.0"
    for path in ("/units", "/state", "/machines", "/units/nobody.service", "/nowhere"):
        assert site.call("GET", path).headers["Server"] == "fleetd/1.0.0"
