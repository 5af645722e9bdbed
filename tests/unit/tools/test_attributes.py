"""Attribute files that a killed Pulumi left empty."""

from __future__ import annotations

from pathlib import Path

from tools.attributes import drop_empty_attributes


def test_only_empty_ones_are_removed(tmp_path: Path) -> None:
    """Wherever they are in the state; the files that they belong to stay."""
    texts = {"stacks/p/dev.json": "{}", "stacks/p/dev.json.attrs": "", "stacks/p/other.json.attrs": "{}"}
    for path, text in texts.items():
        file = tmp_path / ".pulumi" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert drop_empty_attributes(tmp_path) == ("dev.json",)
    left = {str(file.relative_to(tmp_path / ".pulumi")) for file in tmp_path.rglob("*") if file.is_file()}
    assert left == set(texts) - {"stacks/p/dev.json.attrs"}


def test_a_state_that_is_not_there_yet_has_none(tmp_path: Path) -> None:
    """As before the first stack."""
    assert drop_empty_attributes(tmp_path) == ()
