"""Reads an app's git repository: the name of the commit, and the files that differ from it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.printable import last_lines, text_of

__all__ = ["Commit", "changed_files", "commit_of"]

_TIMEOUT_SEC = 60
_LINES = 8
_SUBMODULE = "160000"
# A preview changes nothing, and git's error messages are shown as they are.
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_ALL_FILES = ("--no-renames", "--untracked-files=all", "--ignored=traditional", "--ignore-submodules=none")


@dataclass(frozen=True)
class Commit:
    """The commit that is checked out in the folder *top*, and its *name* from ``git describe``."""

    top: Path
    name: str


def commit_of(folder: Path) -> Commit | None:
    """The commit of the repository that contains *folder*; None without a repository or a commit. Raises ReleaseRefused
    when git fails in a repository."""
    if "GIT_DIR" not in os.environ and not any((place / ".git").exists() for place in (folder, *folder.parents)):
        return None
    top = Path(os.fsdecode(_git(folder, "rev-parse", "--show-toplevel").removesuffix(b"\n")))
    head = dict(_headers(_git(top, "status", "--porcelain=v2", "--branch", "--untracked-files=no", "-z", "--", ".git")))
    if head.get("branch.oid") == "(initial)" and head.get("branch.head") != "(unknown)":
        return None
    return Commit(top, text_of(_git(top, "describe", "--tags", "--always").removesuffix(b"\n")))


def changed_files(top: Path, places: Sequence[Path], counts: Callable[[Path], bool]) -> list[Path]:
    """The files below *places* for which *counts* holds and that differ from the commit of the repository *top*:
    changed, deleted, not tracked or ignored, also those that git is configured to overlook. A nested repository, or a
    submodule that is not checked out, counts as one file. Raises ReleaseRefused when git fails."""
    found = [place for place in places if not place.is_relative_to(top)]
    submodules: list[Path] = []
    for flag, mode, path in _tracked(top):
        file = top / path
        if not any(_meet(file, place) for place in places):
            continue
        if mode == _SUBMODULE:
            submodules.append(file)
        elif flag != "H":  # git is configured to skip it (assume-unchanged, skip-worktree), or it has a conflict
            found.append(file)
    for is_as_committed, path in _status(top, [*places, *submodules]):
        if not (is_as_committed and top / path in submodules):
            found.append(top / path)
    for submodule in submodules:
        if (submodule / ".git").exists():
            near = [max(place, submodule) for place in places if _meet(place, submodule)]
            found += changed_files(submodule, near, counts)
        else:
            found.append(submodule)
    return sorted({file for file in found if counts(file)})


def _meet(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _tracked(top: Path) -> Iterator[tuple[str, str, str]]:
    """(flag, mode, path) of each tracked file."""
    for entry in _entries(_git(top, "ls-files", "-v", "--stage", "-z")):
        facts, _, path = entry.partition("\t")
        flag, mode, *_ = facts.split(" ")
        yield flag, mode, path


def _status(top: Path, places: Sequence[Path]) -> Iterator[tuple[bool, str]]:
    """(whether it is a submodule at the recorded commit, path) of each file that differs from the commit."""
    names = [str(place.relative_to(top)) for place in places if place.is_relative_to(top)]
    if not names:
        return
    for entry in _entries(_git(top, "status", "--porcelain=v2", "-z", *_ALL_FILES, "--", *names)):
        kind, _, rest = entry.partition(" ")
        if kind == "1":
            state, submodule, *_, path = rest.split(" ", 7)
            yield state == ".M" and "C" not in submodule, path
        elif kind == "u":
            yield False, rest.split(" ", 9)[-1]
        elif kind in ("?", "!"):
            yield False, rest


def _headers(output: bytes) -> Iterator[tuple[str, str]]:
    for entry in _entries(output):
        if entry.startswith("# "):
            name, _, value = entry[2:].partition(" ")
            yield name, value


def _entries(output: bytes) -> list[str]:
    """The entries of *output*, each of which ends with a zero byte; file names have any other bytes."""
    return os.fsdecode(output).split("\0")[:-1]


def _git(folder: Path, *arguments: str) -> bytes:
    """Run git and return its output. Raises ReleaseRefused with git's message when it fails."""
    argv = ["git", "--literal-pathspecs", *arguments]
    try:
        done = subprocess.run(
            argv, cwd=folder, env={**os.environ, **_ENVIRONMENT}, capture_output=True, check=False, timeout=_TIMEOUT_SEC
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(folder, str(error)) from error
    if done.returncode != 0:
        raise _failed(
            folder, last_lines(text_of(done.stderr), _LINES) or f"git failed with exit code {done.returncode}"
        )
    return done.stdout


def _failed(folder: Path, reason: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"Could not name the release after the commit of {folder}. Nothing was changed. git says:",
        [
            *reason.splitlines(),
            "Fix the repository, or name the release with `pulumi config set fleetcaptain:release TAG`.",
        ],
    )
