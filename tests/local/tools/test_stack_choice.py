"""Stacks that do not exist, with the real Pulumi: what it says of them is what `tools.pulumi_stack` decides from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.programs import program
from tools.project_layout import Layout
from tools.pulumi_stack import preview, select
from tools.shell import answer
from tools.tool_failure import ToolFailed


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A project whose language does not exist, so each preview fails."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: none\n")
    (tmp_path / "state").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{program('pulumi').parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
    return Layout(tmp_path)


def stacks() -> dict[str, bool]:
    """Each stack, and whether it is the selected one."""
    found, said = answer(["pulumi", "stack", "ls", "--json"])
    assert found, said
    return {stack["name"]: stack["current"] for stack in json.loads(said)}


def test_a_mistyped_stack_is_refused_and_one_that_is_asked_for_is_created(layout: Layout) -> None:
    """The default one is created at once, and a second time found."""
    for _ in range(2):
        select("dev", create=False, ask=None)
    with pytest.raises(ToolFailed, match=r"trail does not exist\. Existing stacks: dev\."):
        select("trail", create=False, ask=None)
    assert stacks() == {"dev": True}
    select("trial", create=True, ask=None)
    assert stacks() == {"dev": False, "trial": True}
    assert layout.settings("trial").exists()


def test_a_preview_leaves_no_stack_and_no_settings(layout: Layout) -> None:
    """And the stack that was selected stays it."""
    select("dev", create=False, ask=None)
    assert preview("trial", layout, create=True, ask=None) != 0
    assert stacks() == {"dev": True}
    assert not layout.settings("trial").exists()
