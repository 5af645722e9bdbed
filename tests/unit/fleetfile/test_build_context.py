"""Which files of a folder a build with ``only`` sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.fleetfile.values import Build
from tests.unit.fleetfile.written import mistakes, service

FILES = ("Dockerfile", "README.md", "web/app.py", "web/static/a.css", "lib/x.py", "lib/x.pyc", "job/run.py")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with parts of two services."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".dockerignore").write_text("**/*.pyc\n")
    return tmp_path


@pytest.mark.parametrize(
    ("only", "sent"),
    [
        ((), {*FILES, ".dockerignore"} - {"lib/x.pyc"}),
        (("web", "lib"), {"Dockerfile", "web/app.py", "web/static/a.css", "lib/x.py"}),
        (("web/*.py",), {"Dockerfile", "web/app.py"}),
        (("**/*.py",), {"Dockerfile", "web/app.py", "lib/x.py", "job/run.py"}),
        (("/job/",), {"Dockerfile", "job/run.py"}),
        (("**",), {*FILES, ".dockerignore"} - {"lib/x.pyc"}),
    ],
)
def test_the_dockerfile_and_what_a_pattern_matches_are_sent(app: Path, only: tuple[str, ...], sent: set[str]) -> None:
    """Without what is ignored."""
    files = BuildContext.of(app, Build(only=only)).files()
    assert {str(path.relative_to(app)) for path in files} == sent


def test_a_pattern_that_matches_only_ignored_files_is_a_mistake(app: Path) -> None:
    """Its image would lack them. The others of the list are right."""
    (mistake,) = mistakes(app, 'Service("web", image=Build(only=["web/", "lib/*.pyc"]))')
    assert "web': image: Build(only=...): 'lib/*.pyc': " in mistake
    assert mistake.endswith(f"{app / '.dockerignore'} excludes every file that it matches; change one of them")


def test_a_pattern_of_files_beside_the_folder_is_a_mistake(app: Path) -> None:
    """No builder sends them."""
    (mistake,) = mistakes(app, 'Service("web", image=Build(only=["../x", "web"]))')
    assert "'../x': is outside the build's folder; name files below it, or choose another folder for Build" in mistake


def test_patterns_that_match_are_kept(app: Path) -> None:
    """As they are, normalised."""
    image = service(app, 'image=Build(only=["web/", "./lib/*.py"])').image
    assert image == Build(only=("lib/*.py", "web"))
