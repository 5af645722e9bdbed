"""Creates and repairs the parts of a local cluster. Every function may be repeated: correct parts do not change."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shutil import which

import docker.errors

from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.fleet.private_folder import private_folder
from fleetcaptain.localcluster.certificates import (
    authority_of,
    ensure_machine_pair,
    ensure_secrets_pair,
    ensure_user_pair,
)
from fleetcaptain.localcluster.container import ensure_container
from fleetcaptain.localcluster.docker_client import LABEL, docker_errors, engine, find
from fleetcaptain.localcluster.ignition_files import FileEntry, archive, entries
from fleetcaptain.localcluster.layout import Layout
from fleetcaptain.localcluster.registry_cleanup import COLLECTING_ENTRYPOINT, DRAINING
from fleetcaptain.localcluster.rights import MACHINE_RIGHTS, REGISTRY_RIGHTS
from fleetcaptain.localcluster.volumes import KEPT_PATHS, remove_volume
from fleetcaptain.machine.definition import Binary, Forward, Machine, Member
from fleetcaptain.machine.ignition import ignition
from fleetcaptain.machine.secrets_key import SECRETS_CERT, SECRETS_KEY
from fleetcaptain.machine.tls import CA, CERT, KEY, USERS, user_files

__all__ = [
    "binaries",
    "ensure_key",
    "ensure_machine",
    "ensure_network",
    "ensure_registry",
    "machine_config",
    "remove_all",
    "replacing",
]

_SOURCE = "https://binaries.fleetcaptain.internal"
_REQUIRED = ("etcd", "fleetd")
# For operators. Only tests and clusters on AWS build it, so it must not decide whether a machine is up to date.
_OPTIONAL = "fleetctl"
# The ids of the user core in the machine's image.
_OWNERS = {"root": 0, "core": 1000}


def ensure_key(layout: Layout) -> str:
    """The public SSH key of the stack; the pair is created if missing."""
    private_folder(layout.home)
    if not layout.key.exists():
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", layout.prefix, "-f", str(layout.key)]
        try:
            subprocess.run(argv, check=True, capture_output=True, text=True, errors="backslashreplace")
        except (OSError, subprocess.CalledProcessError) as error:
            raise FleetCaptainError(
                f"Failed to create an SSH key: {error}. Install OpenSSH's client, then run the same command again."
            ) from error
    return layout.key.with_suffix(".pub").read_text(errors="backslashreplace").strip()


def binaries(layout: Layout) -> dict[str, bytes]:
    """Source URL -> program: etcd, fleetd, and fleetctl if it was built. Raises FleetCaptainError without etcd or
    fleetd."""
    found: dict[str, bytes] = {}
    for name in (*_REQUIRED, _OPTIONAL):
        path = layout.tools / name
        place = str(path) if path.exists() else which(name)
        if place is not None:
            found[f"{_SOURCE}/{name}"] = Path(place).read_bytes()
        elif name in _REQUIRED:
            raise FleetCaptainError(
                f"Cannot create a machine: {name} is neither in {layout.tools} nor on PATH. Run `make tools`, which "
                "builds it."
            )
    return found


def machine_config(
    layout: Layout,
    name: str,
    key: str,
    sources: Mapping[str, bytes],
    joining: tuple[Member, ...] = (),
) -> Machine:
    """The definition of one machine. *joining*: the machine joins these members, of which the others already run."""
    programs = tuple(
        Binary(f"/opt/bin/{source.rpartition('/')[2]}", source, hashlib.sha512(data).hexdigest())
        for source, data in sources.items()
    )
    return Machine(
        name=name,
        address=layout.addresses[name],
        members=joining or layout.members,
        ssh_keys=(key,),
        binaries=programs,
        registry=Forward(layout.registry_port, f"{layout.registry_address}:5000"),
        metadata=layout.metadata_of(name),
        etcd_token=layout.prefix,
        agent_ttl_sec=layout.agent_ttl_sec,
        etcd_state="existing" if joining else "new",
        tls=layout.tls,
    )


def ensure_network(layout: Layout) -> None:
    """Create the stack's network if it is missing."""
    client = engine()
    with docker_errors(f"create the network {layout.subnet}"):
        if client.networks.list(filters={"label": f"{LABEL}={layout.identity}"}):
            return
        pool = docker.types.IPAMPool(subnet=layout.subnet)
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        client.networks.create(layout.prefix, driver="bridge", ipam=ipam, labels={LABEL: layout.identity})


