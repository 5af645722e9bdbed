"""Each module of faults leaves the example as it found it; its tests need not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.stack import Stack


@pytest.fixture(scope="module", autouse=True)
def restored(stack: Stack) -> Iterator[None]:
    """Whatever was deployed last, the first Fleetfile runs again."""
    with stack.edited("Fleetfile.py", {}):
        yield
    stack.up()
