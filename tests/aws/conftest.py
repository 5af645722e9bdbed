"""One moto for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.cloud import Cloud, running


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """What answers for AWS."""
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud
