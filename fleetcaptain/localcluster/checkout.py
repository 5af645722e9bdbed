"""Which checkout a local cluster belongs to: the one that made it, wherever that is moved, and no copy of it.

A cluster's identity is made once, and kept in the file ``id`` of the stack's folder and on all that Docker has of it.
An empty volume records, in its labels, which checkout the cluster belongs to. A checkout that was moved is still the
same folder for the file system, or its old path is gone; a copy is another folder, and the original is still there.
The same record is in the stack's folder, for `captain`, which does not ask Docker.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import docker.errors

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleet.owning_checkout import ID_FILE, Checkout, copied_from, kept_identity, refused_copy
from fleetcaptain.fleet.project_files import STACKS, from_project
from fleetcaptain.localcluster.docker_client import LABEL, docker_errors, engine
from fleetcaptain.localcluster.layout import prefix_of
from fleetcaptain.localcluster.private_folder import private_folder
from fleetcaptain.localcluster.volumes import remove_volume

__all__ = ["claim", "identity_for", "original", "refuse_copy", "stack_folder"]

_PATH, _INODE = "fleetcaptain.checkout.path", "fleetcaptain.checkout.inode"
_IDENTITY = re.compile(r"([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)/[0-9a-f]+")
# What else lies beside the stacks' folders.
_RESERVED = ("pulumi",)


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
    kept = kept_identity(folder)
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
    owner = _recorded(identity)
    if owner is None and Path(home).is_absolute():
        owner = Checkout(str(Path(home).parents[1]), "")
    return copied_from(owner, _here(), stack_folder(home), identity)


def refuse_copy(identity: str, home: str) -> None:
    """Raises ClusterRefused when this checkout is a copy, see `original`, with the ways out."""
    path = original(identity, home)
    if not path:
        return
    raise refused_copy(
        identity,
        path,
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
    """The one that this process works in: Pulumi runs programs and providers in the project's folder."""
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
