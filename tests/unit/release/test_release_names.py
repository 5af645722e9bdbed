"""What a release is called: the name is true of what is built, and comes back from etcd as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.discovery.documents import Release
from fleetcaptain.discovery.keys import release_key
from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleetfile.values import Build
from fleetcaptain.release import git as git_module
from fleetcaptain.release.release_name import Naming, ReleaseName, release_name
from fleetcaptain.release.repository import read_manifests
from tests.fakes.fake_etcd import FakeEtcd
from tests.programs import program


def git(folder: Path, *argv: str | bytes) -> None:
    """Run git there, with a name for commits."""
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run([program("git"), *who, *argv], cwd=folder, check=True, capture_output=True)


def test_the_release_is_named_as_configured_or_after_its_commit(tmp_path: Path) -> None:
    """What has no name of its own, a changed folder or one without git, is completed by its contents."""
    assert release_name("v1", tmp_path) == ReleaseName("v1")
    assert release_name(None, tmp_path) == ReleaseName("dev", Naming.CONTENTS)
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    git(tmp_path, "tag", "v2")
    assert release_name(None, tmp_path) == ReleaseName("v2", Naming.COMMIT)
    (tmp_path / "file").write_text("")
    git(tmp_path, "add", "file")
    assert release_name("", tmp_path) == ReleaseName("v2-dirty", Naming.CONTENTS)


def test_a_release_without_a_name_of_its_own_has_a_hash_of_its_contents() -> None:
    """The same contents have the same name, whatever their order; others have another."""
    dev = ReleaseName("dev", Naming.CONTENTS)
    assert dev.tag({"a": "1", "b": "2"}, {}) == dev.tag({"b": "2", "a": "1"}, {})
    assert dev.tag({"a": "1", "b": "2"}, {}) != dev.tag({"a": "2", "b": "1"}, {})
    assert dev.tag({"a": "1"}, {}).startswith("dev-")
    assert ReleaseName("v1").tag({"a": "1"}, {"v1": {"a": "2"}}) == "v1"


def test_a_second_release_of_a_commit_has_a_hash_of_its_contents() -> None:
    """As after another value of a secret. The first one keeps the commit's name; each has the same name again."""
    name, first, second = ReleaseName("v1", Naming.COMMIT), {"web": "1"}, {"web": "2"}
    hashed = name.with_hash(second)
    assert name.tag(first, {}) == "v1"
    assert name.tag(first, {"v1": first, hashed: second}) == "v1"
    assert hashed == name.tag(second, {"v1": first}) == name.tag(second, {"v1": first, hashed: second}) != "v1"
    # The first one was removed since, as old ones are.
    assert name.tag(second, {hashed: second}) == hashed


# git takes all of these for tags.
GIT_TAGS = [
    "_v2",
    "v1.0#x",
    "%2e%2e%2fcurrent",
    "v" * 129,
    "ü",
    "v\x9b31m",
    "\u202ev",
    "a/_b",
    "@scope/app",
    "v1;x",
    "$(x)",
]


@pytest.mark.parametrize(
    "tag",
    [*GIT_TAGS, "a b", "v1?x", "v/../../current", "v1..2", "v1/", "a//b", "a/./b", "v1\n", "\x1b[31m", "v1\ud800"],
)
def test_a_tag_that_is_no_key_is_refused(tag: str, tmp_path: Path) -> None:
    """etcd would hide it, or take it for something else, or a terminal would."""
    with pytest.raises(ReleaseRefused, match="is not a valid release name") as refused:
        release_name(tag, tmp_path)
    assert "Change fleetcaptain:release." in str(refused.value)
    assert str(refused.value).replace("\n", "").isprintable()


@pytest.mark.parametrize("tag", ["v1.0", "a/b", "v1.0/x", "app@1.0", "1+2", "V-1_2", "v" * 128])
def test_a_tag_is_a_name(tag: str, tmp_path: Path) -> None:
    """Whether it is configured or git's."""
    assert release_name(tag, tmp_path) == ReleaseName(tag)
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    # With room for a hash.
    git(tmp_path, "tag", tag[:120])
    assert release_name(None, tmp_path) == ReleaseName(tag[:120], Naming.COMMIT)


