"""What fleet does with calls that our client never makes, and why it never makes them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.units.unit_file import UnitFile
from tests.contract.sites import Site

TEXT = "[Service]\nExecStart=/bin/sleep infinity\n"
RUN = {"section": "Service", "name": "ExecStart", "value": "/bin/sleep infinity"}
OTHER = {"section": "Service", "name": "ExecStart", "value": "/bin/sleep 86400"}


def x_fleet(*lines: str) -> list[dict[str, str]]:
    """The options of a service with these [X-Fleet] lines."""
    words = [line.partition("=") for line in lines]
    return [RUN, *({"section": "X-Fleet", "name": name, "value": value} for name, _, value in words)]


def refused(answer: requests.Response, status: int) -> str:
    """fleet's words, after a look at the form of the error."""
    data = answer.json()
    assert (answer.status_code, data["error"]["code"], answer.headers["Content-Type"]) == (
        status,
        status,
        "application/json",
    )
    message: str = data["error"]["message"]
    return message


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 409),
        ({"options": []}, 409),
        ({"desiredState": "launched"}, 409),
        ({"options": [RUN]}, 201),
        ({"options": [RUN], "desiredState": "inactive", "unknown": 1}, 201),
        ({"options": [RUN], "desiredState": "running"}, 500),
        ({"options": [RUN], "name": "other.service"}, 400),
        ([], 400),
    ],
)
def test_a_put_of_a_new_unit(site: Site, body: Any, status: int) -> None:
    """It needs options; without a desired state it is kept as inactive; with an unknown one it is not kept."""
    answer = site.call("PUT", "/units/new.service", body)
    assert answer.status_code == status
    unit = site.client.unit("new.service")
    assert (unit is not None) == (status == 201)
    assert unit is None or unit.desired == "inactive"
    if status == 201:
        assert answer.content == b""


@pytest.mark.parametrize(
    ("body", "status", "desired"),
    [
        ({}, 409, "loaded"),
        ({"options": [RUN]}, 409, "loaded"),
        ({"options": [OTHER]}, 201, "inactive"),
        ({"options": [OTHER], "desiredState": "loaded"}, 201, "loaded"),
        ({"options": [OTHER], "desiredState": "running"}, 500, "loaded"),
        ({"options": [RUN], "desiredState": "inactive"}, 204, "inactive"),
        ({"desiredState": "inactive"}, 204, "inactive"),
    ],
)
def test_a_put_of_a_unit_that_is_there(site: Site, body: Any, status: int, desired: str) -> None:
    """A new text without a desired state stops the unit, which is why both are always sent."""
    site.client.put("old.service", UnitFile.parse(TEXT), DesiredState.LOADED)
    assert site.call("PUT", "/units/old.service", body).status_code == status
    unit = site.client.unit("old.service")
    assert unit is not None
    assert unit.desired == desired


def test_an_unknown_desired_state_makes_a_unit_unreadable(site: Site) -> None:
    """fleet takes it with 204, and then fails to read, list or delete the unit."""
    site.client.put("bricked.service", UnitFile.parse(TEXT), DesiredState.INACTIVE)
    assert site.call("PUT", "/units/bricked.service", {"desiredState": "running"}).status_code == 204
    for method, body in (("GET", None), ("PUT", {"desiredState": "inactive"}), ("DELETE", None)):
        assert refused(site.call(method, "/units/bricked.service", body), 500) == ""
    assert site.client.units() == ()


def test_a_template_can_be_kept_but_not_run(site: Site) -> None:
    """A new one would be taken in any state, and stop its machine's agent: we refuse templates."""
    assert site.call("PUT", "/units/app@.service", {"options": [RUN]}).status_code == 201
    message = refused(site.call("PUT", "/units/app@.service", {"desiredState": "loaded"}), 400)
    assert message == 'cannot activate template "app@.service"'
    message = refused(site.call("PUT", "/units/app@1.service", {"desiredState": "loaded"}), 409)
    assert message == "unit does not exist and options field empty"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["MachineID=x", "MachineOf=b.service"], "MachineID cannot be used with Peers"),
        (["MachineID=x", "Conflicts=b"], "MachineID cannot be used with Conflicts"),
        (["MachineID=x", "Global=yes"], "MachineID cannot be used with Global"),
        (["MachineID=x", "Replaces=b"], "MachineID cannot be used with Replaces"),
        (["Global=1", "MachineOf=b.service"], "Global cannot be used with Peers"),
        (["Global=on", "Replaces=b"], "Global cannot be used with Replaces"),
        (["Conflicts=a", "Replaces=b"], "Conflicts cannot be used with Replaces"),
        (["MachineOf=b.service", "Conflicts=b.*"], None),
        (["MachineOf=b.service", "Replaces=b.*"], None),
        (["X=" + "x" * 2046], "line too long (max 2048 bytes)"),
    ],
)
def test_options_that_cannot_be_are_refused_for_a_new_unit_only(
    site: Site, lines: list[str], message: str | None
) -> None:
    """In a text that replaces another the same options are taken without a word: so the client looks itself."""
    body = {"options": x_fleet(*lines), "desiredState": "inactive"}
    said = refused(site.call("PUT", "/units/odd.service", body), 400)
    assert message in (None, said)
    site.client.put("odd.service", UnitFile.parse(TEXT), DesiredState.INACTIVE)
    assert site.call("PUT", "/units/odd.service", body).status_code == 201


@pytest.mark.parametrize(
    "lines",
    [
        ["MachineID=x", "MachineMetadata=a=b"],
        ["Global=true", "Conflicts=b"],
        ["Global=true", "Global=false", "MachineID=x"],
        ["Unknown=x"],
        ["X=" + "x" * 2045],
    ],
)
def test_other_options_are_taken(site: Site, lines: list[str]) -> None:
    """Unknown keys too, which fleet then ignores."""
    assert site.call("PUT", "/units/fine.service", {"options": x_fleet(*lines)}).status_code == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_put_must_say_that_it_is_json(site: Site, kind: str | None) -> None:
    """Even when it is."""
    headers = {"Content-Type": kind} if kind else {}
    refused(site.call("PUT", "/units/kind.service", data=b'{"desiredState": "loaded"}', headers=headers), 415)


def test_a_put_may_say_its_charset(site: Site) -> None:
    """What follows the media type does not count."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    refused(site.call("PUT", "/units/kind.service", data=b"{", headers=headers), 400)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/units/", 404),
        ("GET", "/units/a.service/", 404),
        ("GET", "/units/a/b.service", 404),
        ("GET", "/units/a%2Fb.service", 404),
        ("GET", "/machines/x", 404),
        ("GET", "/state/", 404),
        ("DELETE", "/units", 405),
        ("POST", "/units/a.service", 405),
        ("DELETE", "/state", 405),
        ("PUT", "/state/a.service", 405),
        ("DELETE", "/machines", 405),
    ],
)
def test_other_calls_are_turned_down(site: Site, method: str, path: str, status: int) -> None:
    """Each path has its own verbs."""
    refused(site.call(method, path), status)


def test_the_state_of_a_unit_without_one_drops_the_connection(site: Site) -> None:
    """fleet's handler panics; the list, asked for one name, is just empty."""
    with pytest.raises(requests.ConnectionError):
        site.call("GET", "/state/nobody.service")
    assert site.page("/state?unitName=nobody.service") == {}


def test_an_option_that_is_null_drops_the_connection(site: Site) -> None:
    """fleet's handler panics."""
    with pytest.raises(requests.ConnectionError):
        site.call("PUT", "/units/null.service", {"options": [None]})
