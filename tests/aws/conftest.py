"""One moto for all tests of this folder, and one stack in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.aws.cloud import Cloud, running
from tests.aws.story import Story, tell
from tests.etcd.server import binary


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """What answers for AWS."""
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Story:
    """The life of a stack. Whoever asks for it is marked ``tools``: it needs pulumi and etcd."""
    etcd = binary()
    if etcd is None or shutil.which("pulumi") is None:
        pytest.skip("pulumi or etcd is not built: `make tools`")
    return tell(tmp_path_factory.mktemp("story"), cloud, etcd)
