"""Commands are written so that systemd reads back exactly the words that went in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import Expand
from fleetcaptain.printable import COLOUR_MARK
from fleetcaptain.units.quoting import Expanded, continued, exec_line, folded, joined, setting, shell_line
from fleetcaptain.units.unit_text import Option, parse, serialize
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
    text = serialize([Option("S", "X", shell_line(lines)), Option("S", "Y", "1")])
    shell, flag, script = command(parse(text)[0].value)
    assert (shell, flag) == ("/bin/sh", "-c")
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
    for value in (exec_line(words), continued([words, words]), shell_line(words)):
        assert COLOUR_MARK not in value


def test_only_the_mark_is_written_in_another_way() -> None:
    """All other texts stay byte for byte, so that no running service differs."""
    assert exec_line(["T=<{% if a %}x{% endif %}>"]) == r"'T=\x3c{%% if a %%}x{%% endif %%}>'"
    assert exec_line(["a<b>{%x%} <{ <"]) == "'a<b>{%%x%%} <{ <'"


@given(st.lists(st.text(st.sampled_from("ab \t\n'\"\\$%{}<>;#=-é"), max_size=900), min_size=1, max_size=4))
def test_a_long_line_is_continued_and_read_the_same(words: list[str]) -> None:
    """fleet takes lines of less than 2,048 bytes; a blank becomes a line end that systemd reads as the blank."""
    value = folded("ExecStart", continued([["/bin/x"], *([word] for word in words), words]))
    assert command(value) == ["/bin/x", *words, *words]
    text = serialize([Option("Service", "ExecStart", value), Option("Service", "X", "1")])
    assert command(parse(text)[0].value) == ["/bin/x", *words, *words]
    for line in text.split("\n"):
        assert len(line.encode()) < 2048 or max(len(part.encode()) for part in re.split(r" (?![\s#;])", line)) > 900


@given(st.text(st.sampled_from("ab '\"$%"), min_size=3000, max_size=9000))
def test_a_script_of_any_length_fits(script: str) -> None:
    """As long as it has blanks; one that is short enough stays byte for byte."""
    words = ["sh", "-c", script.replace("a", "a b")]
    value = folded("ExecStart", exec_line(["/bin/x", *words]))
    assert command(value) == ["/bin/x", *words]
    assert folded("X", "a b") == "a b"
    assert folded("X", "a \\\n  b") == "a \\\n  b"


def test_a_line_is_never_continued_into_a_comment() -> None:
    """Nor after a backslash, which would be one with that of the line's end."""
    for end in ("#bbbbbbbbb", ";bbbbbbbbb", "\tbbbbbbbbb"):
        assert folded("X", f"{'a' * 1995} {end}") == f"{'a' * 1995} {end}"
    assert folded("X", "a" * 1998 + "\\ b") == "a" * 1998 + "\\ b"
    assert folded("X", "a b " + "c" * 1996) == "a b\\\n" + "c" * 1996


def test_a_text_that_is_expanded_has_letters_too() -> None:
    """A backslash and quotes are letters of it; in one word with others, those stay letters."""
    env = {"A": "1 2"}
    assert command(exec_line([Expand("\\%p\t'${A}\"$$%%")]), {"p": "web"}, env) == ["\\web\t'1 2\"$%"]
    assert command(exec_line([joined("%i=$${A}", Expand("%p${A}"))]), {"p": "web"}, env) == ["%i=$${A}web1 2"]
    assert command(exec_line([joined("%i", "${A}")])) == ["%i${A}"]
    assert (setting(Expand("50%% %i")), setting("50% %i")) == ("50%% %i", "50%% %%i")
