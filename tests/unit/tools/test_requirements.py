"""What the virtual environment is installed from: versions of pyproject.toml, and locks with hashes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tools.layout import Layout
from tools.pins import SOURCE_ONLY
from tools.profile import Profile
from tools.requirements import direct, lock_files, pinned

LAYOUT = Layout(Path(__file__).resolve().parents[3])
PYPROJECT = (LAYOUT.root / "pyproject.toml").read_text()
LOCKS = {file: pinned(file.read_text()) for file in lock_files(LAYOUT, Profile.TESTS)}


@pytest.mark.parametrize("profile", Profile)
def test_the_locks_have_the_versions_of_pyproject_toml(profile: Profile) -> None:
    """When this fails, run `make lock`."""
    locked = {entry for file in lock_files(LAYOUT, profile) for entry in LOCKS[file]}
    wanted = {
        requirement.split("[")[0] + requirement.partition("]")[2] if "[" in requirement else requirement
        for requirement in direct(PYPROJECT, profile.extras.split(","))
    }
    assert {requirement for requirement in wanted if "==" not in requirement} == set()
    assert wanted - locked == set(), "run `make lock`"


def test_every_entry_of_the_locks_has_hashes_and_no_place() -> None:
    """A place would be one index's, and everybody's has another one."""
    for entries in LOCKS.values():
        for entry in entries.values():
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry)
            assert "://" not in entry
            assert " @ " not in entry


def test_no_package_is_in_two_locks() -> None:
    """So one profile never changes what another one installed."""
    names = [name.partition("==")[0] for entries in LOCKS.values() for name in {*entries}]
    within = [{name.partition("==")[0] for name in entries} for entries in LOCKS.values()]
    assert len({*names}) == sum(map(len, within))


def test_the_locks_name_the_wheels_that_were_made_here() -> None:
    """Each package that is published as source only has one, and the project is built by the lock's own setuptools."""
    main = LOCKS[lock_files(LAYOUT, Profile.MAIN)[0]]
    wheels = {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in LAYOUT.python.glob("*.whl")}
    assert wheels.keys() == SOURCE_ONLY.keys()
    for name, wheel in wheels.items():
        entry = next(entry for requirement, entry in main.items() if requirement.startswith(f"{name}=="))
        assert re.findall(r"sha256:(\w+)", entry) == [hashlib.sha256(wheel.read_bytes()).hexdigest()]
    assert {*direct(PYPROJECT)} <= {*main}


def test_extras_of_pyproject_toml_may_name_one_another() -> None:
    """As `dev` does."""
    text = """
        [build-system]
        requires = ["setuptools==1"]
        [project]
        name = "shop"
        [project.optional-dependencies]
        cli = ["typer==2"]
        dev = ["shop[cli]", "pytest==3"]
    """
    assert direct(text, ["dev"]) == ("setuptools==1", "typer==2", "pytest==3")


def test_entries_of_a_lock_are_read_whole() -> None:
    """With the condition under which they hold; comments are none."""
    text = "# made\na==1 \\\n    --hash=sha256:00\nb==2 ; python_version < '3.12' \\\n    --hash=sha256:11\n"
    assert {name: entry.count("\n") for name, entry in pinned(text).items()} == {"a==1": 2, "b==2": 2}


def test_no_text_installs_the_package_by_its_name() -> None:
    """The project does not own its name on the public index: whoever registers it would be in every app's image."""
    texts = [*LAYOUT.root.glob("*.md"), *(LAYOUT.root / "docs").glob("*.md"), *(LAYOUT.root / "examples").rglob("*")]
    texts += [*(LAYOUT.root / "fleetcaptain").rglob("*.py"), *(LAYOUT.root / "components").rglob("*.py")]
    by_name = re.compile(r"pip install [^\n]*?(?<![\w/.-])fleetcaptain(\[\w+\])?(?![\w/.@-]| @)")
    assert by_name.search('pip install "fleetcaptain[cli]"')
    assert not by_name.search("pip install wheels/fleetcaptain-0.1.0-py3-none-any.whl")
    assert not by_name.search("pip install ./fleetcaptain")
    assert [text for text in texts if text.is_file() and by_name.search(text.read_text(errors="replace"))] == []
