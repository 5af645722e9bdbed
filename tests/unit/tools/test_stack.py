"""Which stack a command works on, and when one that does not exist is created. A program stands in for Pulumi."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.__main__ import ask_on_terminal
from tools.project_layout import Layout, put
from tools.pulumi_stack import preview, select, up
from tools.tool_failure import ToolFailed

PULUMI = """#!/bin/sh
echo "$*" >> {calls}
case "$*" in
*"stack ls"*) echo '[{{"name": "prod"}}, {{"name": "trial"}}]';;
*--non-interactive) [ -e {stack} ] || {{ echo "{words}" >&2; exit 6; }};;
*--create*|*init*) : > {stack};;
*rm*) rm {stack};;
*preview*) exit ${{PREVIEW:-0}};;
*up*) echo up; echo error >&2; exit 3;;
esac
"""
MISSING = "error: no stack named 'x' found"


class Pulumi:
    """The stand-in: *stack* is there while the stack exists, *calls* is what it was asked."""

    def __init__(self, folder: Path, words: str = MISSING) -> None:
        self.stack, self._calls, self.folder = folder / "stack", folder / "calls", folder
        text = PULUMI.format(calls=self._calls, stack=self.stack, words=words)
        put(folder / "bin" / "pulumi", text.encode(), mode=0o755)

    def changes(self) -> list[str]:
        """What it was asked that changes something, or shows what would change."""
        asked = self._calls.read_text().splitlines()
        return [call for call in asked if "--non-interactive" not in call]


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulumi:
    """First on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return Pulumi(tmp_path)


def answering(answer: bool, questions: list[str]) -> Callable[[str], bool]:
    """A person who says *answer* to each question, which is put into *questions*."""

    def ask(question: str) -> bool:
        questions.append(question)
        return answer

    return ask


def test_a_stack_that_exists_is_selected(pulumi: Pulumi) -> None:
    """Nothing is asked."""
    pulumi.stack.touch()
    select("x", create=False, ask=None)
    assert pulumi.changes() == []


def test_a_mistyped_name_is_refused_without_a_terminal(pulumi: Pulumi) -> None:
    """It names the stacks that there are, and the word that creates one."""
    expected = r"x does not exist\. Existing stacks: prod, trial\. .*`make up STACK=x CREATE=1`"
    with pytest.raises(ToolFailed, match=expected):
        select("x", create=False, ask=None)
    with pytest.raises(ToolFailed, match=r"Nothing was changed.*`make preview STACK=x CREATE=1`"):
        preview("x", Layout(pulumi.folder), create=False, ask=None)
    assert pulumi.changes() == []


@pytest.mark.parametrize("says", [True, False])
def test_a_person_is_asked_about_a_stack_that_does_not_exist(pulumi: Pulumi, says: bool) -> None:
    """Only yes creates it."""
    questions: list[str] = []
    if says:
        select("x", create=False, ask=answering(says, questions))
    else:
        with pytest.raises(ToolFailed, match=r"^Nothing was changed\.$"):
            select("x", create=False, ask=answering(says, questions))
    assert questions == ["The stack x does not exist. Existing stacks: prod, trial. Create it?"]
    assert pulumi.stack.exists() is says


@pytest.mark.parametrize(("stack", "create"), [("dev", False), ("x", True)])
def test_the_default_stack_and_one_that_is_asked_for_are_created(pulumi: Pulumi, stack: str, create: bool) -> None:
    """The first command of a new user is one command."""
    select(stack, create=create, ask=None)
    assert pulumi.changes() == [f"stack select --create --stack {stack}"]


def test_an_unreachable_backend_is_no_missing_stack(tmp_path: Path, pulumi: Pulumi) -> None:
    """Nothing is created, and Pulumi's reason is passed on."""
    Pulumi(tmp_path, words="error: could not open the bucket")
    with pytest.raises(ToolFailed, match="could not open the bucket"):
        select("dev", create=True, ask=answering(True, []))
    assert pulumi.changes() == []


@pytest.mark.parametrize("status", [0, 255])
def test_a_preview_keeps_no_stack_that_it_created(pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Whether it fails or not. Settings that were there before stay."""
    monkeypatch.setenv("PREVIEW", str(status))
    layout = Layout(pulumi.folder)
    assert preview("x", layout, create=False, ask=answering(True, [])) == status
    put(layout.settings("dev"), b"")
    assert preview("dev", layout, create=False, ask=None) == status
    assert pulumi.changes() == [
        "stack init --no-select --stack x",
        "preview --stack x --diff",
        "stack rm --yes --stack x",
        "stack init --no-select --stack dev",
        "preview --stack dev --diff",
        "stack rm --yes --stack dev --preserve-config",
    ]


def test_a_preview_of_a_stack_that_exists_changes_nothing(pulumi: Pulumi) -> None:
    """Nor which stack is selected."""
    pulumi.stack.touch()
    assert preview("x", Layout(pulumi.folder), create=False, ask=None) == 0
    assert pulumi.changes() == ["preview --stack x --diff"]


def test_without_a_terminal_no_person_can_be_asked() -> None:
    """As here."""
    assert ask_on_terminal() is None


@pytest.mark.parametrize(("typed", "yes"), [("y", True), ("Yes", True), ("", False), ("n", False)])
def test_on_a_terminal_a_person_is_asked(monkeypatch: pytest.MonkeyPatch, typed: str, yes: bool) -> None:
    """Enter alone is no."""
    ours, theirs = os.openpty()
    with open(ours, "wb", buffering=0) as person, open(os.dup(theirs)) as stdin, open(theirs, "w") as stderr:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("sys.stderr", stderr)
        person.write(f"{typed}\n".encode())
        ask = ask_on_terminal()
        assert ask is not None
        assert ask("Create it?") is yes


def test_an_update_passes_its_output_and_its_status_on(pulumi: Pulumi) -> None:
    """Errors too, in their order."""
    lines: list[str] = []
    assert up("x", lines.append) == up("x") == 3
    assert lines == ["up", "error"]
    assert pulumi.changes() == ["up --stack x --yes"] * 2
