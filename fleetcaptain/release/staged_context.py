"""A copy of exactly the files that a build with ``only`` sends, for a builder that takes a whole folder."""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleet.private_folder import private_folder
from fleetcaptain.fleetfile.build_context import BuildContext

__all__ = ["stage"]

_FOLDER, _PROGRAM, _FILE = 0o755, 0o755, 0o644


def stage(context: BuildContext, copy: Path) -> BuildContext:
    """Make the folder *copy* have the files of *context* and nothing else; the context of the copy.

    Modes are those that git keeps, so that the umask of a checkout makes no other image. A file whose contents are the
    same is not written again: another process may build from the copy, and programs of a build compare times. Raises
    ReleaseRefused for a link whose target is not sent, and for a file that cannot be read.
    """
    private_folder(copy)
    kept = {copy}
    try:
        for source in context.files():
            if not source.is_relative_to(context.folder):
                continue  # the Dockerfile, in another folder
            target = copy / source.relative_to(context.folder)
            _make_folders(target.parent, copy)
            # The builder reads the Dockerfile itself, and not what it may link to.
            if source.is_symlink() and source != context.dockerfile:
                _link(source, target)
            elif source.is_file():
                _copy(source, target)
            kept |= {target, *target.parents}
        for path in sorted(copy.rglob("*"), reverse=True):
            if path not in kept:
                _remove(path)
    except OSError as error:
        raise ReleaseRefused(
            f"Could not copy the files of Build(only=...) in {context.folder} to {copy}. Nothing was changed:",
            [f"{error}. Correct it, or exclude the file in {context.ignore}."],
        ) from error
    _refuse_lost_links(context, copy)
    dockerfile = context.dockerfile
    if dockerfile.is_relative_to(context.folder):
        dockerfile = copy / dockerfile.relative_to(context.folder)
    return replace(context, folder=copy, dockerfile=dockerfile)


def _make_folders(folder: Path, top: Path) -> None:
    for path in (*reversed(folder.parents), folder):
        if path != top and path.is_relative_to(top) and (path.is_symlink() or not path.is_dir()):
            _remove(path)
            path.mkdir()
            path.chmod(_FOLDER)


def _link(source: Path, target: Path) -> None:
    leads = os.readlink(source)
    if target.is_symlink() and os.readlink(target) == leads:
        return
    _remove(target)
    target.symlink_to(leads)


def _copy(source: Path, target: Path) -> None:
    facts = source.stat()
    mode = _PROGRAM if facts.st_mode & stat.S_IXUSR else _FILE
    if target.is_symlink() or not target.is_file() or not filecmp.cmp(source, target, shallow=False):
        _remove(target)
        written = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(source, written)
        os.utime(written, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
        written.chmod(mode)
        written.replace(target)
    elif stat.S_IMODE(target.stat().st_mode) != mode:
        target.chmod(mode)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _refuse_lost_links(context: BuildContext, copy: Path) -> None:
    lost = [path.relative_to(copy) for path in copy.rglob("*") if path.is_symlink() and not path.exists()]
    if lost:
        raise ReleaseRefused(
            f"Build(only=...) in {context.folder} sends links, and not what they lead to. Nothing was changed:",
            [f"{path} -> {os.readlink(copy / path)}: add its target to only=" for path in sorted(lost)],
        )
