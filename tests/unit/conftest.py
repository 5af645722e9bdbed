"""Settings for all unit tests."""

from __future__ import annotations

from hypothesis import settings

# Machines that run the tests are shared: how long one example takes says nothing.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
