"""Unit text is read, written and hashed as fleet 1.0.0 does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.errors import UnitRefused
from fleetcaptain.units.unit_text import Option, parse, serialize
from tests.fakes.unit_texts import canonical, unit_hash

# Computed by fleet 1.0.0's own unit.NewUnitFile(text).Hash(); null where it returned an error.
CASES = json.loads((Path(__file__).parent / "golden" / "fleet-contents.json").read_text())
PIECES = [
    "[",
    "]",
    "[A]\n",
    "[B]\n",
    "N=v\n",
    "=",
    "a",
    "é",
    "\\",
    "\\\n",
    "\n",
    " ",
    "\t",
    "#",
    ";",
    "\r",
    "\x1c",
    "\xa0",
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"][:40]))
def test_content_is_the_hash_that_fleet_computes(case: dict[str, str | None]) -> None:
    """Each text has the SHA1 that fleet's own code gave it, or is refused where that code gave an error."""
    text = str(case["text"])
    if case["content"] is None:
        with pytest.raises(UnitRefused):
            unit_hash(text)
    else:
        assert unit_hash(text) == case["content"]


def test_sections_stand_in_order_of_first_appearance_with_their_options_together() -> None:
    """A section that is opened twice is written once, with its options in the order they were given."""
    assert canonical("[B]\nx=1\n[A]\ny=2\n[B]\nz=3\n") == "[B]\nx=1\nz=3\n\n[A]\ny=2\n"


def test_a_continued_value_keeps_its_lines() -> None:
    """The line ends of a continued value belong to the value."""
    assert parse("[S]\nX=a \\\n  b\nY=1\n") == (Option("S", "X", "a \\\n  b"), Option("S", "Y", "1"))


def test_values_are_written_without_outer_space() -> None:
    """What fleet would trim on reading is trimmed on writing, else every comparison would differ."""
    assert serialize([Option("S", "X", "  v\t")]) == "[S]\nX=v\n"


@pytest.mark.parametrize(
    "option",
    [
        Option("S", "X", "a\nExecStop=b"),
        Option("S", "X", "a \\\nb\nc"),
        Option("S", "#X", "a"),
        Option("S", ";X", "a"),
        Option("S", "[X", "a"),
        Option("S", "X=Y", "a"),
        Option("S", " X", "a"),
        Option("S", "X\nY", "a"),
    ],
)
def test_an_option_that_would_not_come_back_is_refused(option: Option) -> None:
    """A line end without a backslash before it, or a name that reads as something else, is not written."""
    with pytest.raises(UnitRefused, match="cannot be written"):
        serialize([option])


@given(st.lists(st.sampled_from(PIECES), max_size=14).map(lambda pieces: "[S]\n" + "".join(pieces)))
def test_the_canonical_form_is_stable(text: str) -> None:
    """What fleet has read, written and read once more it never changes again, so that equal units compare equal."""
    try:
        stored = canonical(canonical(text))
    except UnitRefused:
        return
    assert canonical(stored) == stored
