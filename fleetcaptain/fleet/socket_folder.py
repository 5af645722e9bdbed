"""A folder for unix sockets that only its owner can enter."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from fleetcaptain.errors import ClusterUnreachable

__all__ = ["socket_folder"]

_PREFIX = "fleetcaptain-"
# A socket's path has at most 107 bytes (unix(7)), 103 on macOS. The longest one in the folder adds 15, and a shared
# connection 19. ssh reads `:`, `%`, `$` and spaces in it as something else.
_USABLE = re.compile(r"/[A-Za-z0-9/._-]{0,60}")
_SHORT = "/tmp"  # noqa: S108 - mkdtemp makes a folder of mode 0700 in it


def socket_folder() -> Path:
    """A new folder of mode 0700 in the folder for temporary files, or in /tmp if that folder's path is unfit for
    sockets. Raises ClusterUnreachable when it cannot be created."""
    base = tempfile.gettempdir()
    try:
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base if _USABLE.fullmatch(base) else _SHORT))
    except OSError as error:
        raise ClusterUnreachable(
            f"Could not create a folder for the connection's sockets: {error}. Nothing was changed. Set TMPDIR to a "
            "writable folder, then run the same command again."
        ) from error
