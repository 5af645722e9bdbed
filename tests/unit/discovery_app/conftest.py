"""A pretended etcd, and an app in a container of its unit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleetcaptain.discovery.identity import Identity
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.discovery_app.app_container import environment


@pytest.fixture
def etcd() -> Iterator[FakeEtcd]:
    """An empty etcd."""
    with FakeEtcd() as running:
        yield running


@pytest.fixture
def environ(etcd: FakeEtcd, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of this process, as in a container of ``web@1.service``."""
    told = environment(etcd.url)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return told


@pytest.fixture
def identity(environ: dict[str, str]) -> Identity:
    """Who that container is."""
    return Identity.from_environment(environ)
