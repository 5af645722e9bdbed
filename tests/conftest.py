"""One stack with the example app for all tests on real clusters; each test leaves it as it found it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.cluster.machines import remove_all
from tests.e2e.stack import ROOT, Stack

_MARKED = ("local", "e2e", "faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the folders in `_MARKED` carry their folder's name as a mark."""
    for item in items:
        for name in _MARKED:
            if Path(__file__).parent / name in item.path.parents:
                item.add_marker(name)


def example(folder: Path) -> Path:
    """A copy of the example app whose instances have to stay up for 2 s instead of 10 s, to be tested faster."""
    shutil.copytree(ROOT / "examples" / "behavioral", folder)
    fleetfile = folder / "Fleetfile.py"
    text = fleetfile.read_text().replace("Http, Service", "Http, Rolling, Service")
    fleetfile.write_text(
        text.replace("restart_sec=5,", "restart_sec=5,\n            rollout=Rolling(min_healthy_sec=2),")
    )
    return folder


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A deployed stack of three machines with the example on it."""
    home = tmp_path_factory.mktemp("e2e")
    stack = Stack("e2e", example(home / "app"), home / "pulumi")
    remove_all(stack.identity)
    try:
        stack.up()
        yield stack
    finally:
        stack.run("destroy", "--yes")
        remove_all(stack.identity)
        shutil.rmtree(ROOT / ".fleetcaptain" / stack.name, ignore_errors=True)
