"""The table of exit codes in docs/operations.md, against the tree of errors."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import fleetcaptain.errors
from fleetcaptain.errors import FleetCaptainError

ROOT = Path(__file__).resolve().parents[2]


def errors() -> dict[str, int]:
    """Name -> exit code of every error that is raised."""
    found = dict(inspect.getmembers(fleetcaptain.errors, inspect.isclass))
    return {
        name: kind.exit_code
        for name, kind in found.items()
        if issubclass(kind, FleetCaptainError) and not name.startswith("_")
    }


def documented() -> dict[str, int]:
    """Name -> exit code of every error in the table."""
    table = (ROOT / "docs/operations.md").read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]*)\|$", table, flags=re.MULTILINE)
    assert [int(code) for code, _ in rows] == list(range(11))
    return {name: int(code) for code, names in rows for name in re.findall(r"`(\w+)`", names)}


def test_the_table_has_every_error_with_its_code() -> None:
    """No more and no less."""
    assert documented() == errors()


def test_the_docstring_of_the_errors_has_the_same_codes() -> None:
    """It is where a developer looks."""
    listed = re.findall(r"(\w+) \((\d+)\)", fleetcaptain.errors.__doc__ or "")
    assert {name: int(code) for name, code in listed} == errors()
