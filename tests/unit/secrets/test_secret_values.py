"""Which values are possible, and what is said of the others."""

from __future__ import annotations

import pytest

from fleetcaptain.secrets.secret_value import LONGEST_BYTES, value_mistake


@pytest.mark.parametrize(
    "value", ["x", " ", "a\nb\n", "a\tb", "'\"$%\\`!#", "é漢😀", "x" * LONGEST_BYTES, "-----BEGIN\n"]
)
def test_possible_values(value: str) -> None:
    """Quotes, line ends, and letters of all languages."""
    assert not value_mistake(value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "empty"),
        ("s3cr3t" + "x" * LONGEST_BYTES, "at most 65536"),
        ("é" * (LONGEST_BYTES // 2 + 1), "65538 bytes"),
        ("s3cr3t\r\n", "carriage return"),
        ("s3cr3t\0", "control character"),
        ("s3cr3t\x1b[0m", "control character"),
        ("s3cr3t\ufffd", "not UTF-8"),
    ],
)
def test_impossible_values_are_explained_without_being_shown(value: str, why: str) -> None:
    """systemd would leave such a variable out, or Pulumi's configuration has changed it already."""
    mistake = value_mistake(value)
    assert why in mistake
    assert "s3cr3t" not in mistake
