"""Which checkout a local cluster belongs to: the one that made it, wherever that is moved, and no copy of it.

A cluster's identity is made once, and kept in the file ``id`` of the stack's folder and on all that Docker has of it.
An empty volume records, in its labels, which checkout the cluster belongs to. A checkout that was moved is still the
same folder for the file system, or its old path is gone; a copy is another folder, and the original is still there.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import docker.errors

from components.cluster.data import remove_volume
from components.cluster.engine import LABEL, docker_errors, engine
from components.cluster.layout import prefix_of
from components.cluster.private_folder import private_folder
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleet.project_files import STACKS, from_project

__all__ = ["ID_FILE", "Checkout", "claim", "identity_for", "original", "refuse_copy", "stack_folder"]

ID_FILE = "id"
_KEY = "id_ed25519"
_PATH, _INODE = "fleetcaptain.checkout.path", "fleetcaptain.checkout.inode"
_IDENTITY = re.compile(r"([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)/[0-9a-f]+")
# What else lies beside the stacks' folders.
_RESERVED = ("pulumi",)


@dataclass(frozen=True)
class Checkout:
    """A folder with the program: its *path*, and what the file system knows it by, ``<device>:<inode>``, or "" when
    that was never recorded. A move within a file system keeps *inode*, and no copy has it."""

    path: str
    inode: str

    @classmethod
    def here(cls) -> Self:
        """The one that this process works in: Pulumi runs programs and providers in the project's folder."""
        facts = Path.cwd().stat()
        return cls(str(Path.cwd()), f"{facts.st_dev}:{facts.st_ino}")

    def same(self, other: Checkout) -> bool:
        """Whether both are one folder, at one of its paths or moved. A path that is the same and another *inode* is one
        that was restored, or whose device has another number since the computer was started."""
        return other.path == self.path or other.inode == self.inode


def stack_folder(text: str) -> Path:
    """The folder of a stack's keys, *text* in its state, relative to the project's folder. Raises ClusterRefused for
    any that is not ``.fleetcaptain/<stack>``: it is removed with the cluster."""
    folder = from_project(text)
    if len(folder.parts) == 2 and folder.parts[0] == STACKS and folder.name not in ("..", *_RESERVED):  # noqa: PLR2004
        return folder
    if folder.name in _RESERVED:
        why = f"{folder} holds Pulumi's state, so no stack with a local cluster can have this name. Choose another one."
    else:
        why = f"the state of the stack names the folder {text}. Restore the state that belongs to this project."
    raise ClusterRefused(
        f"The keys of a local cluster are kept in {STACKS}/<stack>, and nowhere else. Nothing was changed:", [why]
    )


def identity_for(name: str, folder: Path, known: str = "") -> str:
    """The identity of the cluster of the stack *name* (``project/stack``): the one that its state has (*known*), else
    the one kept in *folder*, else a new one. Raises ClusterRefused when *folder* is that of another stack."""
    if known:
        return known
    kept = _kept(folder)
    if not kept:
        return f"{name}/{secrets.token_hex(4)}"
    match = _IDENTITY.fullmatch(kept)
    if match is None or match[1] != name:
        raise ClusterRefused(
            f"The cluster of the stack {name} is not known. Nothing was changed:",
            [
                f"{folder / ID_FILE} says {kept!r}, which is no cluster of this stack. If the folder was copied from "
                f"another stack, remove it: `rm -r {folder}`."
            ],
        )
    return kept


def original(identity: str, home: str) -> str:
    """The path of the checkout that the cluster *identity* belongs to, when this one is a copy of that; else "".

    *home*: the stack's folder as its state names it; an absolute one, of an earlier version, says where the cluster
    was made. Raises ClusterRefused, ClusterUnreachable.
    """
    folder, here = stack_folder(home), Checkout.here()
    owner = _recorded(identity)
    if owner is None and Path(home).is_absolute():
        owner = Checkout(str(Path(home).parents[1]), "")
    if owner is None or owner.same(here) or not _holds(Path(owner.path) / folder, identity):
        return ""
    return owner.path


def refuse_copy(identity: str, home: str) -> None:
    """Raises ClusterRefused when this checkout is a copy, see `original`, with the ways out."""
    path = original(identity, home)
    if not path:
        return
    raise ClusterRefused(
        f"This checkout is a copy: the cluster {identity} belongs to the checkout {path}. Nothing was changed.",
        [
            f"To work with that cluster, run the same command in {path}.",
            _own_cluster(stack_folder(home)),
            f"To go on with that cluster here and no longer there: `rm -r {Path(path) / stack_folder(home)}`.",
        ],
    )


def claim(identity: str, home: str) -> None:
    """Keep *identity* in the stack's folder, and record that its cluster belongs to this checkout. Raises
    ClusterRefused when it belongs to another one."""
    refuse_copy(identity, home)
    file, here = private_folder(stack_folder(home)) / ID_FILE, Checkout.here()
    if _kept(file.parent) != identity:
        file.write_text(f"{identity}\n")
    if _recorded(identity) != here:
        name = _record_name(identity)
        remove_volume(name)
        with docker_errors(f"create the volume {name}"):
            labels = {LABEL: identity, _PATH: here.path, _INODE: here.inode}
            engine().volumes.create(name, labels=labels)


def _kept(folder: Path) -> str:
    file = folder / ID_FILE
    return file.read_text().strip() if file.is_file() else ""


def _record_name(identity: str) -> str:
    return f"{prefix_of(identity)}-checkout"


def _recorded(identity: str) -> Checkout | None:
    name = _record_name(identity)
    with docker_errors(f"read the volume {name}"):
        try:
            labels = engine().volumes.get(name).attrs.get("Labels") or {}
        except docker.errors.NotFound:
            return None
    return Checkout(labels[_PATH], labels[_INODE]) if _PATH in labels and _INODE in labels else None


def _holds(folder: Path, identity: str) -> bool:
    """Whether *folder* still has the keys of the cluster. One that may not be read has."""
    try:
        (folder / _KEY).stat()
        kept = _kept(folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return kept in ("", identity)


def _own_cluster(folder: Path) -> str:
    """How a copy gets a cluster of its own. Its stack may be forgotten only when no other checkout has the same one."""
    stack, state = folder.name, f"file://{Path.cwd() / STACKS / 'pulumi'}"
    if os.environ.get("PULUMI_BACKEND_URL", "").rstrip("/") == state:
        forget = f"PULUMI_BACKEND_URL={state} pulumi stack rm {stack} --force --yes --preserve-config"
        return (
            "To start a cluster of its own here, forget the other one, of which nothing is removed, then deploy: "
            f"`{forget} && rm -r {folder} && make up STACK={stack}`."
        )
    return (
        f"To start a cluster of its own here, use another stack: `cp Pulumi.{stack}.yaml Pulumi.{stack}2.yaml && "
        f"make up STACK={stack}2`."
    )
