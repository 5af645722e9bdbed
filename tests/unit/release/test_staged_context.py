"""The copy of what a build with ``only`` sends: the same files on each computer, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.release.context_hash import context_hash
from fleetcaptain.release.staged_context import stage


@pytest.fixture
def context(tmp_path: Path) -> BuildContext:
    """Of the folder ``web`` of an app."""
    app = tmp_path / "app"
    for name in ("web/app.py", "web/run", "job/run.py", "Dockerfile"):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(name)
    (app / "web" / "run").chmod(0o755)
    (app / "web" / "link").symlink_to("app.py")
    return BuildContext(app, app / "Dockerfile", ("web",))


def files_of(copy: Path) -> dict[str, tuple[int, str]]:
    """Path -> mode and content, or the target of a link, of all below *copy*."""
    return {
        str(path.relative_to(copy)): (
            path.lstat().st_mode & 0o777,
            os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else "",
        )
        for path in copy.rglob("*")
    }


STAGED = {
    "Dockerfile": (0o644, "Dockerfile"),
    "web": (0o755, ""),
    "web/app.py": (0o644, "web/app.py"),
    "web/link": (0o777, "app.py"),
    "web/run": (0o755, "web/run"),
}


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_the_copy_has_the_files_with_the_modes_that_git_keeps(
    context: BuildContext, tmp_path: Path, umask: int
) -> None:
    """Whatever the umask of the checkout, and of the deployment."""
    for path in context.folder.rglob("*"):
        if not path.is_symlink():
            path.chmod((0o777 if path.stat().st_mode & 0o100 else 0o666) & ~umask)
    before = os.umask(umask)
    try:
        staged = stage(context, tmp_path / "copies")
    finally:
        os.umask(before)
    assert files_of(staged.folder) == STAGED
    assert staged.dockerfile == staged.folder / "Dockerfile"
    assert context_hash(staged) == context_hash(context)
    assert staged.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "change",
    [
        lambda app: (app / "web" / "app.py").write_text("web/bpp.py"),
        lambda app: (app / "web" / "run").chmod(0o644),
        lambda app: (app / "web" / "run").unlink(),
        lambda app: (app / "web" / "link").unlink(),
        lambda app: ((app / "web" / "link").unlink(), (app / "web" / "link").symlink_to("run")),
        lambda app: ((app / "web" / "link").unlink(), (app / "web" / "link").write_text("x")),
        lambda app: (
            (app / "web" / "app.py").unlink(),
            (app / "web" / "app.py").mkdir(),
            (app / "web/app.py/a").touch(),
        ),
        lambda app: (
            (app / "web" / "link").unlink(),
            (app / "web" / "run").unlink(),
            (app / "web/run").symlink_to("app.py"),
        ),
        lambda app: (app / "web" / "more" / "deep").mkdir(parents=True),
        lambda app: (app / "Dockerfile").write_text("FROM other"),
    ],
)
def test_a_change_makes_another_copy(context: BuildContext, tmp_path: Path, change: Callable[[Path], object]) -> None:
    """Also of a file of the same size and time. The first one stays as it is: another process may build from it."""
    first = stage(context, tmp_path / "copies").folder
    times = (context.folder / "web" / "app.py").stat()
    change(context.folder)
    os.utime(context.folder / "web" / "app.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    second = stage(context, tmp_path / "copies").folder
    assert {path.name for path in (tmp_path / "copies").iterdir()} == {first.name, second.name}
    assert files_of(first) == STAGED
    assert (files_of(second) == STAGED) is (first == second)


def test_the_same_files_are_the_same_copy(context: BuildContext, tmp_path: Path) -> None:
    """Steps of a build find the file's own time."""
    os.utime(context.folder / "web" / "app.py", (1_700_000_000, 1_700_000_000))
    staged = stage(context, tmp_path / "copies")
    os.utime(context.folder / "web" / "app.py")
    assert stage(context, tmp_path / "copies") == staged
    assert (staged.folder / "web" / "app.py").stat().st_mtime == 1_700_000_000
    assert [*(tmp_path / "copies").iterdir()] == [staged.folder]


