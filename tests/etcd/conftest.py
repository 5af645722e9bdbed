"""The real etcd for the tests of this folder, which are marked ``tools``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.etcd.server import binary, running


@pytest.fixture(scope="session")
def etcd_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One etcd for all tests; each takes an app of its own in it."""
    program = binary()
    if program is None:
        pytest.fail("etcd is not built: `make tools`, or name its folder in FLEETCAPTAIN_TOOLS")
    with running(tmp_path_factory.mktemp("etcd"), program) as url:
        yield url
