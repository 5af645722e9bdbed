"""What reaches a terminal can neither drive it nor hide anything, and stays readable."""

from __future__ import annotations

import sys
import time
import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.printable import COLOUR_MARK, excerpt, one_line, printable, unprintable

HARMFUL: tuple[Literal["Cc", "Cf", "Cs", "Zl", "Zp"], ...] = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Unicode calls them format characters too, but they are seen: signs before a number, as in Arabic.
SEEN = set(map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)))
# Persian with a joiner in a word, Hindi, Greek and Chinese.
WORDS = "\u0645\u06cc\u200c\u062e\u0648 \u0928\u092e\u0938\u094d\u0924\u0947 \u0395\u03bb 字 é \u0600\u0661"
JOINERS = {"\u200c", "\u200d"}
ODD = "<{% }>ab\n\t\r\0\x1b\x7f\x9b\u200b\u200c\u200d\u202e\u2028\u2066\ufeff\ud800\udfffé字👩💻"
TEXTS = st.text() | st.text(st.sampled_from(ODD), max_size=40) | st.text(st.characters(categories=HARMFUL))


@given(TEXTS)
def test_nothing_of_it_is_harmful(text: str) -> None:
    """Whatever the text."""
    shown = printable(text)
    assert {char for char in shown if unicodedata.category(char) in HARMFUL} <= SEEN | JOINERS | {"\n", "\t"}
    assert COLOUR_MARK not in shown
    shown.encode()


@given(TEXTS)
def test_a_second_time_changes_nothing(text: str) -> None:
    """So a text that passes two ways out is shown as by one."""
    assert printable(printable(text)) == printable(text)
    assert one_line(printable(text)) == one_line(text) == printable(one_line(text))


@given(TEXTS)
def test_what_it_changes_is_named(text: str) -> None:
    """By its escape, in the text that is shown."""
    assert bool(unprintable(text)) == (printable(text) != text.replace(COLOUR_MARK, "<{ %"))
    assert all(escape in printable(text) for escape in unprintable(text))


def test_every_character_is_shown_or_escaped_as_unicode_classifies_it() -> None:
    """All of them: a newer Python may know more of them."""
    every = list(map(chr, range(sys.maxunicode + 1)))
    harmful = {char for char in every if unicodedata.category(char) in HARMFUL} - SEEN - {"\n", "\t"}
    assert [ascii(char) for char in harmful if printable(char) == char] == []
    others = {char for char in every if unicodedata.category(char) != "Cn"} - harmful
    assert [ascii(char) for char in others if printable(char) != char] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;cm0gLXJm\x07", r"\x1b]52;c;cm0gLXJm\x07"),
        ("a\rb\0\x7f\x9b31m", r"a\rb\x00\x7f\x9b31m"),
        ("user\u202etxt.exe\u2066\u200b", r"user\u202etxt.exe\u2066\u200b"),
        ("one\u2028two\u2029\ud800", r"one\u2028two\u2029\ud800"),
        ("<{% if a %}div{% endif %}>", "<{ % if a %}div{% endif %}>"),
        ("<{%<{%reset%}>", "<{ %<{ %reset%}>"),
        ("<\x1b{%", r"<\x1b{%"),
        ("a\u200db \u200d👩 👩\u200d\u200d💻", r"a\u200db \u200d👩 👩\u200d\u200d💻"),
        ("flag \U000e0067", r"flag \U000e0067"),
        ("👩\u200d💻 ❤\ufe0f\u200d🔥 🇫🇷 👍🏽", "👩\u200d💻 ❤\ufe0f\u200d🔥 🇫🇷 👍🏽"),
        (WORDS, WORDS),
        ("two\n\tlines 100 % {%x%} <{ a", "two\n\tlines 100 % {%x%} <{ a"),
    ],
)
def test_texts_as_they_are_shown(text: str, shown: str) -> None:
    """The review's strings, and what people write."""
    assert printable(text) == shown


def test_a_cell_has_no_second_line() -> None:
    """It would read as a row of its own."""
    assert one_line("v1\nv2\tcurrent") == r"v1\nv2\tcurrent"


def test_an_excerpt_is_the_end_and_says_what_was_cut() -> None:
    """However much another program says."""
    assert excerpt(["first", "x" * 1500, "last"], 2) == [f"{'x' * 500}... (1,000 more characters)", "last"]


def test_a_long_text_takes_no_longer_than_its_length() -> None:
    """Joiners and marks without end make nothing quadratic."""
    for part in ("<{%", "\u200d", "👩\u200d", "\x1b", "plain text "):
        began = time.process_time()
        printable(part * 100_000)
        short = time.process_time() - began
        began = time.process_time()
        printable(part * 1_000_000)
        assert time.process_time() - began < 40 * max(short, 0.001)
