"""The maps of the docs: each file that they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("CONTRIBUTING.md", "docs/architecture.md")
# A path with a folder, or the name of a test module, in backticks.
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*\w|test_\w+\.py)`")


@pytest.mark.parametrize("page", PAGES)
def test_each_file_that_a_map_names_exists(page: str) -> None:
    """Paths begin at the root of the project; names of test modules are unique."""
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    named = PATH.findall((ROOT / page).read_text())
    assert len(named) > 10
    made = (".tools", ".fleetcaptain")  # by make and by stacks
    missing = [name for name in named if not (ROOT / name).exists() and name not in tests and not name.startswith(made)]
    assert missing == []


def test_every_package_is_on_the_map() -> None:
    """In the list of docs/architecture.md."""
    listed = (ROOT / "docs/architecture.md").read_text().split("```")[1]
    folders = {path.parent.name for top in ("fleetcaptain", "components") for path in (ROOT / top).rglob("__init__.py")}
    assert sorted(name for name in folders if f"{name}/" not in listed) == []


def test_every_command_module_is_named_after_its_command() -> None:
    """So `captain restart` is found by its name."""
    commands = sorted(path.stem for path in (ROOT / "fleetcaptain/cli").glob("*_command.py"))
    assert commands == sorted(set(re.findall(r"\w+_command\b", (ROOT / "fleetcaptain/cli/build.py").read_text())))
