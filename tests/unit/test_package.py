"""The package as pyproject.toml describes it, and the files that belong to a published project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import fleetcaptain
from fleetcaptain.cli import main

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Upgrading"}


def test_the_version_has_one_owner() -> None:
    """The package itself, so a clone that is not installed has it too."""
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "fleetcaptain.__version__"}
    assert str(Version(fleetcaptain.__version__)) == fleetcaptain.__version__


def test_captain_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever else is on the line."""
    for words in (["--version"], ["--version", "discover"]):
        assert main(words) == 0
        assert capsys.readouterr().out == f"captain {fleetcaptain.__version__}\n"


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_each_dependency_has_a_range(extra: str) -> None:
    """An app that needs another version of the same package can still install the extra."""
    for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
        operators = sorted(one.operator for one in requirement.specifier)
        assert operators == ([] if requirement.name == PROJECT["name"] else ["<", ">="]), requirement


def test_the_wheel_is_the_library_with_each_of_its_files() -> None:
    """`tests/local/package` builds one and looks."""
    settings = PYPROJECT["tool"]["setuptools"]
    assert settings["packages"]["find"] == {"include": ["fleetcaptain", "fleetcaptain.*"], "namespaces": False}
    assert settings["package-data"] == {"fleetcaptain": ["**/*", "**/.*"]}


def test_the_licence_is_named_and_there() -> None:
    """The MIT licence."""
    assert (PROJECT["license"], PROJECT["license-files"]) == ("MIT", ["LICENSE"])
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith("MIT License\n\nCopyright (c) ")
    assert "FleetCaptain contributors" in licence
    assert "[MIT](LICENSE)" in (ROOT / "README.md").read_text()


def test_the_changelog_begins_with_this_version() -> None:
    """In the form of Keep a Changelog: the versions from the newest to the oldest, each with its date."""
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    versions = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings]
    found = [Version(match[1]) for match in versions if match]
    assert len(found) == len(headings) - (headings[0] == "[Unreleased]")
    assert found == sorted(found, reverse=True)
    assert str(found[0]) == fleetcaptain.__version__
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_docs_name_the_wheel_of_this_version() -> None:
    """Where they name one whole."""
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {name for text in texts for name in re.findall(r"fleetcaptain-(\d[^-\s]*)-py3-none-any", text.read_text())}
    assert named == {fleetcaptain.__version__}
    assert f"Status: {fleetcaptain.__version__}," in (ROOT / "README.md").read_text()


def test_the_hooks_run_the_ruff_of_the_locks() -> None:
    """A revision of their own would be a second version of ruff."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (.*)", hooks) == ["local"]
    assert re.findall(r"entry: (\S+ \S+)", hooks) == [".venv/bin/ruff check", ".venv/bin/ruff format"]


def test_the_workflow_runs_the_projects_own_command() -> None:
    """With the right to read and nothing else, with an end, and once for each branch."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert re.findall(r"^permissions:\n((?: .*\n)+)", workflow, re.MULTILINE) == ["  contents: read\n"]
    assert re.search(r"^concurrency:\n  group: .*\n  cancel-in-progress: true$", workflow, re.MULTILINE)
    assert re.search(r"^    timeout-minutes: \d+", workflow, re.MULTILINE)
    assert re.findall(r"run: (.*)", workflow) == ["bash .ci/run"]
