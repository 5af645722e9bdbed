"""Fixtures of the tests of the machine agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.fake_etcd import FakeEtcd
from tests.programs import program
from tests.unit.units.shell_machine import SHELLS, PretendedMachine


@pytest.fixture
def etcd() -> Iterator[FakeEtcd]:
    """The empty etcd of the pretended machine."""
    with FakeEtcd() as etcd:
        yield etcd


@pytest.fixture(params=SHELLS)
def machine(tmp_path: Path, etcd: FakeEtcd, request: pytest.FixtureRequest) -> PretendedMachine:
    """A pretended machine, for each shell that may be its `sh`. The program needs curl."""
    program("curl")
    return PretendedMachine(tmp_path, etcd.url, request.param)
