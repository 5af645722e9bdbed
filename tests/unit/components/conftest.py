"""Fixtures of the tests of the program."""

from __future__ import annotations

import sys

import pytest

from components import dynamic


@pytest.fixture(autouse=True)
def _provider_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins like a new process of a provider: not cancelled, and without an engine's address."""
    monkeypatch.setattr(sys, "argv", sys.argv[:1])
    monkeypatch.setattr(dynamic, "_pickles", {})
    dynamic._cancel.clear()
    dynamic._engine.cache_clear()
    dynamic._end_with_engine.cache_clear()
