"""The real etcd for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local.etcd.etcd_process import running
from tests.programs import program


@pytest.fixture(scope="session")
def etcd_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of one etcd for all tests; each test uses an app of its own in it."""
    with running(tmp_path_factory.mktemp("etcd"), program("etcd")) as url:
        yield url
