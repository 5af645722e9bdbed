"""One hash over all that a build sends to the builder, so that a saved plan is bound to the code."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from fleetcaptain.fleetfile.build_context import BuildContext

__all__ = ["context_hash"]


def context_hash(context: BuildContext) -> str:
    """The SHA-256, in hex, of the names, contents and executable bits of *context*'s files. Times and owners do not
    count. A file that cannot be read counts by its name: the build itself reports it."""
    total = hashlib.sha256()
    for path in context.files():
        total.update(f"{os.path.relpath(path, context.folder)}\0{_content(path)}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


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
