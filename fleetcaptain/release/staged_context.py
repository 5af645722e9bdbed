"""A copy of exactly the files that a build with ``only`` sends, for a builder that takes a whole folder."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleet.private_folder import private_folder
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.release.context_hash import context_hash

__all__ = ["stage"]

_FOLDER, _PROGRAM, _FILE = 0o755, 0o755, 0o644
# No build takes as long.
_KEPT_SEC = 86_400


def stage(context: BuildContext, copies: Path) -> BuildContext:
    """Make a folder in *copies* that has the files of *context* and nothing else; the context of the copy.

    The copy is named after its contents, so no other process changes it while a builder reads it, and the same files
    are the same folder. Modes are those that git keeps, so that the umask of a checkout makes no other image. Copies
    that were not used for a day are removed. Raises ReleaseRefused for a link whose target is not sent, and for a file
    that cannot be read.
    """
    try:
        private_folder(copies)
        made = Path(tempfile.mkdtemp(prefix=".", dir=copies))
        try:
            _fill(context, made)
            _refuse_lost_links(context, made)
            copy = copies / context_hash(_moved(context, made))
            with suppress(OSError):  # it is there already
                made.rename(copy)
            os.utime(copy)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        _remove_unused(copies)
    except OSError as error:
        raise ReleaseRefused(
            f"Could not copy the files of Build(only=...) in {context.folder} to {copies}. Nothing was changed:",
            [f"{error}. Correct it, or exclude the file in {context.ignore}."],
        ) from error
    return _moved(context, copy)


def _moved(context: BuildContext, folder: Path) -> BuildContext:
    """*context* with its files in *folder*; a Dockerfile in another folder stays there."""
    dockerfile = context.dockerfile
    if dockerfile.is_relative_to(context.folder):
        dockerfile = folder / dockerfile.relative_to(context.folder)
    return replace(context, folder=folder, dockerfile=dockerfile)


def _fill(context: BuildContext, copy: Path) -> None:
    for source in context.files():
        if not source.is_relative_to(context.folder):
            continue  # the Dockerfile, in another folder
        target = copy / source.relative_to(context.folder)
        for folder in reversed(target.parents):
            if folder.is_relative_to(copy) and not folder.exists():
                folder.mkdir()
                folder.chmod(_FOLDER)
        # The builder reads the Dockerfile itself, and not what it may link to.
        if source.is_symlink() and source != context.dockerfile:
            target.symlink_to(os.readlink(source))
        elif source.is_file():
            _copy(source, target)
    # Where it excludes itself, the builder would take the `.dockerignore` of the folder instead.
    if (copy / ".dockerignore").is_file() and context.ignore.is_relative_to(context.folder):
        _copy(context.ignore, copy / context.ignore.relative_to(context.folder))


def _copy(source: Path, target: Path) -> None:
    facts = source.stat()
    shutil.copyfile(source, target)
    target.chmod(_PROGRAM if facts.st_mode & stat.S_IXUSR else _FILE)
    # Programs of a build compare times.
    os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


def _remove_unused(copies: Path) -> None:
    for copy in copies.iterdir():
        with suppress(OSError):  # another process is faster
            if time.time() - copy.lstat().st_mtime > _KEPT_SEC:
                # What is interrupted leaves no part under the name of the whole.
                going = copy if copy.name.startswith(".") else copy.rename(copies / f".{copy.name}")
                shutil.rmtree(going)


def _refuse_lost_links(context: BuildContext, copy: Path) -> None:
    lost = [path.relative_to(copy) for path in copy.rglob("*") if path.is_symlink() and not path.exists()]
    if lost:
        raise ReleaseRefused(
            f"Build(only=...) in {context.folder} sends links, and not what they lead to. Nothing was changed:",
            [f"{path} -> {os.readlink(copy / path)}: add its target to only=" for path in sorted(lost)],
        )
