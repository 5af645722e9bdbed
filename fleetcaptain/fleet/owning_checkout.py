"""Which checkout (folder with the program) the keys of a local cluster belong to: a copied checkout has them too."""

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
    """A folder with the program: its *path*, and what the file system knows it by, ``<device>:<inode>``, or "" when
    that was never recorded. A move within a file system keeps *inode*, and no copy has it."""

    path: str
    inode: str

    @classmethod
    def at(cls, folder: Path) -> Self:
        """The one in *folder*, an absolute path."""
        facts = folder.stat()
        return cls(str(folder), f"{facts.st_dev}:{facts.st_ino}")

    @classmethod
    def recorded(cls, keys: Path) -> Self | None:
        """The one that the folder *keys* was recorded to belong to, if any."""
        file = keys / _OWNER_FILE
        inode, _, path = (
            file.read_text(errors="surrogateescape").strip().partition("\n") if file.is_file() else ("", "", "")
        )
        return cls(path, inode) if path else None

    def record(self, keys: Path) -> None:
        """Record that the folder *keys* belongs to this one. A copy of it says so, too."""
        if Checkout.recorded(keys) != self:
            (keys / _OWNER_FILE).write_text(f"{self.inode}\n{self.path}\n", errors="surrogateescape")

    def same(self, other: Checkout) -> bool:
        """Whether both are one folder, at one of its paths or moved. A path that is the same and another *inode* is one
        that was restored, or whose device has another number since the computer was started."""
        return other.path == self.path or other.inode == self.inode

    def holds(self, keys: Path, identity: str) -> bool:
        """Whether it still has the keys of the cluster *identity*, in *keys*, a path relative to it. Keys that may not
        be read it has."""
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
    """The identity of the cluster whose keys are in the folder *keys*, "" when none is kept there."""
    file = keys / ID_FILE
    return file.read_text(errors="backslashreplace").strip() if file.is_file() else ""


def copied_from(owner: Checkout | None, here: Checkout, keys: Path, identity: str) -> str:
    """The path of *owner*, to which the cluster *identity* belongs, when *here* is a copy of that; else "". *keys* as
    for `Checkout.holds`."""
    return "" if owner is None or owner.same(here) or not owner.holds(keys, identity) else owner.path


def refused_copy(identity: str, path: str, ways: Sequence[str]) -> ClusterRefused:
    """The error that this checkout is a copy of the one at *path*, to which the cluster *identity* belongs. *ways*: the
    ways out."""
    return ClusterRefused(
        f"This checkout is a copy: the cluster {identity} belongs to the checkout {path}. Nothing was changed.", ways
    )
