"""Unit names: each one that we let through comes back as it is, from every call."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.units.unit_file import UnitFile
from tests.contract.sites import Site
from tests.fakes.unit_texts import unit_hash

TEXT = "[Service]\nExecStart=/bin/sleep infinity\n"
SECTIONS = {
    "service": TEXT,
    "timer": "[Timer]\nOnCalendar=daily\n",
    "socket": "[Socket]\nListenStream=127.0.0.1:9\n",
    "path": "[Path]\nPathExists=/nowhere\n",
}
NAMES = [
    "plain.service",
    "UPPER_and-9.service",
    "app_server@1.service",
    "redis-0a1b2c3@12.service",
    "a.b:c.service",
    "two@at@1.service",
    r"dev-disk\x2dlabel.service",
    r"back\slash@\x2d.service",
    "-dash.service",
    "a_.service",
    "...service",
    "a.service.service",
    "n" * 247 + ".service",
    "daily.timer",
    "web@1.socket",
    "seen.path",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_goes_through_every_call(site: Site, name: str) -> None:
    """Put, read, listed, asked for, deleted: always under the same name."""
    text = SECTIONS[name.rpartition(".")[2]]
    site.client.put(name, UnitFile.parse(text), DesiredState.INACTIVE)
    site.client.set_desired(name, DesiredState.INACTIVE)
    unit = site.client.unit(name)
    assert unit is not None
    assert (unit.name, unit.text) == (name, text)
    assert [listed.name for listed in site.client.units()] == [name]
    assert site.client.delete(name)
    assert site.client.units() == ()


def test_states_name_units_as_we_do(site: Site) -> None:
    """systemd escapes its own file names; fleet reports ours. All types are reported."""
    names = [r"state\x2dof:a.service", "state-of@1.service", "state-of.timer", "state-of@1.socket", "state-of.path"]
    for name in names:
        site.client.put(name, UnitFile.parse(SECTIONS[name.rpartition(".")[2]]), DesiredState.LOADED)
    for name in names:
        text = SECTIONS[name.rpartition(".")[2]]
        site.wait_for_state(name, unit_hash(text), "inactive", "dead")


def test_a_name_with_an_underscore_first_is_never_run(site: Site) -> None:
    """etcd hides such a key from lists, so that only who asks for the unit by name sees it: we refuse the name."""
    options = [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep infinity"}]
    body = {"options": options, "desiredState": "launched"}
    assert site.call("PUT", "/units/_hidden.service", body).status_code == 201
    site.client.put("seen.service", UnitFile.parse(TEXT), DesiredState.LAUNCHED)
    site.wait_for_state("seen.service", unit_hash(TEXT), "active", "running")
    hidden = site.client.unit("_hidden.service")
    assert hidden is not None
    assert (hidden.desired, hidden.machine_id) == ("launched", None)
    assert [unit.name for unit in site.client.units()] == ["seen.service"]
    with pytest.raises(UnitRefused, match="hides it in etcd"):
        site.client.put("_hidden.service", UnitFile.parse(TEXT), DesiredState.LAUNCHED)
    assert site.client.delete("_hidden.service")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("n" * 249 + ".service", "unit name exceeds maximum length (256)"),
        ("nodot", 'unit name must contain "."'),
        ("dot.", 'unit name cannot end in "."'),
        ("odd.type", 'invalid unit type: "type"'),
        ("a@1.mount", 'invalid unit type for template: "mount"'),
        ("a b.service", "invalid character ' ' in unit name"),
        ("ü.service", "invalid character 'ü' in unit name"),
        ("@1.service", 'unit name cannot start in "@"'),
    ],
)
def test_fleet_refuses_a_bad_name_in_these_words(site: Site, name: str, message: str) -> None:
    """It answers 400 to a put; to all other calls such a unit is just not there."""
    body = {"options": [{"section": "Service", "name": "ExecStart", "value": "/bin/true"}]}
    answer = site.call("PUT", f"/units/{name}", body)
    assert (answer.status_code, answer.json()["error"]) == (400, {"code": 400, "message": message})
    assert site.client.unit(name) is None
    assert site.client.delete(name) is False
