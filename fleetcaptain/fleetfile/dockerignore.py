"""Reads a ``.dockerignore``, and matches paths with its patterns as docker does."""

from __future__ import annotations

import functools
import itertools
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from fleetcaptain.printable import text_of

__all__ = ["excludes", "ignore_file", "ignored_lines", "is_sent"]

# What stands for more than itself in a pattern, but for `**`; inside of brackets it is the same in both languages.
_PARTS = {"*": "[^/]*", "?": "[^/]", "[": "[", "]": "]", "^": "^", "-": "-"}


def ignore_file(context: Path, dockerfile: Path) -> Path:
    """The ``.dockerignore`` that applies to *dockerfile*; it need not exist."""
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")  # takes the place of the other one
    return own if own.is_file() else context / ".dockerignore"


def ignored_lines(ignore: Path) -> list[str]:
    """The lines of the ``.dockerignore`` *ignore*; none when it does not exist."""
    return text_of(ignore.read_bytes()).removeprefix("\ufeff").splitlines() if ignore.is_file() else []


def excludes(lines: Iterable[str], path: PurePosixPath) -> bool:
    """Whether the *lines* of a ``.dockerignore`` surely exclude all of *path*, a folder. An exception (``!``)
    is assumed to take something of *path* in again, unless its part before the first wildcard is somewhere else."""
    excluded = False
    for pattern, is_exception in _patterns(lines):
        if not is_exception:
            below = path / "\0"  # what is called as no file is
            excluded = excluded or any(_matches(pattern, part) for part in (below, path, *path.parents))
        elif _overlaps(PurePosixPath(*itertools.takewhile(_is_plain, PurePosixPath(pattern).parts)), path):
            excluded = False
    return excluded


def is_sent(lines: Iterable[str], path: PurePosixPath) -> bool:
    """Whether *path*, a file, goes to the builder with these *lines* in the ``.dockerignore``: the last line decides
    that matches it, or a folder that it is in."""
    sent = True
    for pattern, is_exception in _patterns(lines):
        if any(_matches(pattern, part) for part in (path, *path.parents)):
            sent = is_exception
    return sent


def _patterns(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """(pattern, whether it is an exception) of each line, as moby/patternmatcher's ``ignorefile.ReadAll`` reads it."""
    for line in lines:
        text = line.strip()
        pattern = posixpath.normpath(text.removeprefix("!").strip()).lstrip("/")
        if text.strip("! ") and not line.startswith("#") and pattern:
            yield pattern, text.startswith("!")


def _matches(pattern: str, path: PurePosixPath) -> bool:
    """Whether *pattern* matches *path* itself. One that is no pattern, which the build then says, matches nothing."""
    try:
        return path != PurePosixPath() and _regex(pattern).fullmatch(str(path)) is not None
    except re.error:
        return False


@functools.cache
def _regex(pattern: str) -> re.Pattern[str]:
    """*pattern* as moby/patternmatcher's ``Pattern.compile`` translates it."""
    if pattern.startswith("**") and not re.search(r"[*?\[\]\\]", pattern[2:]):  # only its end is compared
        return re.compile(
            f"(?s:(?:.*/)?{re.escape(pattern[3:])})" if pattern[2:3] == "/" else f"(?s:.*{re.escape(pattern[2:])})"
        )
    parts = re.findall(r"\*\*/?|\\.|(?s:.)", pattern)
    translated = []
    for number, part in enumerate(parts):
        if part.startswith("**"):
            translated.append(".*" if number == len(parts) - 1 else "(?:.*/)?")
        else:
            translated.append(_PARTS.get(part, re.escape(part[-1])))
    return re.compile(f"(?s:{''.join(translated)})")


def _is_plain(part: str) -> bool:
    return not re.search(r"[*?\[\\]", part)


def _overlaps(one: PurePosixPath, other: PurePosixPath) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
