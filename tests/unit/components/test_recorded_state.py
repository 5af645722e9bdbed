"""What the state has of a stack, also while the engine writes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components.engine.recorded_state import recorded_resources

_EMPTY = Exception("invoke of pulumi:pulumi:readStackResourceOutputs failed: failed to load checkpoint: EOF")
_OTHER = Exception("no such stack")
_FOUND = {"urn:a::b::web": {"type": "image", "outputs": {"digest": "1"}}, "urn:a::b::s": {"type": "x", "outputs": {}}}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Pulumi answers, one call after the other; the last answer stays."""
    found: list[Any] = []

    def invoke(_token: str, _args: object) -> object:
        answer = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(value={"outputs": answer})

    monkeypatch.setattr(pulumi.runtime, "invoke", invoke)
    return found


def test_a_state_that_is_being_written_is_read_again(answers: list[Any]) -> None:
    """A reader finds its file empty at times, in each update."""
    slept: list[float] = []
    answers.extend([_EMPTY, _EMPTY, _FOUND])
    assert recorded_resources({"image"}, sleep=slept.append) == {("image", "web"): {"digest": "1"}}
    assert slept == [0.25, 0.25]


@pytest.mark.parametrize(("error", "tries"), [(_EMPTY, 40), (_OTHER, 1)])
def test_a_state_that_cannot_be_read_is_an_error(answers: list[Any], error: Exception, tries: int) -> None:
    """At once, unless it may be the engine's writing."""
    slept: list[float] = []
    answers.append(error)
    with pytest.raises(Exception, match=str(error)):
        recorded_resources({"image"}, sleep=slept.append)
    assert len(slept) == tries - 1