@pytest.mark.parametrize("tag", [*GIT_TAGS, b"v\x9b31m"])
def test_a_tag_of_git_that_is_no_key_is_refused(tag: str | bytes, tmp_path: Path) -> None:
    """With the way out; also where the folder was changed."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    git(tmp_path, "tag", tag)
    for name in ("", "file"):
        if name:
            (tmp_path / name).write_text("")
            git(tmp_path, "add", name)
        with pytest.raises(ReleaseRefused, match="is not a valid release name") as refused:
            release_name(None, tmp_path)
        assert "pulumi config set fleetcaptain:release TAG" in str(refused.value)
        assert str(refused.value).replace("\n", "").isprintable()


@pytest.fixture(autouse=True)
def _git_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """git has no settings but this one."""
    settings = tmp_path_factory.mktemp("home") / "gitconfig"
    settings.write_text("[protocol.file]\n\tallow = always\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A monorepo with the app in ``shop``, as it was tagged v1: its own image, one of ``worker``, and a Fleetfile that
    reads ``shared.py`` beside it and ``common.json`` above."""
    top = tmp_path_factory.mktemp("original")
    files = {
        ".gitignore": "*.log\nignored/\n__pycache__/\n",
        "README.md": "",
        "common.json": "{}",
        "blog/app.py": "",
        "shop/.dockerignore": "*\n!src\n**/__pycache__\n**/*.py[co]\n",
        "shop/Dockerfile": "FROM scratch\n",
        "shop/Fleetfile.py": "",
        "shop/shared.py": "",
        "shop/README.md": "",
        "shop/src/app.py": "1",
        "shop/src/link": "app.py",
        "shop/worker/Dockerfile": "FROM scratch\n",
        "shop/worker/job.py": "",
    }
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    (top / "shop/src/link").unlink()
    (top / "shop/src/link").symlink_to("app.py")
    git(top, "init", "-q")
    commit(top)
    git(top, "tag", "v1")
    return top


@pytest.fixture
def repository(original: Path, tmp_path: Path) -> Path:
    """A copy of the monorepo of its own."""
    return Path(shutil.copytree(original, tmp_path / "repository", symlinks=True))


def commit(top: Path) -> None:
    """Commit all there is."""
    git(top, "add", "--all")
    git(top, "commit", "-q", "--allow-empty", "-m", "more")


def named(top: Path) -> ReleaseName:
    """What the release of the app in the repository is called."""
    sources = tuple(top / name for name in ("shop/Fleetfile.py", "shop/shared.py", "common.json"))
    return release_name(None, top / "shop", (Build(), Build("worker")), (*sources, Path("/etc/hosts")))


V1, DIRTY = ReleaseName("v1", Naming.COMMIT), ReleaseName("v1-dirty", Naming.CONTENTS)


@pytest.mark.parametrize(
    "name",
    [
        "shop/src/new.py",
        "shop/src/x.log",  # ignored by git, but not by docker
        "shop/src/ignored/deep/x",
        "shop/src/\u00fc b\nc",
        "shop/src/\udcff",
        "shop/src/-n",
        "shop/src/:(top)x",
        "shop/src/*",
        "shop/worker/new.py",
        "shop/worker/__pycache__/job.pyc",  # its context has no .dockerignore
        "shop/worker/.dockerignore",
        "shop/Dockerfile.dockerignore",
    ],
)
def test_a_file_that_git_does_not_have_is_no_part_of_the_commit(repository: Path, name: str) -> None:
    """When it goes into an image, or decides what does. Once it is committed it is, under another name. It is named."""
    file = repository / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x")
    assert named(repository) == DIRTY
    assert (
        "The release is named v1-dirty-... because these files differ from the commit: shop/"
        in named(repository).notice
    )
    git(repository, "add", "--force", "--all")
    assert named(repository) == DIRTY
    git(repository, "commit", "-q", "-m", "more")
    assert named(repository).base.startswith("v1-1-g")
    assert named(repository).exact


_DEPLOYED = (
    "shop/Dockerfile",
    "shop/.dockerignore",
    "shop/Fleetfile.py",
    "shop/shared.py",
    "common.json",
    "shop/src/app.py",
    "shop/src/link",
    "shop/worker/job.py",
    "shop/worker/Dockerfile",
)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *((name, "edited") for name in _DEPLOYED),
        *(("shop/src/app.py", change) for change in ("staged", "deleted", "removed", "executable", "linked", "folder")),
        ("shop/Fleetfile.py", "executable"),
        ("shop/src/link", "linked"),
        ("shop/worker/Dockerfile", "staged"),
    ],
)
def test_a_file_that_differs_from_the_commit_makes_another_release(repository: Path, name: str, change: str) -> None:
    """In its contents, its kind or its mode."""
    file = repository / name
    if change == "executable":
        file.chmod(0o755)
    else:
        file.unlink()
    if change in ("edited", "staged"):
        file.write_text("x")
    if change == "linked":
        file.symlink_to("other")
    if change == "folder":
        file.mkdir()
        (file / "new").touch()
    if change in ("staged", "removed"):
        git(repository, "add", "--all")
    assert named(repository) == DIRTY


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "blog/app.py",
        "blog/new.py",
        "new.py",
        "shop/README.md",
        "shop/notes.txt",
        "shop/other.py",
        "shop/src/__pycache__/app.pyc",
        "shop/src/a/b.pyo",
        "shop/ignored/x",
        "shopping/src/x",
    ],
)
def test_what_is_not_deployed_changes_nothing(repository: Path, name: str) -> None:
    """Elsewhere in the repository, or kept out of the images."""
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text("x")
    assert named(repository) == V1
    git(repository, "add", "--all")
    assert named(repository) == V1
    assert named(repository).notice == ""


