"""What of a checkout of FleetCaptain itself must not get into an image: keys, Pulumi's state, git's history."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleet.project_files import STACKS

__all__ = ["excludes", "refuse_private_files"]

# Keys of clusters and Pulumi's state; what git knows; Pulumi's own folder with its access tokens; nothing an app needs.
_PRIVATE = (STACKS, ".git", ".tools", ".venv")


def refuse_private_files(context: Path, dockerfile: Path, project: Path) -> None:
    """Raises ReleaseRefused when the build context *context* has the checkout *project* in it and the ``.dockerignore``
    that applies to *dockerfile* does not exclude what is private there: all of a context goes to the builder."""
    if not project.is_relative_to(context):
        return
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")  # takes the place of the other one
    ignore = own if own.is_file() else context / ".dockerignore"
    lines = ignore.read_text().splitlines() if ignore.is_file() else []
    paths = [PurePosixPath(project.relative_to(context) / name) for name in _PRIVATE]
    missing = [str(path) for path in paths if not excludes(lines, path)]
    if missing:
        raise ReleaseRefused(
            f"The build context {context} contains this project, and with it keys and Pulumi's state. Nothing was "
            "changed:",
            [
                f"{ignore} does not exclude {', '.join(missing)}. Add these as its last lines, or move the app to a "
                "folder of its own (fleetcaptain:project)."
            ],
        )


def excludes(lines: Iterable[str], path: PurePosixPath) -> bool:
    """Whether the *lines* of a ``.dockerignore`` surely exclude all of *path*, a folder. Of an exception (``!``) with a
    wildcard it is assumed that it takes something of *path* in again."""
    excluded = False
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        pattern = text.removeprefix("!").strip().strip("/")
        if not text.startswith("!"):
            excluded = excluded or any(_matches(pattern, part) for part in (path, *path.parents))
        elif re.search(r"[*?\[\\]", pattern) or _overlaps(PurePosixPath(pattern), path):
            excluded = False
    return excluded


def _matches(pattern: str, path: PurePosixPath) -> bool:
    """Whether *pattern* fits *path*. One with ``[`` or a backslash is taken to fit nothing."""
    if path == PurePosixPath() or re.search(r"[\[\\]", pattern):
        return False
    words = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?)", pattern.removeprefix("./"))
    return re.fullmatch("".join(words.get(token, re.escape(token)) for token in tokens), str(path)) is not None


def _overlaps(one: PurePosixPath, other: PurePosixPath) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
