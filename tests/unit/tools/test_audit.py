"""Licences and known vulnerabilities: what is found, and what could not be checked."""

from __future__ import annotations

import json
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

from tools import audit as program
from tools.audit import Result, audit, python_result, refused_licence
from tools.project_layout import Layout, put
from tools.tool_failure import ToolFailed


def package(folder: Path, *fields: str) -> Distribution:
    """An installed package with these *fields* of metadata."""
    info = folder / "shop-1.dist-info"
    put(info / "METADATA", "\n".join(["Metadata-Version: 2.4", "Name: shop", "Version: 1", *fields]).encode())
    return PathDistribution(info)


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        (["License-Expression: MIT"], ""),
        (["License-Expression: GPL-3.0-only"], "GPL-3.0-only"),
        (["License-Expression: GPL-3.0-only OR MIT"], ""),
        (["License-Expression: (GPL-3.0-only OR MIT)"], ""),
        (["License-Expression: MIT AND GPL-3.0-only"], "MIT AND GPL-3.0-only"),
        (["License: ISC License (ISCL)"], ""),
        (["License: Dual License", "Classifier: License :: OSI Approved :: BSD License"], ""),
        (["License: ours", "Classifier: License :: Other/Proprietary License"], "Other/Proprietary License"),
        (["Classifier: License :: DFSG approved", "Classifier: License :: OSI Approved :: MIT License"], ""),
        (["Classifier: License :: DFSG approved"], "no licence"),
        ([], "no licence"),
    ],
)
def test_a_licence_is_refused_unless_it_is_listed(tmp_path: Path, fields: list[str], licence: str) -> None:
    """Wherever a package states it; one that states none is refused."""
    assert refused_licence(package(tmp_path, *fields)) == licence


def test_a_package_that_the_database_lacks_is_not_checked() -> None:
    """pip-audit counts it as good, also when it cannot reach its database and so knows none."""
    flaw = {"id": "PYSEC-1", "fix_versions": ["2"], "aliases": [], "description": ""}
    report = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": [flaw]},
            {"name": "b", "version": "1", "vulns": []},
            {"name": "c", "skip_reason": "c (1) was not found"},
        ]
    }
    expected = Result(("a 1: PYSEC-1, fixed in 2",), ("1 of 3 packages, such as: c (1) was not found",))
    assert python_result(json.dumps(report), "") == expected
    assert python_result("", "no network").unchecked == ("pip-audit failed: no network",)


@pytest.mark.parametrize(
    ("result", "clean", "said"),
    [
        (Result(), True, "Go programs with known vulnerabilities: none"),
        (Result(("etcd",)), False, "Go programs with known vulnerabilities: 1\n  etcd"),
        (Result((), ("no network",)), True, "NOT CHECKED:\n  no network"),
        (ToolFailed("no go"), True, "NOT CHECKED:\n  no go"),
    ],
)
def test_only_what_was_found_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: Result | ToolFailed, clean: bool, said: str
) -> None:
    """What could not be checked is said."""

    def check(_layout: Layout) -> Result:
        if isinstance(result, ToolFailed):
            raise result
        return result

    for name in ("_licences", "_python", "_go"):
        monkeypatch.setattr(program, name, (lambda _layout: Result()) if name != "_go" else check)
    lines: list[str] = []
    assert audit(Layout(tmp_path), lines.append) is clean
    assert said in "\n".join(lines)
    assert ("not checked" in "\n".join(lines)) is ("NOT CHECKED" in said)


def test_licences_are_those_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one is not checked."""
    monkeypatch.setattr(program, "_python", lambda _layout: Result())
    monkeypatch.setattr(program, "_go", lambda _layout: Result())
    lines: list[str] = []
    assert audit(Layout(tmp_path), lines.append)
    assert "has no packages" in "\n".join(lines)
    package(tmp_path / ".venv/lib/python3.11/site-packages", "License: secret")
    assert not audit(Layout(tmp_path), lines.append)
    assert "shop: secret" in "\n".join(lines)
