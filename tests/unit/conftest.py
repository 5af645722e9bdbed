"""Settings and fixtures of all unit tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from components.cluster import handle
from fleetcaptain.discovery import api

# Machines that run the tests are shared: how long one example takes says nothing.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins like a new process: what the product remembers of clusters and apps is forgotten, and so is how
    a command ends at a signal."""
    monkeypatch.setattr(handle, "_clusters", {})
    monkeypatch.setattr(handle, "_reported", set())
    api._of.cache_clear()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
