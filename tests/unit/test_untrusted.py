"""Values that strangers may write into etcd: what is none is ignored with a reason, and never raises anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.discovery.documents import Registration, Release, ServiceRelease, manifest_at, registration_at
from fleetcaptain.discovery.instances import Instance
from fleetcaptain.discovery.keys import registration_key, release_key
from fleetcaptain.fleet.entities import Machine, UnitEntity, UnitState
from fleetcaptain.fleetfile.keywords import MAX_INSTANCES
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.journal import JournalEntry
from fleetcaptain.rollout.lock import Owner, this_process
from fleetcaptain.untrusted import (
    DEEPEST,
    LONGEST_BYTES,
    Fields,
    Ignored,
    Unreadable,
    is_address,
    json_object,
    port_number,
    read_all,
    readable,
)

UNIT = "web@1.service"
KEY = registration_key("shop", "web", UNIT)
REGISTRATION = {"service": "web", "unit": UNIT, "content": "c", "machine": "m1", "host": "10.0.0.1"}
ENTRY = ServiceRelease(
    "c" * 40, 2, "shop@sha256:1", Mode.ROLLING, {"max_parallel": "25%", "auto_revert": True}, ("db",)
).to_data()
MANIFEST = {"tag": "v1", "who": "ann@laptop", "when": "2030-01-01T00:00:00+00:00", "services": {"web": ENTRY}}
DEEP = "[" * 200_000
OPTION_TEXTS = (
    st.text()
    | st.text(st.sampled_from('[]#;=\\\n\r "ab'))
    | st.sampled_from(
        ["X-Fleet", "Service", "MachineID", "MachineMetadata", "Conflicts", "Environment", "IMAGE=a", '"', "\ud800"]
    )
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=8), below, max_size=4),
    max_leaves=12,
)


def nested(levels: int) -> dict[str, Any]:
    """An object in an object in ... and so on."""
    found: dict[str, Any] = {}
    for _ in range(levels - 1):
        found = {"a": found}
    return found


def changed(known: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """*known*, with some fields replaced."""
    return st.dictionaries(st.sampled_from(sorted(known)), JSON).map(lambda fields: {**known, **fields})


@pytest.mark.parametrize("make", [Registration.from_json, Release.from_json, JournalEntry.from_json, Owner.from_json])
@given(st.text() | JSON.map(json.dumps) | changed({**REGISTRATION, "ports": {"80": 1}, "versions": []}).map(json.dumps))
def test_any_text_is_read_or_refused(make: Any, text: str) -> None:
    """Nothing but `Unreadable` is raised; what is read can be written again."""
    found = readable(make, text)
    if found is not None:
        repr(found).encode()


@given(
    changed(MANIFEST).map(json.dumps)
    | changed(ENTRY).map(lambda entry: json.dumps({**MANIFEST, "services": {"web": entry}}))
)
def test_any_manifest_is_read_or_refused(text: str) -> None:
    """What is read keeps to what a Fleetfile may say, and reads back as it was."""
    found = readable(Release.from_json, text)
    if found is not None:
        assert Release.from_json(found.to_json()) == found
        assert all(0 <= release.count <= 10_000 for release in found.services.values())


@pytest.mark.parametrize("make", [UnitEntity.of, UnitState.of, Machine.of])
@given(changed({"name": "a.service", "id": "m1", "options": [], "primaryIP": "10.0.0.1", "metadata": {}, "hash": "c"}))
def test_any_answer_of_fleet_is_read_or_refused(make: Any, data: dict[str, Any]) -> None:
    """So is what fleet shows of what stands in etcd."""
    found = readable(make, data)
    if isinstance(found, Machine):
        assert not found.ip or is_address(found.ip)
    if isinstance(found, UnitEntity):
        assert found.unit_hash


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({**REGISTRATION, "ports": {"80": 1}}).replace("1}", "1e999}"),
        DEEP,
        json.dumps({**REGISTRATION, "unit": "\ud800"}),
        json.dumps({**REGISTRATION, "connection": {"password": "\ud800"}}),
        json.dumps({**REGISTRATION, "connection": {"a": "x" * LONGEST_BYTES}}),
        json.dumps({**REGISTRATION, "ports": {"80": 70_000}}),
        json.dumps({**REGISTRATION, "ports": {"80": True}}),
        json.dumps({**REGISTRATION, "host": "6.6.6.6 -oProxyCommand=x"}),
        json.dumps({**REGISTRATION, "service": "../../x"}),
        json.dumps({**REGISTRATION, "unit": "web@1.service\n"}),
        json.dumps({**REGISTRATION, "versions": "v1"}),
        json.dumps({**REGISTRATION, "draining": "no"}),
        json.dumps({"service": "web"}),
        json.dumps({**REGISTRATION, "ports": {"80": 0}}).replace("0}", f"{'9' * 5000}}}"),
        json.dumps({**REGISTRATION, "ports": {"80": float("nan")}}),
        json.dumps({**REGISTRATION, "ports": {"80": -1}}),
        json.dumps({**REGISTRATION, "ports": {"80": 0.5}}),
        json.dumps({**REGISTRATION, "ports": {"80": "80"}}),
        json.dumps({**REGISTRATION, "connection": {"weight": -float("inf")}}),
        json.dumps({**REGISTRATION, "connection": nested(DEEPEST)}),
        json.dumps({**REGISTRATION, "connection": nested(400)}),
        json.dumps(REGISTRATION)[:-1] + ', "machine": "m2"}',
        json.dumps({**REGISTRATION, "connection": 0}).replace("0", '{"port": 1, "port": 2}'),
        json.dumps({**REGISTRATION, "unit": ""}),
        json.dumps({**REGISTRATION, "service": ".."}),
        json.dumps({**REGISTRATION, "host": ["10.0.0.1"]}),
        "[]",
        "null",
        "NaN",
        "\ufeff{}",
        "",
        "note",
    ],
)
def test_what_is_no_registration_is_ignored_with_its_key(text: str) -> None:
    """The others at the side of it are read all the same."""
    good = json.dumps(REGISTRATION)
    found, ignored = read_all(registration_at, [(KEY, text), (KEY, good)])
    assert [entry.unit for entry in found] == [UNIT]
    assert [entry.key for entry in ignored] == [KEY]


@pytest.mark.parametrize(
    "key",
    [
        registration_key("shop", "web", "zz"),
        registration_key("shop", "redis", UNIT),
        registration_key("shop", "web", "00000000000000000057"),
        registration_key("shop", "web", f"{UNIT}~m2"),
        registration_key("shop", "other/web", UNIT),
        registration_key("shop", "web", f"{UNIT}/{UNIT}"),
        KEY.replace("/services/", "/elsewhere/"),
        KEY.removeprefix("/fleetcaptain"),
        KEY[1:],
        "/",
        "",
    ],
)
def test_a_registration_counts_at_its_own_key_only(key: str) -> None:
    """So nothing that is put beside it takes its place."""
    assert read_all(registration_at, [(key, json.dumps(REGISTRATION))])[0] == ()


def test_a_registration_counts_at_its_key() -> None:
    """Also where the key names the machine."""
    for key in (KEY, f"{KEY}~m1"):
        assert registration_at(key, json.dumps(REGISTRATION)).unit == UNIT


@pytest.mark.parametrize(
    "fields",
    [
        {"tag": [1]},
        {"tag": "../current"},
        {"when": 5},
        {"services": {"../../x": ENTRY}},
        {"services": {"..": ENTRY}},
        {"services": {"web": {**ENTRY, "instances": 100_000}}},
        {"services": {"web": {**ENTRY, "instances": 101}}},
        {"services": {"web": {**ENTRY, "instances": float("inf")}}},
        {"services": {"web": {**ENTRY, "instances": True}}},
        {"services": {"web": {**ENTRY, "instances": -1}}},
        {"services": {"web": {**ENTRY, "instances": "2"}}},
        {"services": {"web": {**ENTRY, "mode": "explode"}}},
        {"services": {"web": {**ENTRY, "image": "127.0.0.1:5000/[1-500]\n"}}},
        {"services": {"web": {**ENTRY, "image": "--privileged"}}},
        {"services": {"web": {**ENTRY, "requires": "db"}}},
        {"services": {"web": {**ENTRY, "rollout": {"min_healthy_sec": "soon"}}}},
        {"services": {"web": {**ENTRY, "rollout": {"min_healthy_sec": 1e30}}}},
        {"services": {"web": {**ENTRY, "rollout": {"min_healthy_sec": -1}}}},
        {"services": {"web": {**ENTRY, "rollout": {"keep_old_sec": "25%"}}}},
        {"services": {"web": {**ENTRY, "rollout": {"\x1b]52;": 1}}}},
        {"services": {"web": {**ENTRY, "content": ".."}}},
        {"services": nested(400)},
        {"services": {"web": {**ENTRY, "content": "../x"}}},
        {"services": []},
        {"unfinished": "yes"},
    ],
)
def test_what_is_no_manifest_is_ignored(fields: dict[str, Any]) -> None:
    """Names, numbers and forms are those that a Fleetfile may have."""
    text = json.dumps({**MANIFEST, **fields})
    assert read_all(manifest_at, [(release_key("shop", "v1"), text)])[0] == ()


def test_a_manifest_counts_at_its_own_key_only() -> None:
    """Also one with a slash in its tag."""
    text = json.dumps({**MANIFEST, "tag": "team/v1"})
    own = release_key("shop", "team/v1")
    assert manifest_at(own, text).tag == "team/v1"
    for key in (release_key("shop", "v1"), own.replace("/releases/", "/releases/other/"), f"{own}/team%2Fv1"):
        with pytest.raises(Unreadable, match="it is the manifest of team/v1"):
            manifest_at(key, text)


def test_an_app_may_have_many_services() -> None:
    """Its manifest is longer than any registration."""
    services = {f"service-{number}": ServiceRelease.read(Fields(ENTRY)) for number in range(1000)}
    text = Release("v1", services).to_json()
    assert len(text) > LONGEST_BYTES
    assert Release.from_json(text).services == services


def test_a_service_of_every_machine_may_have_more_instances() -> None:
    """One for each machine; any other one has as many as a Fleetfile may say."""
    assert ServiceRelease.read(Fields({**ENTRY, "mode": Mode.PER_MACHINE, "instances": 300})).count == 300
    assert ServiceRelease.read(Fields({**ENTRY, "instances": MAX_INSTANCES})).count == MAX_INSTANCES


@pytest.mark.parametrize("make", [Registration.from_json, Release.from_json, JournalEntry.from_json, Owner.from_json])
@pytest.mark.parametrize(
    "text", [DEEP, "9" * 5000, '{"a": 1e999}', '{"a": "\ud800"}', "{" * 500, '{"a":' * 200_000, ""]
)
def test_what_is_no_json_is_refused(make: Any, text: str) -> None:
    """Registration, manifest, journal and lock alike."""
    with pytest.raises(Unreadable):
        make(text)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (80, 80),
        ("80", 80),
        (65535, 65535),
        (65536, 0),
        (0, 0),
        (-80, 0),
        (80.0, 0),
        (True, 0),
        ("8 0", 0),
        ("+80", 0),
        ("８０", 0),  # noqa: RUF001 - other digits are the point
        ("9" * 5000, 0),
        (10**4000, 0),
        ([80], 0),
        (None, 0),
    ],
)
def test_a_port_is_a_number_of_sixteen_bits(value: object, number: int) -> None:
    """Whatever an app registers: a lookup gives this one, or none."""
    assert port_number(value) == number
    entry = Registration("web", UNIT, "c", "m1", "10.0.0.1", connection={"port": value})
    assert Instance(entry, own=True).port == (number or None)


def test_what_is_ignored_says_where_and_why() -> None:
    """As a warning shows it."""
    _, ignored = read_all(registration_at, [(KEY, json.dumps({**REGISTRATION, "draining": 1}))])
    assert [str(entry) for entry in ignored] == [f"{KEY}: draining is not true or false"]
    assert ignored == (Ignored(KEY, "draining is not true or false"),)


def test_this_process_reads_back() -> None:
    """An owner that was written is the owner that is read."""
    owner = this_process()
    assert Owner.from_json(owner.to_json()) == owner


def test_an_owner_names_a_process() -> None:
    """Its number is part of a path."""
    assert readable(Owner.from_json, this_process().to_json().replace('"pid": ', '"pid": "../" + ')) is None
    assert readable(Owner.from_json, json.dumps({**json_object(this_process().to_json()), "pid": "1/../2"})) is None


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(("section", "name", "value"), OPTION_TEXTS)), max_size=4))
def test_whatever_options_a_unit_has_it_has_a_text(options: list[dict[str, str]]) -> None:
    """Every look at the cluster reads the units of all apps: one that someone else put there stops none."""
    unit = readable(UnitEntity.of, {"name": "odd@1.service", "options": options})
    if unit is not None:
        assert len(unit.unit_hash) == 40
        assert isinstance(unit.file.without_image()[0].text, str)
        assert unit.file.needs(unit.name).name == unit.name


def test_a_unit_that_no_file_can_hold_has_a_text_and_a_mark() -> None:
    """fleet's API takes a line end in a value; such a unit of anybody must not stop a look at the others."""
    options = [
        {"section": "Service", "name": "ExecStart", "value": "/bin/a\nExecStop=/bin/b"},
        *({"section": "X-FleetCaptain", "name": name, "value": "x"} for name in ("App", "Stack", "Service")),
    ]
    unit = UnitEntity.of({"name": "odd.service", "options": options})
    assert unit.mark is not None
    assert unit.text.startswith("# A unit option cannot be written:")
    assert len(unit.unit_hash) == 40