def test_the_same_contents_are_clean(repository: Path) -> None:
    """However old the files are, and with folders without files, which git does not know."""
    os.utime(repository / "shop/src/app.py", (1, 1))
    (repository / "shop/src/empty/deep").mkdir(parents=True)
    assert named(repository) == V1


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_what_git_was_asked_not_to_look_at_counts(repository: Path, flag: str) -> None:
    """A change of it would not be seen."""
    git(repository, "update-index", flag, "README.md")
    assert named(repository) == V1
    git(repository, "update-index", flag, "shop/src/app.py")
    assert named(repository) == DIRTY


@pytest.mark.parametrize(
    "setting",
    ["status.showUntrackedFiles=no", "status.renames=copies", "diff.ignoreSubmodules=all", "core.quotePath=true"],
)
def test_the_settings_of_git_hide_nothing(repository: Path, setting: str) -> None:
    """Whatever suits those who read its output."""
    git(repository, "config", *setting.split("="))
    assert named(repository) == V1
    (repository / "shop/src/moved.py").write_bytes((repository / "shop/src/app.py").read_bytes())
    assert named(repository) == DIRTY


def test_line_ends_are_as_git_has_them(repository: Path) -> None:
    """With core.autocrlf and filters, files are what a checkout of the commit makes of them here."""
    (repository / ".gitattributes").write_text("*.py text eol=crlf\n")
    commit(repository)
    git(repository, "tag", "v2")
    (repository / "shop/src/app.py").write_bytes(b"1\r\n")
    git(repository, "add", "--all")
    git(repository, "commit", "-q", "-m", "ends")
    git(repository, "tag", "v3")
    assert named(repository) == ReleaseName("v3", Naming.COMMIT)


def test_a_context_outside_of_the_repository_is_no_part_of_it(repository: Path) -> None:
    """Also by a link, and in another repository."""
    outside = repository.parent / "outside"
    outside.mkdir()
    (outside / "Dockerfile").touch()
    git(outside, "init", "-q")
    commit(outside)
    (repository / "shop/out").symlink_to(outside)
    commit(repository)
    git(repository, "tag", "v2")
    assert named(repository) == ReleaseName("v2", Naming.COMMIT)
    for context in ("../../outside", "out"):
        assert not release_name(None, repository / "shop", (Build(context),)).exact


def test_a_repository_in_a_context_counts_as_a_file(repository: Path) -> None:
    """git has nothing of it."""
    (repository / "shop/src/nested").mkdir()
    git(repository / "shop/src/nested", "init", "-q")
    assert named(repository) == DIRTY


@pytest.fixture
def with_submodule(repository: Path) -> Path:
    """The repository with a submodule in the context, tagged v1 as well; and one elsewhere."""
    library = repository.parent / "library"
    library.mkdir()
    (library / "lib.py").touch()
    (library / ".gitignore").write_text("*.log")
    git(library, "init", "-q")
    commit(library)
    for place in ("shop/src/lib", "blog/lib"):
        git(repository, "submodule", "add", "-q", str(library), place)
    commit(repository)
    git(repository, "tag", "--force", "v1")
    assert named(repository) == V1
    return repository


@pytest.mark.parametrize("name", ["lib.py", "new.py", "x.log"])
def test_files_of_a_submodule_count(with_submodule: Path, name: str) -> None:
    """As those of the repository do, also the ignored ones."""
    for place in ("blog/lib", "shop/src/lib"):
        assert named(with_submodule) == V1
        (with_submodule / place / name).write_text("x")
    assert named(with_submodule) == DIRTY


def test_a_submodule_at_another_commit_counts(with_submodule: Path) -> None:
    """And one that is not checked out: its files are missing in the image."""
    git(with_submodule / "shop/src/lib", "commit", "-q", "--allow-empty", "-m", "more")
    assert named(with_submodule) == DIRTY
    git(with_submodule, "submodule", "update", "-q", "shop/src/lib")
    assert named(with_submodule) == V1
    git(with_submodule, "submodule", "deinit", "-q", "--force", "shop/src/lib")
    assert named(with_submodule) == DIRTY
    git(with_submodule, "submodule", "deinit", "-q", "--force", "blog/lib")
    git(with_submodule, "submodule", "update", "-q", "--init", "shop/src/lib")
    assert named(with_submodule) == V1


