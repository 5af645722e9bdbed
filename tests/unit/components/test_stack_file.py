"""The stack's configuration file: which of its values are in clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.stack_file import clear_paths, read_stack_file
from tests.fakes.fake_engine import STACK, FakeEngine

KEY = "fleetcaptain:registryLogins"
FILE = f"""\
config:
  {KEY}:
    ghcr.io:
      user: acme
      password:
        secure: v1:abc
    quay.io:
      password: s3cret
"""


def read() -> Any:
    """What a program of the stack reads in the current folder."""
    found = []
    FakeEngine().run(lambda: found.append(read_stack_file()))
    return found[0]


def test_what_is_not_encrypted_is_in_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its path in the setting."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"Pulumi.{STACK}.yaml").write_text(FILE)
    assert clear_paths(read(), KEY) == {(KEY, "ghcr.io", "user"), (KEY, "quay.io", "password")}
    assert clear_paths(read(), "fleetcaptain:other") == frozenset()


@pytest.mark.parametrize("text", [None, "", "config: [", "config: x", "[]", f"config: {{'{KEY}': }}"])
def test_a_file_without_the_setting_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    """The engine reports one that it cannot read."""
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / f"Pulumi.{STACK}.yaml").write_text(text)
    assert clear_paths(read(), KEY) == frozenset()


def test_a_whole_setting_may_be_a_text() -> None:
    """In clear, or encrypted as a whole."""
    assert clear_paths({"config": {KEY: "{}"}}, KEY) == {(KEY,)}
    assert clear_paths({"config": {KEY: {"secure": "v1:abc"}}}, KEY) == frozenset()
