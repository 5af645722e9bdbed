"""One moto for all tests of this folder, and one stack in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local.aws.cloud import Cloud, running
from tests.local.aws.scenario import Story, tell
from tests.programs import program


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
