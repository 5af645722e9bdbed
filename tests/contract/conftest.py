"""Every test here runs twice: against the fake, and, marked ``e2e``, against the real fleetd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.tunnel import Tunnel
from tests.contract.single_machine import one_machine
from tests.contract.sites import FakeSite, RealSite, Site


@pytest.fixture(scope="session")
def real_site(_engine: None) -> Iterator[RealSite]:
    """The real fleet, made when the first test needs it."""
    with one_machine() as layout:
        hosts = tuple(layout.connection()["ssh"])
        with Tunnel(Endpoint(hosts, str(layout.key), str(layout.known_hosts), managed=True)) as tunnel:
            yield RealSite(layout, tunnel)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.e2e)])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A fleet without units; one that earlier tests deleted may still be on its way off the machine."""
    if request.param == "fake":
        fake = FakeSite.make()
        yield fake
        fake.fake.close()
    else:
        real: RealSite = request.getfixturevalue("real_site")
        yield real
        real.clear()
