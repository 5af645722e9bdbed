"""What containers, etcd and other programs say reaches a terminal through the real Pulumi, and harms nothing."""

from __future__ import annotations

import pytest

from tests.local.terminal.hostile import ERRORS, SHOWN
from tests.local.terminal.session import Screen, Session


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A stack without anything in it."""
    return Session.make(tmp_path_factory.mktemp("terminal"), "tests.local.terminal.hostile")


def harmless(screen: Screen) -> None:
    """Pulumi did not panic, and nothing but its own controls came to the terminal."""
    assert "panic" not in screen.output, screen.text
    assert "goroutine" not in screen.output, screen.text
    assert screen.raw == ()
    assert "\x1b[41m" not in screen.output
    assert "\x1b[38;5;" in screen.output, "Pulumi shows no colours, so it would not have panicked either"


def test_messages_and_outputs_are_shown(session: Session) -> None:
    """The program's log, the provider's status and warning, and an output of the stack."""
    screen = session.pulumi("up", "--yes", "--skip-preview", HOSTILE="fine")
    harmless(screen)
    assert screen.code == 0
    for said in ("remark", "warned", "warning"):
        assert f"{said} {SHOWN}" in screen.text
    assert "endpoint <{ % if a %}" in screen.text


def test_a_difference_is_shown(session: Session) -> None:
    """What was read on the cluster, line by line, against a text of ours that has a template's marks in a command."""
    screen = session.pulumi("preview", "--refresh", "--diff", HOSTILE="fine")
    harmless(screen)
    assert screen.code == 0
    assert f"- Other={SHOWN}" in screen.text
    assert r"ExecStart=/bin/echo '\x3c{%% if a %%}div{%% endif %%}>'" in screen.text
    assert f"diff {SHOWN}" in screen.text


@pytest.mark.parametrize("name", [*ERRORS, "refused"])
def test_an_error_is_shown(session: Session, name: str) -> None:
    """A provider's, a half-done operation's, one that no one expected, and the program's own."""
    screen = session.pulumi("up", "--yes", "--skip-preview", HOSTILE=name)
    harmless(screen)
    assert screen.code != 0
    assert SHOWN in screen.text.partition("Diagnostics:")[2].replace(f"warning {SHOWN}", "").replace(
        f"warned {SHOWN}", ""
    )
