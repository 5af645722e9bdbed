"""docs/fleetfile.md has every word of the language, and its examples are Fleetfiles."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.fleetfile.dsl import Fleetfile, Service
from fleetcaptain.fleetfile.values import Alive, BlueGreen, Build, Command, Http, Rolling, SecretFile, Tcp, Window
from fleetcaptain.release.context_hash import context_hash

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


def write_files(folder: Path) -> None:
    """Write the files that the examples build from."""
    for name in ("Dockerfile", "README.md", "logs/Dockerfile", "web/server.py", "worker/main.py", "lib/shared.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


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
        write_files(folder)
        (folder / "Fleetfile.py").write_text(example)
        assert load(folder).services


@pytest.mark.parametrize(
    ("edited", "restarted"),
    [
        ("web/server.py", {"web", "admin"}),
        ("lib/shared.py", {"web", "admin", "worker"}),
        ("logs/Dockerfile", {"logs"}),
        ("README.md", set()),
    ],
)
def test_an_edit_concerns_the_services_that_the_page_says(tmp_path: Path, edited: str, restarted: set[str]) -> None:
    """In its example of several images."""
    section = TEXT.partition("\n## One image or several\n")[2]
    (example,) = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    write_files(tmp_path)
    (tmp_path / "Fleetfile.py").write_text(example)

    def hashes() -> dict[str, str]:
        builds = {spec.name: spec.image for spec in load(tmp_path).services}
        return {
            name: context_hash(BuildContext.of(tmp_path, build))
            for name, build in builds.items()
            if isinstance(build, Build)
        }

    before = hashes()
    (tmp_path / edited).write_text("other")
    assert {name for name, found in hashes().items() if found != before[name]} == restarted
