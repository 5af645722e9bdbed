"""One hash over all that a build sends to the builder, so that a saved plan is bound to the code."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fleetcaptain.release.build_context import excludes, ignore_file, ignored_lines, is_sent

__all__ = ["context_hash", "sent_files"]


def sent_files(context: Path, dockerfile: Path) -> Iterator[Path]:
    """The files and symbolic links of the folder *context* that go to the builder of *dockerfile*, which is one of
    them, in a fixed order."""
    lines = ignored_lines(ignore_file(context, dockerfile))
    for folder, folders, names in os.walk(context):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if not excludes(lines, _below(context, folder, name)))
        for name in sorted({*names, *links}):
            path = Path(folder) / name
            if path == dockerfile or is_sent(lines, _below(context, folder, name)):
                yield path
    if not dockerfile.is_relative_to(context):
        yield dockerfile


def context_hash(context: Path, dockerfile: Path) -> str:
    """The SHA-256, in hex, of the names, contents and executable bits of `sent_files`. Times and owners do not count.
    A file that cannot be read counts by its name: the build itself reports it."""
    total = hashlib.sha256()
    for path in sent_files(context, dockerfile):
        total.update(f"{os.path.relpath(path, context)}\0{_content(path)}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


def _below(context: Path, folder: str, name: str) -> PurePosixPath:
    return PurePosixPath((Path(folder) / name).relative_to(context))


def _content(path: Path) -> str:
    try:
        if path.is_symlink():
            return f"link {os.readlink(path)}"
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return "other"
        with path.open("rb") as file:
            return f"{'x' if mode & stat.S_IXUSR else '-'} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError:
        return "unreadable"
