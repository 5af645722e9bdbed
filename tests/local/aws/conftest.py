"""One moto for all tests of this folder, and one stack in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.aws.cloud import Cloud, running
from tests.local.aws.scenario import Story, tell
from tests.programs import program

_HERE = Path(__file__).parent
_SCENARIO_SEC = 1800
"""The time limit of a test of this folder: the first one lives through the scenario."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give them time on a busy machine."""
    for item in items:
        if item.path.parent == _HERE:
            item.add_marker(pytest.mark.timeout(_SCENARIO_SEC))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """What answers for AWS."""
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Story:
    """The life of a stack."""
    program("pulumi")
    return tell(tmp_path_factory.mktemp("story"), cloud, program("etcd"))
