"""Fixtures of the unit-text tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.fake_etcd import FakeEtcd
from tests.programs import program
from tests.unit.units.shell_machine import PretendedMachine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[PretendedMachine]:
    """A pretended machine whose etcd is empty. The shell lines that run on it need curl."""
    program("curl")
    with FakeEtcd() as etcd:
        yield PretendedMachine(tmp_path, etcd)
