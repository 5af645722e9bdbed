"""Lists: empty ones, several pages of them, and what a page is not."""

from __future__ import annotations

import base64

import pytest

from fleetcaptain.fleet.entities import DesiredState, UnitState
from fleetcaptain.units.unit_file import UnitFile
from tests.contract.sites import Site

TEXT = "[Service]\nExecStart=/bin/sleep infinity\n"


def fill(site: Site, count: int) -> tuple[str, ...]:
    """*count* units that run nowhere; their names in fleet's order."""
    names = tuple(f"page-{number:03}.service" for number in range(count))
    for name in names:
        site.client.put(name, UnitFile.parse(TEXT), DesiredState.INACTIVE)
    return names


def test_a_cluster_without_units_has_empty_lists(site: Site) -> None:
    """fleet leaves the key of an empty list out."""
    site.wait_for(lambda: site.client.states() == (), "no states")
    assert site.client.units() == ()
    assert (site.page("/units"), site.page("/state")) == ({}, {})


def test_lists_of_more_than_a_page_are_read_whole(site: Site) -> None:
    """fleet gives at most 100 entries at a time; 100 and 200 of them are followed by an empty page."""
    names = fill(site, 201)
    assert tuple(unit.name for unit in site.client.units()) == names
    for name in names[200:]:
        site.client.delete(name)
    assert tuple(unit.name for unit in site.client.units()) == names[:200]
    for name in names[100:200]:
        site.client.delete(name)
    assert tuple(unit.name for unit in site.client.units()) == names[:100]


def test_states_of_more_than_a_page_are_read_whole(site: Site) -> None:
    """A unit has one state per machine: unit and machine tell them apart."""
    site.wait_for(lambda: site.client.states() == (), "no states")
    wanted = tuple(
        UnitState(f"state-{number:03}.service", machine_id * 32, "0" * 40, "loaded", "active", "running")
        for number in range(75)
        for machine_id in ("1", "2")
    )
    site.publish(wanted)
    assert site.client.states() == wanted


def test_a_full_last_page_leads_to_an_empty_one(site: Site) -> None:
    """The token says nothing about whether there is more."""
    fill(site, 100)
    first = site.page("/units")
    assert len(first["units"]) == 100
    assert site.page(f"/units?nextPageToken={first['nextPageToken']}") == {}


def test_a_page_that_is_not_full_is_the_last(site: Site) -> None:
    """No token, no further page."""
    fill(site, 99)
    assert "nextPageToken" not in site.page("/units")


def token(limit: int, number: int) -> str:
    """A page token as fleet writes it."""
    return base64.urlsafe_b64encode(bytes([limit % 256, limit // 256, number % 256, number // 256])).decode()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"nextPageToken={token(50, 1)}", "token limit must be 100"),
        (f"nextPageToken={token(100, 0)}", "token page must be greater than zero"),
        (f"nextPageToken={token(100, 1)}&nextPageToken={token(100, 2)}", "too many values for page token"),
        ("nextPageToken=?", None),
        ("nextPageToken=", None),
    ],
)
@pytest.mark.parametrize("path", ["/units", "/state", "/machines"])
def test_a_token_that_fleet_did_not_give_is_refused(site: Site, path: str, query: str, message: str | None) -> None:
    """A client cannot choose the page's size."""
    answer = site.call("GET", f"{path}?{query}")
    assert answer.status_code == 400
    assert message is None or answer.json() == {"error": {"code": 400, "message": message}}


def test_a_page_after_the_last_is_empty(site: Site) -> None:
    """A list that became shorter meanwhile is no error."""
    assert site.page(f"/units?nextPageToken={token(100, 7)}") == {}
