"""The wheel, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.package.wheels import build, copy_sources


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the project."""
    folder = tmp_path_factory.mktemp("package")
    return build(copy_sources(folder / "sources"), folder)
