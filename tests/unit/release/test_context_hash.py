"""The hash of a build's files changes with what the builder gets, and with nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.release.context_hash import context_hash


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A folder with an ignored folder and file."""
    for name in ("src/main.py", "cache/big", "notes.txt", "Dockerfile"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".dockerignore").write_text("cache\n*.txt\nDockerfile\n")
    return tmp_path


def hashed(context: Path) -> str:
    """Its hash."""
    return context_hash(BuildContext(context, context / "Dockerfile"))


@pytest.mark.parametrize(
    "change",
    [
        lambda context: (context / "src" / "main.py").write_text("other"),
        lambda context: (context / "src" / "main.py").chmod(0o755),
        lambda context: (context / "src" / "main.py").rename(context / "src" / "other.py"),
        lambda context: (context / "src" / "more.py").touch(),
        lambda context: (context / "src" / "main.py").unlink(),
        lambda context: (context / "link").symlink_to("src"),
        lambda context: (context / "Dockerfile").write_text("FROM other"),
        lambda context: (context / ".dockerignore").write_text("cache\n"),
    ],
)
def test_what_the_builder_gets_counts(context: Path, change: Callable[[Path], object]) -> None:
    """Contents, names, executable bits, links, the Dockerfile even if it is ignored."""
    before = hashed(context)
    change(context)
    assert hashed(context) != before


def test_what_is_ignored_and_times_do_not_count(context: Path) -> None:
    """Nor does the path of the folder."""
    before = hashed(context)
    (context / "cache" / "big").write_text("other")
    (context / "notes.txt").unlink()
    os.utime(context / "src" / "main.py", (0, 0))
    assert hashed(context) == before
    assert hashed(context.rename(context.parent / "moved")) == before


def test_a_dockerfile_outside_counts(context: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It goes to the builder as well."""
    dockerfile = tmp_path_factory.mktemp("other") / "Dockerfile"
    dockerfile.write_text("FROM a")
    before = context_hash(BuildContext(context, dockerfile))
    dockerfile.write_text("FROM b")
    assert context_hash(BuildContext(context, dockerfile)) != before


def test_only_the_chosen_files_and_the_dockerfile_count(context: Path) -> None:
    """Of those that are not ignored."""

    def chosen() -> str:
        return context_hash(BuildContext(context, context / "Dockerfile", ("src", "*.txt")))

    (context / "docs").mkdir()
    before = chosen()
    (context / "docs" / "page.md").write_text("other")
    (context / "notes.txt").write_text("other")
    assert chosen() == before
    (context / "Dockerfile").write_text("FROM other")
    assert chosen() != before
    before = chosen()
    (context / "src" / "more.py").touch()
    assert chosen() != before
