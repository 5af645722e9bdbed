"""How often a unit's text is read and written on its way from a Fleetfile to fleet: once where it comes in."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from components.fleet_unit import RollingUpdateProvider
from components.preview_checks import check_cluster
from fleetcaptain.fleetfile.values import App, Port, Rolling, ServiceSpec
from fleetcaptain.mode import Mode
from fleetcaptain.release.service_release import parts_of_app
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.report import summary
from fleetcaptain.rollout.strays import STRAYS_ARE_ERRORS
from fleetcaptain.units import unit_text
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.render import render_app
from tests.fakes.fake_site import APP, Site
from tests.unit.components.deployed import CONNECTION, IMAGE, STACK, unit_inputs

ROLLOUT = Rolling(min_healthy_sec=1, healthy_deadline_sec=20, progress_deadline_sec=40)
WEB = App(APP, (ServiceSpec("web", "web", "redis:7", ports=(Port(80, 8080),), rollout=ROLLOUT),), Path("/app"))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the product parsed a text, and serialized options."""
    found: Counter[str] = Counter()

    def counted(name: str) -> Any:
        original = getattr(unit_text, name)

        def call(value: Any) -> Any:
            found[name] += 1
            return original(value)

        return call

    for name in ("parse", "serialize"):
        replaced, original = counted(name), getattr(unit_text, name)
        for module in list(sys.modules.values()):
            is_product = getattr(module, "__name__", "").startswith(("fleetcaptain.", "components."))
            if is_product and getattr(module, name, None) is original:
                monkeypatch.setattr(module, name, replaced)
    return found


def taken(passes: Counter[str]) -> tuple[int, int]:
    """The number of parses and of serializations since the last call."""
    found = passes["parse"], passes["serialize"]
    passes.clear()
    return found


def test_the_program_reads_back_once_what_it_rendered(site: Site, passes: Counter[str]) -> None:
    """It writes it once as it is, and once with an image: the longest one to check, then the real one."""
    assert site.texts == {}
    files = render_app(WEB, STACK)
    assert taken(passes) == (1, 2)
    parts = parts_of_app(WEB, files)
    check_cluster(CONNECTION, Ownership(APP, STACK), parts, {}, declared=["web"], policy=STRAYS_ARE_ERRORS)
    assert parts[0].peers == ()
    assert taken(passes) == (0, 0)
    file = parts[0].unit.with_image(IMAGE)
    assert (parts[0].entry(file, IMAGE).unit_hash, file.unit_hash) == (
        file.unit_hash,
        parts[0].entry(file, "").unit_hash,
    )
    assert taken(passes) == (0, 1)


def test_each_operation_of_a_provider_reads_its_input_once(site: Site, passes: Counter[str]) -> None:
    """However many instances there are. What fleet answers are options, which are written to compare them."""
    assert site.texts == {}
    provider = RollingUpdateProvider()
    inputs = unit_inputs("web", 3, unit=render_app(WEB, STACK)["web"].text)
    passes.clear()
    outs = provider.create(inputs).outs
    assert outs is not None
    assert passes["parse"] == 1
    passes.clear()
    provider.read("web", outs)
    assert passes["parse"] == 1
    passes.clear()
    news = {**inputs, "image": f"{IMAGE}2"}
    provider.diff("web", outs, news)
    assert taken(passes) == (0, 0)
    provider.update("web", outs, news)
    assert passes["parse"] == 1
    passes.clear()
    provider.delete("web", news)
    assert passes["parse"] == 1


@pytest.mark.parametrize(("mode", "last", "reads"), [(Mode.ROLLING, "healthy", 1), (Mode.BLUE_GREEN, "change", 2)])
def test_an_update_reads_the_cluster_twice_before_its_first_change(
    site: Site, monkeypatch: pytest.MonkeyPatch, mode: Mode, last: str, reads: int
) -> None:
    """Under the lock and before the first step; and at most twice after its end."""
    assert site.texts == {}
    inputs = unit_inputs("web", 2, mode=mode)
    provider = RollingUpdateProvider()
    outs = provider.create(inputs).outs
    events: list[str] = []

    def recorded(name: str, original: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            events.append(name)
            return original(*args, **kwargs)

        return call

    monkeypatch.setattr(Cluster, "snapshot", recorded("read", Cluster.snapshot))
    for change in ("put", "delete", "set_desired_state"):
        monkeypatch.setattr(Cluster, change, recorded("change", getattr(Cluster, change)))
    monkeypatch.setattr("fleetcaptain.rollout.driver.summary", recorded("healthy", summary))
    provider.update("web", outs or {}, {**inputs, "image": f"{IMAGE}2"})
    assert events.index("change") == 2
    assert sum(event == "read" for event in events[max(at for at, one in enumerate(events) if one == last) :]) == reads
