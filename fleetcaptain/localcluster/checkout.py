"""The checkout that owns a local cluster: the one that made it, also after a move, but no copy of it.

A cluster's identity is created once and kept in the file ``id`` of the stack's folder and in the labels of its Docker
objects. The labels of an empty volume record the owning checkout. A moved checkout is still the same folder for the
file system, or its old path is gone; a copy is another folder while the original still exists. The stack's folder has
the same record for `captain`, which does not use Docker.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import docker.errors

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleet.owning_checkout import ID_FILE, Checkout, copied_from, kept_identity, refused_copy
from fleetcaptain.fleet.private_folder import private_folder
from fleetcaptain.fleet.project_files import STACKS, from_project
from fleetcaptain.localcluster.docker_client import LABEL, docker_errors, engine
from fleetcaptain.localcluster.layout import prefix_of
from fleetcaptain.localcluster.volumes import remove_volume

__all__ = ["claim", "identity_for", "original", "refuse_copy", "stack_folder"]

_PATH, _INODE = "fleetcaptain.checkout.path", "fleetcaptain.checkout.inode"
_IDENTITY = re.compile(r"([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)/[0-9a-f]+")
# Other folders next to the stacks' folders.
_RESERVED = ("pulumi",)


def stack_folder(text: str) -> Path:
    """The folder of a stack's keys, relative to the project's folder; *text* is its path in the state. Raises
    ClusterRefused unless it is ``.fleetcaptain/<stack>``: it is removed with the cluster."""
    folder = from_project(text)
    if len(folder.parts) == 2 and folder.parts[0] == STACKS and folder.name not in ("..", *_RESERVED):  # noqa: PLR2004
        return folder
    if folder.name in _RESERVED:
        why = f"{folder} holds Pulumi's state, so no stack with a local cluster can have this name. Choose another one."
    else:
        why = f"the state of the stack names the folder {text}. Restore the state that belongs to this project."
    raise ClusterRefused(f"The keys of a local cluster must be in {STACKS}/<stack>. Nothing was changed:", [why])


def identity_for(name: str, folder: Path, known: str = "") -> str:
    """The identity of the cluster of the stack *name* (``project/stack``): the one in its state (*known*), else the one
    in *folder*, else a new one. Raises ClusterRefused when *folder* belongs to another stack."""
    if known:
        return known
    kept = kept_identity(folder)
    if not kept:
        return f"{name}/{secrets.token_hex(4)}"
    match = _IDENTITY.fullmatch(kept)
    if match is None or match[1] != name:
        raise ClusterRefused(
            f"Cannot determine the cluster of the stack {name}. Nothing was changed:",
            [
                f"{folder / ID_FILE} names {kept!r}, which is not a cluster of this stack. If the folder was copied "
                f"from another stack, remove it: `rm -r {folder}`."
            ],
        )
    return kept


def original(identity: str, home: str) -> str:
    """The path of the checkout that owns the cluster *identity*, when this one is a copy of it; else "".

    *home*: the stack's folder in its state; an absolute path, from an earlier version, is where the cluster was made.
    Raises ClusterRefused and ClusterUnreachable.
    """
    owner = _recorded(identity)
    if owner is None and Path(home).is_absolute():
        owner = Checkout(str(Path(home).parents[1]), "")
    return copied_from(owner, _here(), stack_folder(home), identity)


def refuse_copy(identity: str, home: str) -> None:
    """Raise ClusterRefused, with the remedies, when this checkout is a copy (see `original`)."""
    path = original(identity, home)
    if not path:
        return
    raise refused_copy(
        identity,
        path,
        [
            f"To use that cluster, run the same command in {path}.",
            _own_cluster(stack_folder(home)),
            f"To use that cluster from here and no longer from there, run `rm -r {Path(path) / stack_folder(home)}`.",
        ],
    )


def claim(identity: str, home: str) -> None:
    """Write *identity* into the stack's folder, and record this checkout as the owner of its cluster. Raises
    ClusterRefused when another checkout owns it."""
    refuse_copy(identity, home)
    keys, here = private_folder(stack_folder(home)), _here()
    if kept_identity(keys) != identity:
        (keys / ID_FILE).write_text(f"{identity}\n")
    here.record(keys)
    if _recorded(identity) != here:
        name = _record_name(identity)
        remove_volume(name)
        with docker_errors(f"create the volume {name}"):
            labels = {LABEL: identity, _PATH: here.path, _INODE: here.inode}
            engine().volumes.create(name, labels=labels)


def _here() -> Checkout:
    """The checkout of this process: Pulumi runs programs and providers in the project's folder."""
    return Checkout.at(Path.cwd())


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


def _own_cluster(folder: Path) -> str:
    """How to start another cluster in a copy. Its stack may be removed only if no other checkout shares its state."""
    stack, state = folder.name, f"file://{Path.cwd() / STACKS / 'pulumi'}"
    if os.environ.get("PULUMI_BACKEND_URL", "").rstrip("/") == state:
        forget = f"PULUMI_BACKEND_URL={state} pulumi stack rm {stack} --force --yes --preserve-config"
        return (
            "To start another cluster here, run the following, which removes nothing of the existing one: "
            f"`{forget} && rm -r {folder} && make up STACK={stack}`."
        )
    return (
        f"To start another cluster here, use another stack: `cp Pulumi.{stack}.yaml Pulumi.{stack}2.yaml && "
        f"make up STACK={stack}2`."
    )