def test_a_copy_that_was_not_used_for_a_day_is_removed(context: BuildContext, tmp_path: Path) -> None:
    """One of today stays."""
    copies = []
    for content in ("1", "2", "3"):
        (context.folder / "web" / "app.py").write_text(content)
        copies.append(stage(context, tmp_path / "copies").folder)
        if content == "2":
            os.utime(copies[0], (1_700_000_000, 1_700_000_000))
    assert {*(tmp_path / "copies").iterdir()} == {*copies[1:]}


def test_an_interrupted_removal_leaves_no_part_of_a_copy(
    context: BuildContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next deployment of these files copies all of them."""
    old = stage(context, tmp_path / "copies").folder
    os.utime(old, (1_700_000_000, 1_700_000_000))
    whole = files_of(old)
    (context.folder / "web" / "app.py").write_text("2")
    remove = shutil.rmtree

    def interrupted(folder: Path, **keywords: Any) -> None:
        if keywords:
            remove(folder, **keywords)
        else:
            (folder / "web" / "app.py").unlink()
            raise OSError("interrupted")

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    stage(context, tmp_path / "copies")
    (context.folder / "web" / "app.py").write_text("web/app.py")
    again = stage(context, tmp_path / "copies").folder
    assert (again, files_of(again)) == (old, whole)


@pytest.mark.parametrize("more", ["", "Dockerfile*\n"])
def test_a_dockerfile_with_its_own_ignore_file_is_built_without_what_that_excludes(
    context: BuildContext, tmp_path: Path, more: str
) -> None:
    """The builder prefers it to the ``.dockerignore`` of the folder, also where it excludes itself."""
    (context.folder / ".dockerignore").write_text("web/app.py\n")
    (context.folder / "Dockerfile.dockerignore").write_text(f"web/run\n{more}")
    for only in (("web",), ("**",)):
        staged = stage(BuildContext(context.folder, context.dockerfile, only), tmp_path / "copies")
        sent = {str(path.relative_to(staged.folder)) for path in BuildContext(staged.folder, staged.dockerfile).files()}
        assert "web/app.py" in sent
        assert "web/run" not in sent


def test_a_dockerfile_may_be_a_link_or_elsewhere(context: BuildContext, tmp_path: Path) -> None:
    """The builder reads what it leads to."""
    context.dockerfile.unlink()
    context.dockerfile.symlink_to("job/run.py")
    first = stage(context, tmp_path / "copies")
    assert first.dockerfile.read_text() == "job/run.py"
    (context.folder / "job" / "run.py").write_text("FROM other")
    assert stage(context, tmp_path / "copies").dockerfile.read_text() == "FROM other"
    elsewhere = BuildContext(context.folder / "web", context.folder / "Dockerfile", ("run",))
    staged = stage(elsewhere, tmp_path / "other")
    assert staged.dockerfile == elsewhere.dockerfile
    assert files_of(staged.folder).keys() == {"run"}


def test_a_link_to_what_is_not_sent_is_refused(context: BuildContext, tmp_path: Path) -> None:
    """The plugin would only say that it cannot open it."""
    (context.folder / "web" / "shared").symlink_to("../job/run.py")
    with pytest.raises(ReleaseRefused, match=r"web/shared -> \.\./job/run\.py: add its target to only="):
        stage(context, tmp_path / "copies")
    assert [*(tmp_path / "copies").iterdir()] == []


def test_a_file_that_cannot_be_copied_is_named(context: BuildContext, tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "copies").write_text("in the way")
    with pytest.raises(ReleaseRefused, match=r"Could not copy the files of Build\(only=...\) .* Nothing was changed"):
        stage(context, tmp_path / "copies")