def test_a_context_in_a_submodule_counts(with_submodule: Path) -> None:
    """The name is that of the outer commit."""
    (with_submodule / "shop/src/lib/Dockerfile").touch()
    assert not release_name(None, with_submodule / "shop", (Build("src/lib"),)).exact
    (with_submodule / "shop/src/lib/Dockerfile").unlink()
    assert release_name(None, with_submodule / "shop", (Build("src/lib"),)) == V1


def test_a_worktree_is_a_repository(repository: Path) -> None:
    """Its ``.git`` is a file."""
    git(repository, "worktree", "add", "-q", "--detach", str(repository.parent / "other"), "v1")
    assert named(repository.parent / "other") == V1
    (repository.parent / "other/shop/src/new").touch()
    assert named(repository.parent / "other") == DIRTY
    assert named(repository) == V1


def test_without_a_commit_there_is_no_name(tmp_path: Path) -> None:
    """The contents make one."""
    git(tmp_path, "init", "-q")
    assert release_name(None, tmp_path) == ReleaseName("dev", Naming.CONTENTS)


def _garbage(top: Path) -> None:
    head = (top / ".git/HEAD").read_text().split()[1]
    (top / ".git" / head).write_text("garbage\n")


def _objects_lost(top: Path) -> None:
    for file in [path for path in (top / ".git/objects").rglob("*") if path.is_file()]:
        file.unlink()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda top: (top / ".git/HEAD").unlink(), "not a git repository"),
        (lambda top: (top / ".git/config").write_text("[x"), "bad config"),
        (_garbage, "HEAD"),
        (_objects_lost, "fatal: "),
    ],
)
def test_a_failure_of_git_is_said(repository: Path, harm: Callable[[Path], object], words: str) -> None:
    """In its own words, with what to do. Only where there is no repository the contents make the name."""
    harm(repository)
    with pytest.raises(ReleaseRefused) as refused:
        named(repository)
    assert words in str(refused.value)
    assert f"Could not name the release after the commit of {repository}" in str(refused.value)
    assert "pulumi config set fleetcaptain:release TAG" in str(refused.value)
    assert release_name("v2", repository / "shop") == ReleaseName("v2")


def test_a_folder_of_another_user_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in containers of continuous integration. After what git asks for it works."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ReleaseRefused) as refused:
        named(repository)
    assert "dubious ownership" in str(refused.value)
    assert f"git config --global --add safe.directory {repository}" in str(refused.value)
    git(repository, "config", "--global", "--add", "safe.directory", str(repository))
    assert named(repository) == V1


def test_a_repository_that_went_away_is_said(tmp_path: Path) -> None:
    """As of a worktree or a submodule, whose ``.git`` names it."""
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(ReleaseRefused, match="not a git repository: /nowhere"):
        release_name(None, tmp_path)


def test_a_repository_needs_git(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without one does not."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ReleaseRefused, match="No such file or directory: 'git'"):
        named(repository)
    assert release_name(None, tmp_path) == ReleaseName("dev", Naming.CONTENTS)


def test_a_git_that_hangs_or_prints_anything_is_said(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are no text are escapes."""
    (tmp_path / "git").write_text("#!/bin/sh\nprintf 'fatal: caf\\351\\n' >&2\nexit 1\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ReleaseRefused, match=r"fatal: caf\\xe9"):
        named(repository)
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 9\n")
    monkeypatch.setattr(git_module, "_TIMEOUT_SEC", 0.1)
    with pytest.raises(ReleaseRefused, match="timed out"):
        named(repository)


TAG = st.from_regex(r"[A-Za-z0-9._/+@#%:?_ -]{1,140}", fullmatch=True) | st.text(max_size=9)


@given(TAG)
def test_a_tag_that_is_taken_comes_back_the_same(tag: str) -> None:
    """From etcd, under its own key, where listings see it. Any other is refused before."""
    try:
        name = release_name(tag, Path("/nowhere"))
    except ReleaseRefused:
        return
    if not tag:
        return
    store = FakeEtcd().store
    store.write(release_key("shop", name.tag({}, {})), Release(tag, {}).to_json())
    assert [manifest.tag for manifest in read_manifests(store, "shop")] == [tag]


def test_a_name_that_is_completed_has_to_fit(tmp_path: Path) -> None:
    """Not only the part that git gives."""
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    git(tmp_path, "tag", "v" * 115)
    (tmp_path / "new").touch()
    with pytest.raises(ReleaseRefused, match="128 letters"):
        release_name(None, tmp_path)
