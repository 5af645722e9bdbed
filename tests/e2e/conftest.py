"""Further stacks on the cluster of the worker's own one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack, stack_name

__all__ = ["Guests"]

Guests = Callable[[str, str], Stack]
"""Makes a stack of its own for an app, given the kind of stack and the text of its Fleetfile."""


@pytest.fixture
def guests(stack: Stack, tmp_path: Path) -> Iterator[Guests]:
    """Stacks that know of the cluster only how to connect to its machines."""
    settings = stack.as_existing()
    made: list[Stack] = []

    def guest(kind: str, fleetfile: str) -> Stack:
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "Fleetfile.py").write_text(fleetfile)
        made.append(Stack(stack_name(f"e2e-{kind}"), folder, tmp_path / f"{kind}-pulumi", settings))
        return made[-1]

    yield guest
    for one in made:
        one.remove()
