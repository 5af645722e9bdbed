"""The order in which a plan rolls the services."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.deployment_plan import Plan, forward, proxy_first
from fleetcaptain.release.balanced_app import adapted
from fleetcaptain.release.release_name import ReleaseName
from fleetcaptain.release.rollback import order_back
from fleetcaptain.release.service_release import parts_of_app
from fleetcaptain.units.render import render_app
from tests.unit.fleetfile.written import app

_SERVICES = """
    Service("web", ports=[80], public=80, renamed_from="site", after=["api"]),
    Service("api", ports=[80], public=81),
"""
NAME = ReleaseName("v1")


@pytest.fixture(params=["a deployment", "a rollback"])
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> Plan:
    """Of a service that had another name, another one, and the proxy of both."""
    found = adapted(app(tmp_path, _SERVICES), None)
    parts = parts_of_app(found, render_app(found, "p/s"))
    if request.param == "a rollback":
        return Plan(parts, {}, NAME, order_back(parts, ["web", "api", "shop-proxy"]), is_rollback=True)
    return forward(parts, {}, NAME)


def test_the_proxy_goes_first_while_a_public_service_has_its_former_name(plan: Plan) -> None:
    """It leads to instances of both names. Nothing waits in a circle."""
    changed = proxy_first(plan, "shop-proxy", ["site", "api", "shop-proxy"])
    assert changed.after["shop-proxy"] == ()
    assert changed.after["web"] == (*plan.after["web"], "shop-proxy")
    assert changed.after["api"] == plan.after["api"]
    names = [part.service for part in changed.ordered()]
    assert names.index("shop-proxy") < names.index("web")


@pytest.mark.parametrize("there", [["web", "api", "shop-proxy"], []])
def test_afterwards_it_goes_last_although_the_keyword_stays(plan: Plan, there: list[str]) -> None:
    """So that a new route has servers when it begins."""
    assert proxy_first(plan, "shop-proxy", there) is plan
    assert plan.ordered()[-1].service == "shop-proxy"
