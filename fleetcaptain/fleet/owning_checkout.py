"""The checkout (folder with the program) that owns the keys of a local cluster: a copied checkout has them too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fleetcaptain.errors import ClusterRefused

__all__ = ["ID_FILE", "KEY_FILE", "Checkout", "copied_from", "kept_identity", "refused_copy"]

ID_FILE = "id"
"""In the stack's folder: the identity of its cluster."""
KEY_FILE = "id_ed25519"
_OWNER_FILE = "checkout"


@dataclass(frozen=True)
class Checkout:
    """A folder with the program: its *path* and its *inode*, ``<device>:<inode>`` of the file system, or "" when that
    was never recorded. A move within a file system keeps the inode; a copy has another one."""

    path: str
    inode: str

    @classmethod
    def at(cls, folder: Path) -> Self:
        """The checkout in *folder*, an absolute path."""
        facts = folder.stat()
        return cls(str(folder), f"{facts.st_dev}:{facts.st_ino}")

    @classmethod
    def recorded(cls, keys: Path) -> Self | None:
        """The recorded owner of the folder *keys*, if any."""
        file = keys / _OWNER_FILE
        inode, _, path = (
            file.read_text(errors="surrogateescape").strip().partition("\n") if file.is_file() else ("", "", "")
        )
        return cls(path, inode) if path else None

    def record(self, keys: Path) -> None:
        """Record this checkout as the owner of the folder *keys*. A copy of *keys* has the same record."""
        if Checkout.recorded(keys) != self:
            (keys / _OWNER_FILE).write_text(f"{self.inode}\n{self.path}\n", errors="surrogateescape")

    def same(self, other: Checkout) -> bool:
        """Whether both are one folder, moved or not. The same path with another *inode* is a restored folder, or one
        whose device number changed at a reboot."""
        return other.path == self.path or other.inode == self.inode

    def holds(self, keys: Path, identity: str) -> bool:
        """Whether it still has the keys of the cluster *identity* in *keys*, a path relative to it. Keys that cannot be
        read count as present."""
        folder = Path(self.path) / keys
        try:
            (folder / KEY_FILE).stat()
            kept = kept_identity(folder)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return kept in ("", identity)


def kept_identity(keys: Path) -> str:
    """The identity of the cluster whose keys are in the folder *keys*, "" when there is none."""
    file = keys / ID_FILE
    return file.read_text(errors="backslashreplace").strip() if file.is_file() else ""


def copied_from(owner: Checkout | None, here: Checkout, keys: Path, identity: str) -> str:
    """The path of *owner*, which owns the cluster *identity*, when *here* is a copy of it; else "". *keys* as for
    `Checkout.holds`."""
    return "" if owner is None or owner.same(here) or not owner.holds(keys, identity) else owner.path


def refused_copy(identity: str, path: str, ways: Sequence[str]) -> ClusterRefused:
    """The error that this checkout is a copy of the one at *path*, which owns the cluster *identity*. *ways*: the
    remedies."""
    return ClusterRefused(
        f"This checkout is a copy: the cluster {identity} belongs to the checkout {path}. Nothing was changed.", ways
    )
