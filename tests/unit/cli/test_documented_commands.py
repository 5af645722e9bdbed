"""The commands that the documentation shows exist, with these arguments and options."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetcaptain.cli.build import build
from fleetcaptain.localcluster.consent import LOSE_DATA
from tests.documented import PAGES, commands

ROOT = Path(__file__).resolve().parents[3]
CAPTAIN = [(page.name, words) for page in PAGES for words in commands(page, "captain")]
MAKE = [(page.name, words) for page in PAGES for words in commands(page, "make")]


@pytest.fixture
def understood(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], bool]:
    """Whether `captain` gets as far as to do the command with these words. It does nothing then."""
    captain = build()
    typers = [captain, *(group.typer_instance for group in captain.registered_groups)]
    done: list[str] = []

    def instead(of: Callable[..., object]) -> Callable[..., object]:
        return functools.wraps(of)(lambda *_, **__: done.append("done"))

    for info in (info for one in typers if one is not None for info in one.registered_commands):
        assert info.callback is not None
        monkeypatch.setattr(info, "callback", instead(info.callback))

    def run(words: list[str]) -> bool:
        done.clear()
        with pytest.raises(SystemExit) as ended:
            captain(words[1:], prog_name="captain")
        return ended.value.code == 0 and (bool(done) or "--help" in words)

    return run


def test_a_wrong_command_is_noticed(understood: Callable[[list[str]], bool]) -> None:
    """By its name, its options or its arguments."""
    for words in (["statuss"], ["status", "--wtach"], ["restart"], ["maintenance", "of", "m2"]):
        assert not understood(["captain", *words])
    assert understood(["captain", "status", "--watch"])


@pytest.mark.parametrize(("page", "words"), CAPTAIN)
def test_a_documented_command_is_understood(
    understood: Callable[[list[str]], bool], capsys: pytest.CaptureFixture[str], page: str, words: list[str]
) -> None:
    """As it stands there."""
    assert understood(words), (page, capsys.readouterr().err)


@pytest.mark.parametrize(("page", "words"), MAKE)
def test_a_documented_target_exists(page: str, words: list[str]) -> None:
    """With a line in `make help`; its variables are those of the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    for word in words[1:]:
        name, _, value = word.partition("=")
        if name == LOSE_DATA:
            continue  # a variable of the environment, as make passes all of its own on
        known = rf"\$\((?:if )?{name}[,)]|^{name} \?=" if value else rf"^{name}:.* ## "
        assert re.search(known, makefile, re.MULTILINE), (page, word)
