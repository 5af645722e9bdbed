"""What the virtual environment is installed from: versions of pyproject.toml, and locks with hashes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.pins import DOCKER_BUILD, SOURCE_ONLY
from tools.profile import Profile
from tools.project_layout import Layout
from tools.requirements import direct, lock_files, pinned

LAYOUT = Layout(Path(__file__).resolve().parents[3])
PYPROJECT = (LAYOUT.root / "pyproject.toml").read_text()
LOCKS = {file: pinned(file.read_text()) for file in lock_files(LAYOUT, Profile.TESTS)}


def locked_for(profile: Profile) -> dict[str, str]:
    """Package -> the version that *profile* installs on this computer."""
    versions: dict[str, str] = {}
    for file in lock_files(LAYOUT, profile):
        for entry in LOCKS[file].values():
            requirement = Requirement(entry.partition("\\")[0])
            if applies(requirement, {""}):
                versions[canonicalize_name(requirement.name)] = next(iter(requirement.specifier)).version
    return versions


def required_by(package: Distribution, extras: set[str]) -> list[Requirement]:
    """What *package* with *extras* requires on this computer."""
    return [one for one in map(Requirement, package.requires or ()) if applies(one, extras)]


def applies(requirement: Requirement, extras: set[str]) -> bool:
    """Whether a package with *extras* has *requirement* on this computer."""
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def needed(installed: Mapping[str, Distribution]) -> dict[str, set[str]]:
    """Package -> its extras that the project, or another package of *installed*, asks for; and the empty one."""
    extras = {name: {""} for name in installed}
    waiting = [Requirement(text) for text in direct(PYPROJECT, ["dev"])]
    waiting += [one for name in installed for one in required_by(installed[name], {""})]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in installed and not requirement.extras <= extras[name]:
            extras[name] |= requirement.extras
            waiting += required_by(installed[name], extras[name])
    return extras


@pytest.mark.parametrize("profile", Profile)
def test_the_locks_hold_a_version_in_each_range_of_pyproject_toml(profile: Profile) -> None:
    """When this fails, run `make lock`."""
    locked = locked_for(profile)
    required = [Requirement(text) for text in direct(PYPROJECT, profile.extras.split(","))]
    assert required
    missing = {str(one) for one in required if not one.specifier.contains(locked.get(canonicalize_name(one.name), ""))}
    assert missing == set(), "run `make lock`"


def test_the_locks_hold_all_that_their_packages_require() -> None:
    """So an installation asks an index for nothing else. What a package requires is read from where it is installed."""
    locked = locked_for(Profile.TESTS)
    installed = {name: distribution(name) for name in locked}
    assert {name: found.version for name, found in installed.items()} == locked, "run `make venv`"
    for name, extras in needed(installed).items():
        for requirement in required_by(installed[name], extras):
            version = locked.get(canonicalize_name(requirement.name), "")
            assert requirement.specifier.contains(version, prereleases=True), f"{name} requires {requirement}"


def test_the_sdk_and_the_built_plugin_have_one_version() -> None:
    """The SDK asks the engine for the plugin of its own version."""
    assert locked_for(Profile.MAIN)["pulumi-docker-build"] == DOCKER_BUILD.version


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
    sources = {requirement.partition("==")[0]: requirement for requirement in SOURCE_ONLY}
    assert wheels.keys() == sources.keys()
    for name, wheel in wheels.items():
        entry = main[sources[name]]
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