def ensure_registry(layout: Layout) -> None:
    """Ensure that the registry runs; it listens on the loopback of this computer and on the stack's network."""
    host = {
        **REGISTRY_RIGHTS,
        "PortBindings": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(layout.registry_port)}]},
        "Binds": [f"{layout.prefix}-registry:/var/lib/registry"],
    }
    config = {
        "Entrypoint": list(COLLECTING_ENTRYPOINT),
        "Env": list(DRAINING),
        # The image's is systemd's.
        "StopSignal": "SIGTERM",
        "ExposedPorts": {"5000/tcp": {}},
    }
    ensure_container(layout, "registry", layout.registry_address, "registry", config, host)


def ensure_machine(layout: Layout, machine: Machine, sources: Mapping[str, bytes]) -> bool:
    """Ensure that one machine runs, booted from its Ignition JSON. Returns whether it had to be started.

    A container whose `replacing` part differs is replaced. The data of etcd, docker and /srv stays in its volumes.
    """
    name = f"{layout.prefix}-{machine.name}"
    id_file = FileEntry("/etc/machine-id", f"{layout.machine_id(machine.name)}\n".encode())
    own = (id_file, *_secrets_files(layout), *_tls_files(layout, machine))
    files = archive((*entries(ignition(machine), sources), *own), _OWNERS)
    same = archive((*entries(ignition(replacing(machine)), sources), *own), _OWNERS)
    kept = {**KEPT_PATHS, **({"etcd": "/var/lib/etcd"} if machine.is_member else {})}
    host = {**MACHINE_RIGHTS, "Binds": [f"{name}-{kind}:{path}" for kind, path in kept.items()]}
    config = {"Tty": True, "Env": [f"FLEETCAPTAIN_GROUP={name}"], "StopSignal": "SIGRTMIN+3"}
    changed = ensure_container(layout, machine.name, machine.address, "machine", config, host, files, same)
    if not machine.is_member:
        remove_volume(f"{name}-etcd")
    return changed


def replacing(machine: Machine) -> Machine:
    """The part of *machine* whose change replaces its container. Not its metadata: `apply_metadata` changes that while
    the machine runs. Not etcd's initial state and the other members: a member with data ignores both. Not fleetctl:
    building it later, for tests, must not replace machines."""
    members = machine.members
    if machine.is_member:
        members = tuple(member for member in members if member.name == machine.name)
    binaries = tuple(binary for binary in machine.binaries if not binary.path.endswith(f"/{_OPTIONAL}"))
    return replace(machine, metadata={}, etcd_state="new", members=members, binaries=binaries)


def _secrets_files(layout: Layout) -> tuple[FileEntry, ...]:
    cert, key = ensure_secrets_pair(layout.home)
    return FileEntry(SECRETS_CERT, cert), FileEntry(SECRETS_KEY, key, 0o600)


def _tls_files(layout: Layout, machine: Machine) -> tuple[FileEntry, ...]:
    """Certificates and keys, which are not in the machine's definition because every user can read that."""
    if not machine.tls:
        return ()
    folder = layout.certificates
    files = [FileEntry(CA, authority_of(folder))]
    pairs = {user_files(user): ensure_user_pair(folder, user) for user in USERS}
    pairs[CERT, KEY] = ensure_machine_pair(folder, machine.name, machine.address)
    for (cert_path, key_path), (cert, key) in pairs.items():
        files += [FileEntry(cert_path, cert), FileEntry(key_path, key, 0o600)]
    return tuple(files)


def remove_all(identity: str) -> None:
    """Remove every container, volume and network of a stack, including incomplete ones."""
    client = engine()
    label = {"label": f"{LABEL}={identity}"}
    for container in find(identity):
        with docker_errors(f"remove {container.name}"):
            container.remove(force=True, v=True)
    for volume in client.volumes.list(filters=label):
        with docker_errors(f"remove the volume {volume.name}"):
            volume.remove(force=True)
    for network in client.networks.list(filters=label):
        with docker_errors(f"remove the network {network.name}"):
            network.remove()
