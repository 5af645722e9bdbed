"""Commands are written so that systemd reads back exactly the words that went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.errors import UnitRefused
from fleetcaptain.printable import COLOUR_MARK
from fleetcaptain.units.quoting import Expanded, continued, exec_line, shell_line
from fleetcaptain.units.text import Option, parse, serialize
from tests.unit.units.systemd import command

WORDS = st.lists(st.text(st.sampled_from("ab \t\n\r'\"\\$%{}<>;#=-é"), max_size=8), min_size=1, max_size=5)


@given(WORDS)
def test_words_survive_systemd_and_fleet(words: list[str]) -> None:
    """Any words, whatever systemd's special characters in them, come back after fleet stored and systemd split them."""
    text = serialize([Option("Service", "ExecStart", "/bin/x " + exec_line(words)), Option("Service", "X", "1")])
    assert command(parse(text)[0].value) == ["/bin/x", *words]


@given(WORDS, WORDS)
def test_grouped_words_survive_too(one: list[str], other: list[str]) -> None:
    """Groups stand on lines of their own and make one command."""
    text = serialize([Option("S", "X", continued([["/bin/x"], ["-a", *one], ["-b", *other]])), Option("S", "Y", "1")])
    assert command(parse(text)[0].value) == ["/bin/x", "-a", *one, "-b", *other]


@given(st.lists(st.text(st.sampled_from("ab '\"\\$%{}<>=\t\n"), max_size=8).map("x".__add__), min_size=1, max_size=4))
def test_a_script_reaches_the_shell_as_written(lines: list[str]) -> None:
    """Only the line ends between the script's lines become blanks."""
    text = serialize([Option("S", "X", shell_line(lines, "zero", "o'ne")), Option("S", "Y", "1")])
    shell, flag, script, *arguments = command(parse(text)[0].value)
    assert (shell, flag, arguments) == ("/bin/sh", "-c", ["zero", "o'ne"])
    assert [part for part in script.split(" ") if part] == [part for part in " ".join(lines).split(" ") if part]


def test_expanded_words_are_left_to_systemd() -> None:
    """A specifier and a variable that are meant are expanded; the same text as a plain word is not."""
    line = exec_line([Expanded("%p-%i"), Expanded("${IMAGE}"), "%p", "${IMAGE}"])
    assert command(line, {"p": "a", "i": "1"}, {"IMAGE": "img"}) == ["a-1", "img", "%p", "${IMAGE}"]


def test_a_nul_byte_is_refused() -> None:
    """No command line can carry one."""
    with pytest.raises(UnitRefused, match="NUL"):
        exec_line(["a\0b"])


@given(st.lists(st.text(st.sampled_from("<{%}>a'\\"), max_size=9), min_size=1, max_size=4))
def test_nothing_in_a_command_is_a_colour_to_pulumi(words: list[str]) -> None:
    """Pulumi prints the texts of units, and panics at a colour that it does not know. systemd reads the same words."""
    for value in (exec_line(words), continued([words, words]), shell_line(words, *words)):
        assert COLOUR_MARK not in value
    assert command(shell_line(["x"], *words))[3:] == words


def test_only_the_mark_is_written_in_another_way() -> None:
    """All other texts stay byte for byte, so that no running service differs."""
    assert exec_line(["T=<{% if a %}x{% endif %}>"]) == r"'T=\x3c{%% if a %%}x{%% endif %%}>'"
    assert exec_line(["a<b>{%x%} <{ <"]) == "'a<b>{%%x%%} <{ <'"
