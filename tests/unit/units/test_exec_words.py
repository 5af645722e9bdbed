"""The words that systemd reads in a line: the inverse of `quoting`."""

from __future__ import annotations

import random
import subprocess

import pytest

from fleetcaptain.errors import UnitRefused
from fleetcaptain.units.exec_words import FIXED_SPECIFIERS, exec_words, shell_word, unknown_in
from fleetcaptain.units.quoting import Expanded, continued, exec_line, folded

LETTERS = "ab '\"\\$%{}<;#\n\t=é:/@-"


def words_of(value: str, **specifiers: str) -> tuple[str, ...]:
    """The words of *value* in a unit with these specifiers, in which every variable is the machine's."""
    return exec_words(value, {**FIXED_SPECIFIERS, **specifiers}, {})


def test_each_line_that_is_written_is_read_back() -> None:
    """Whatever its words are, on one line or many."""
    chance = random.Random(4)  # noqa: S311 - no secret
    for _ in range(2000):
        words = ["".join(chance.choices(LETTERS, k=chance.randrange(8))) for _ in range(chance.randrange(1, 5))]
        assert words_of(exec_line(words)) == tuple(words)
        assert words_of(continued([words, words])) == (*words, *words)


def test_a_line_that_is_continued_in_a_word_is_read_as_one_blank() -> None:
    """As fleet's limit on lines requires."""
    word = " ".join(["x" * 50] * 100)
    value = folded("ExecStart", exec_line(["/bin/echo", word]))
    assert "\\\n" in value
    assert words_of(value) == ("/bin/echo", word)


def test_specifiers_are_those_of_the_unit() -> None:
    """What only the machine knows is marked."""
    value = exec_line([Expanded("%n-%i-%%"), Expanded("%H:${A}${B}$$"), "%n"])
    assert words_of(value, n="web@1.service", i="1") == ("web@1.service-1-%", "\0%H\0:\0A\0\0B\0$", "%n")
    assert [unknown_in(word) for word in words_of(exec_line([Expanded("%H"), Expanded("${A}"), "$A"]))] == [
        False,
        True,
        False,
    ]


def test_a_known_variable_is_replaced() -> None:
    """An unknown one stays the machine's."""
    assert exec_words("${A} x${B}", FIXED_SPECIFIERS, {"A": "1 2"}) == ("1 2", "x\0B\0")


@pytest.mark.parametrize("value", ["/bin/echo %q", "/bin/echo $LIST", "/bin/echo 'open"])
def test_what_only_systemd_can_replace_is_refused(value: str) -> None:
    """And a line that it cannot read either."""
    with pytest.raises(UnitRefused, match="Cannot read the command"):
        words_of(value)


@pytest.mark.parametrize(
    ("value", "word"),
    [(r"\x41\101\u0041", "AAA"), (r"a\sb\tc", "a b\tc"), (r"\q", r"\q"), ("'a'\"b\"c", "abc"), ("''", "")],
)
def test_escapes_are_systemds(value: str, word: str) -> None:
    """Also those that `quoting` does not write."""
    assert words_of(value) == (word,)


def test_a_shell_on_the_machine_sees_the_same_words() -> None:
    """Its environment has the variables, whose values are no words of the shell's."""
    words = ["it's", 'a "b" $HOME `x`', "\0A\0", "p-\0A\0-\0%H\0", "", "*", "\n"]
    line = " ".join(map(shell_word, words))
    done = subprocess.run(
        ["sh", "-c", f"for word in {line}; do printf '%s\\0' \"$word\"; done"],
        env={"A": "$(false) '\"", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    host = subprocess.run(["uname", "-n"], capture_output=True, check=True).stdout.decode().strip()
    seen = done.stdout.decode().split("\0")[:-1]
    assert seen == ["it's", 'a "b" $HOME `x`', "$(false) '\"", f"p-$(false) '\"-{host}", "", "*", "\n"]
