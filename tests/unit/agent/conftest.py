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


@pytest.fixture
def machine(tmp_path: Path, etcd: FakeEtcd, request: pytest.FixtureRequest) -> PretendedMachine:
    """A pretended machine. Its `sh` is the first of `SHELLS`, unless a test asks for each. The program needs curl."""
    program("curl")
    return PretendedMachine(tmp_path, etcd.url, getattr(request, "param", SHELLS[0]))
