"""docs/fleetfile.md has every word of the language, and its examples are Fleetfiles."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.dsl import Fleetfile, Service
from fleetcaptain.fleetfile.values import Alive, BlueGreen, Build, Command, Http, Rolling, SecretFile, Tcp, Window

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "fleetfile.md").read_text()
REQUIRED = "required"
INNER = (Http, Tcp, Command, Alive, Build, Rolling, BlueGreen, Window, SecretFile)


def documented(section: str) -> dict[str, str]:
    """Keyword -> default, as the tables of a section have them."""
    body = re.split(r"^## ", TEXT.partition(f"\n## {section}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return {
        word: default.strip("`") for word, default in re.findall(r"^\| `([a-zA-Z0-9_.]+)` \| ([^|]+?) \|", body, re.M)
    }


def keywords(word: type) -> dict[str, str]:
    """Keyword -> default, as the code has them."""
    parameters = inspect.signature(word).parameters.values()
    return {
        parameter.name: repr(parameter.default).replace("'", '"')
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def test_every_keyword_of_a_service_is_there_with_its_default() -> None:
    """And no other."""
    assert documented("Service") == keywords(Service)


def test_every_keyword_of_the_fleetfile_is_there() -> None:
    """Mandatory ones are marked as required."""
    assert documented("Fleetfile") == {**keywords(Fleetfile), "app": REQUIRED, "services": REQUIRED}


def test_every_word_inside_of_a_keyword_is_there_with_its_default() -> None:
    """Checks, builds and rollouts."""
    found = {**documented("Ready"), **documented("Alive"), **documented("Build"), **documented("Rollout")}
    found |= documented("Scale") | documented("Secret files")
    fields = {f"{word.__name__}.{field.name}": field.default for word in INNER for field in dataclasses.fields(word)}
    assert found == {
        name: REQUIRED if default is dataclasses.MISSING else repr(default).replace("'", '"')
        for name, default in fields.items()
    }


@pytest.mark.parametrize("document", ["docs/fleetfile.md", "README.md"])
def test_each_example_is_a_fleetfile(document: str, tmp_path: Path) -> None:
    """It loads without a mistake."""
    examples = [
        block
        for block in re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
        if "Fleetfile(" in block
    ]
    assert examples
    for number, example in enumerate(examples):
        folder = tmp_path / str(number)
        for built in (folder, folder / "logs"):
            built.mkdir()
            (built / "Dockerfile").touch()
        (folder / "Fleetfile.py").write_text(example)
        assert load(folder).services
