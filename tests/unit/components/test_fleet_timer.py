"""The provider of a periodic task: what its preview says, what is read back, and what is removed."""

from __future__ import annotations

from typing import Any

import pytest

from components import fleet_timer
from components.fleet_timer import TimerProvider
from components.host.provider_registry import PROVIDERS
from fleetcaptain.discovery.keys import task_key
from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.names import periodic_units
from fleetcaptain.units.render_task import render_task, render_timer
from tests.fakes.fake_site import APP, Site
from tests.unit.components.deployed import CONNECTION, IMAGE, STACK, full

PROVIDER = TimerProvider()
MARK = Mark(APP, STACK, "nightly")
TASK = TaskSpec(ServiceSpec("nightly", "x", "shop", ("report",)), every="*-*-* *:*:00")
INPUTS: dict[str, Any] = {
    "app": APP,
    "task": "nightly",
    "unit": render_task(TASK, MARK).text,
    "timer": render_timer(TASK, MARK).text,
    "image": IMAGE,
    "state": "installed",
    "adopt": [],
    "cluster": CONNECTION,
}


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of the resource's row."""
    lines: list[str] = []
    monkeypatch.setattr(fleet_timer, "status", lines.append)
    return lines


def read() -> Any:
    """The inputs that are read back."""
    return PROVIDER.read("nightly", INPUTS).inputs


def test_its_kind_is_in_the_table() -> None:
    """For the provider's host."""
    assert PROVIDERS["Timer"] is TimerProvider


def test_a_pair_reads_back_as_its_inputs(site: Site) -> None:
    """So the next preview shows no difference; a removed one leaves its journal."""
    assert PROVIDER.create(INPUTS).outs == INPUTS
    assert set(site.texts) == {"nightly-task.service", "nightly-task.timer"}
    site.rest()
    assert read() == INPUTS
    site.etcd.put(task_key(APP, "nightly"), "x")
    PROVIDER.delete("nightly", INPUTS)
    assert site.texts == {}
    assert task_key(APP, "nightly") in site.etcd.values


def test_a_state_without_adoption_reads_back(site: Site) -> None:
    """An earlier version had none."""
    PROVIDER.create(INPUTS)
    site.rest()
    before = {key: value for key, value in INPUTS.items() if key != "adopt"}
    assert PROVIDER.read("nightly", before).inputs == INPUTS
    PROVIDER.delete("nightly", before)
    assert site.texts == {}


OTHER_MARK = Mark(APP, "other/dev", "nightly")


@pytest.mark.parametrize(
    ("texts", "adopt"),
    [
        ((full(render_task(TASK, OTHER_MARK).text), render_timer(TASK, OTHER_MARK).text), ["other/dev"]),
        (("[Service]\nExecStart=/bin/x\n", "[Timer]\nOnCalendar=daily\n"), [*periodic_units("nightly")]),
    ],
)
def test_a_pair_of_others_is_adopted(site: Site, texts: tuple[str, str], adopt: list[str]) -> None:
    """Only as long as it is named; what is ours by then is not theirs to remove."""
    site.start(dict(zip(periodic_units("nightly"), texts, strict=True)))
    with pytest.raises(UnitRefused, match=r"nightly-task\.service"):
        PROVIDER.create(INPUTS)
    adopted = {**INPUTS, "adopt": adopt}
    assert read()["state"] != "installed"
    assert PROVIDER.create(adopted).outs == adopted
    site.rest()
    assert PROVIDER.read("nightly", adopted).inputs == INPUTS
    theirs = {**INPUTS, "unit": render_task(TASK, OTHER_MARK).text, "timer": render_timer(TASK, OTHER_MARK).text}
    PROVIDER.delete("nightly", {**theirs, "adopt": [STACK]})
    assert set(site.texts) == set(periodic_units("nightly"))


def test_a_difference_is_read_back(site: Site) -> None:
    """Of each text, of the image, and of the state."""
    assert read()["state"] == "nightly-task.service is missing, nightly-task.timer is missing"
    other = {**INPUTS, "image": "shop@sha256:2", "timer": INPUTS["timer"].replace("*:*", "*:30")}
    PROVIDER.update("nightly", INPUTS, other)
    site.stop("nightly-task.timer")
    found = read()
    assert (found["image"], found["timer"], found["unit"]) == (other["image"], other["timer"], INPUTS["unit"])
    assert found["state"] == "nightly-task.service has another text, nightly-task.timer has another text"


@pytest.mark.parametrize(
    ("olds", "line"), [({}, "next run: 2"), ({**INPUTS, "state": "x is missing"}, "next run: 2"), (INPUTS, "")]
)
@pytest.mark.usefixtures("site")
def test_the_preview_says_when_it_runs(said: list[str], olds: dict[str, Any], line: str) -> None:
    """Nothing is said of a pair without a difference."""
    PROVIDER.check(olds, {**INPUTS, "image": "unknown", "cluster": "unknown"} if not olds else INPUTS)
    assert (len(said), "".join(said).startswith(line)) == (bool(line), True)
