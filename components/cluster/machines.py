"""Making and mending the parts of a local cluster. Everything here may be called again: what is right stays."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import Any

import docker.errors

from components.cluster.carrier import Entry, archive, entries
from components.cluster.certificates import ensure_certificate
from components.cluster.engine import HOST_RIGHTS, LABEL, ROLE, docker_errors, engine, exec_in, find, put
from components.cluster.layout import Layout
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.machine.ignition import ignition
from fleetcaptain.machine.tls import CA, CERT, KEY
from fleetcaptain.machine.values import Binary, Forward, Machine

__all__ = [
    "apply_metadata",
    "binaries",
    "ensure_key",
    "ensure_machine",
    "ensure_network",
    "ensure_registry",
    "machine_config",
    "remove_all",
    "remove_container",
    "remove_machine",
]

_CONFIG = "fleetcaptain.config"
_SOURCE = "https://binaries.fleetcaptain.internal"
_BINARIES = ("etcd", "fleetd", "fleetctl")
# The ids of the user core in the machine's image.
_OWNERS = {"root": 0, "core": 1000}


def ensure_key(layout: Layout) -> str:
    """The public key of the stack; the pair is made when there is none."""
    layout.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not layout.key.exists():
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", layout.prefix, "-f", str(layout.key)]
        try:
            subprocess.run(argv, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise FleetCaptainError(f"no SSH key could be made; is OpenSSH's client installed? {error}") from error
    return layout.key.with_suffix(".pub").read_text().strip()


def binaries(layout: Layout) -> dict[str, bytes]:
    """Source URL -> program. Raises FleetCaptainError naming what is missing."""
    found: dict[str, bytes] = {}
    for name in _BINARIES:
        path = layout.tools / name
        place = str(path) if path.exists() else which(name)
        if place is None:
            raise FleetCaptainError(
                f"{name} is neither in {layout.tools} nor on PATH: run `make tools`, which builds it"
            )
        found[f"{_SOURCE}/{name}"] = Path(place).read_bytes()
    return found


def machine_config(layout: Layout, name: str, key: str, sources: Mapping[str, bytes], etcd_state: str) -> Machine:
    """The definition of one machine."""
    programs = tuple(
        Binary(f"/opt/bin/{source.rpartition('/')[2]}", source, hashlib.sha512(data).hexdigest())
        for source, data in sources.items()
    )
    return Machine(
        name=name,
        address=layout.addresses[name],
        members=layout.members,
        ssh_keys=(key,),
        binaries=programs,
        registry=Forward(layout.registry_port, f"{layout.registry_address}:5000"),
        metadata=layout.metadata_of(name),
        etcd_token=layout.prefix,
        agent_ttl_sec=layout.agent_ttl_sec,
        etcd_state=etcd_state,
        tls=layout.tls,
    )


def ensure_network(layout: Layout) -> None:
    """The stack's own network."""
    client = engine()
    with docker_errors(f"create the network {layout.subnet}"):
        if client.networks.list(filters={"label": f"{LABEL}={layout.identity}"}):
            return
        pool = docker.types.IPAMPool(subnet=layout.subnet)
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        client.networks.create(layout.prefix, driver="bridge", ipam=ipam, labels={LABEL: layout.identity})


def ensure_registry(layout: Layout) -> None:
    """The registry, which listens on the loopback of this computer and on the stack's network."""
    host = {
        "PortBindings": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(layout.registry_port)}]},
        "Binds": [f"{layout.prefix}-registry:/var/lib/registry"],
    }
    config = {
        "Entrypoint": ["/usr/bin/docker-registry", "serve", "/etc/registry/config.yml"],
        "ExposedPorts": {"5000/tcp": {}},
    }
    _ensure(layout, "registry", layout.registry_address, "registry", config, host)


def ensure_machine(layout: Layout, machine: Machine, sources: Mapping[str, bytes]) -> bool:
    """One machine, booted from its Ignition JSON; whether anything had to be done.

    A container made from other inputs is replaced; etcd's and docker's data stay, as they are in volumes. Metadata does
    not count here: `apply_metadata` changes it while the machine runs.
    """
    name = f"{layout.prefix}-{machine.name}"
    own = (Entry("/etc/machine-id", f"{layout.machine_id(machine.name)}\n".encode()), *_tls_files(layout, machine))
    files = archive((*entries(ignition(machine), sources), *own), _OWNERS)
    same = archive((*entries(ignition(replace(machine, metadata={})), sources), *own), _OWNERS)
    host = {**HOST_RIGHTS, "Binds": [f"{name}-docker:/var/lib/docker", f"{name}-etcd:/var/lib/etcd"]}
    config = {"Tty": True, "Env": [f"FLEETCAPTAIN_GROUP={name}"], "StopSignal": "SIGRTMIN+3"}
    return _ensure(layout, machine.name, machine.address, "machine", config, host, files, same)


def _tls_files(layout: Layout, machine: Machine) -> tuple[Entry, ...]:
    """What is no part of its definition, as that is for everybody to read."""
    if not machine.tls:
        return ()
    ca, cert, key = ensure_certificate(layout.certificates, machine.name, machine.address)
    return Entry(CA, ca), Entry(CERT, cert), Entry(KEY, key, 0o600)


def _ensure(  # noqa: PLR0917  a container is made of all of this
    layout: Layout,
    part: str,
    address: str,
    role: str,
    config: Mapping[str, Any],
    host: Mapping[str, Any],
    files: bytes = b"",
    same: bytes = b"",
) -> bool:
    """A container of the stack that runs with *files* in it; it is made anew when *same* or the rest has changed."""
    name = f"{layout.prefix}-{part}"
    client = engine()
    made_from = json.dumps([layout.image, address, config, host], sort_keys=True).encode() + same
    digest = hashlib.sha256(made_from).hexdigest()
    existing = next((container for container in find(layout.identity) if container.name == name), None)
    if existing is not None and existing.labels.get(_CONFIG) != digest:
        with docker_errors(f"replace {name}"):
            existing.remove(force=True)
        existing = None
    if existing is None:
        volumes = [bind.partition(":")[0] for bind in host.get("Binds", ())]
        with docker_errors(f"create {name}"):
            for volume in volumes:
                client.volumes.create(volume, labels={LABEL: layout.identity})
            created = client.api.create_container_from_config(  # type: ignore[no-untyped-call]
                {
                    "Image": layout.image,
                    "Hostname": part,
                    **config,
                    "Labels": {LABEL: layout.identity, ROLE: role, _CONFIG: digest},
                    "HostConfig": {**host, "RestartPolicy": {"Name": "unless-stopped"}, "NetworkMode": layout.prefix},
                    "NetworkingConfig": {"EndpointsConfig": {layout.prefix: {"IPAMConfig": {"IPv4Address": address}}}},
                },
                name,
            )
            existing = client.containers.get(created["Id"])
        if files:
            put(existing, files)
            layout.known_hosts.unlink(missing_ok=True)  # a new container has new host keys
    if existing.status == "running":
        return False
    with docker_errors(f"start {name}"):
        if existing.status == "paused":
            existing.unpause()
        else:
            existing.start()
    return True


def apply_metadata(layout: Layout) -> None:
    """Bring fleet's metadata of each machine to what is wanted. A restart of fleetd would stop all its units, so fleet
    is told through its API, which it remembers; the file is for a machine's next first boot."""
    url = "http://fleet/fleet/v1/machines"
    via = ("curl", "--silent", "--show-error", "--fail", "--max-time", "10", "--unix-socket", "/run/fleet.sock")
    containers = find(layout.identity, "machine")
    _, output = exec_in(containers[0], *via, url)
    known = {machine["id"]: machine.get("metadata") or {} for machine in json.loads(output).get("machines", ())}
    changes = []
    for name in layout.names:
        machine_id, wanted = layout.machine_id(name), layout.metadata_of(name)
        present = {key: value for key, value in known.get(machine_id, {}).items() if value}
        for key in sorted({*wanted, *present}):
            if wanted.get(key) != present.get(key):
                path = f"/{machine_id}/metadata/{key}"
                verb = {"op": "replace", "value": {"value": wanted[key]}} if key in wanted else {"op": "remove"}
                changes.append({**verb, "path": path})
    if changes:
        code, said = exec_in(containers[0], *via, "-X", "PATCH", "-d", json.dumps(changes), url)
        if code != 0:
            raise FleetCaptainError(f"fleet did not take the machines' metadata: {said}")


def remove_container(container: Any) -> None:
    """Remove a machine but for its data."""
    with docker_errors(f"remove {container.name}"):
        container.remove(force=True)


def remove_machine(container: Any) -> None:
    """Remove one machine and its data: fleet takes its units elsewhere."""
    with docker_errors(f"remove {container.name}"):
        container.remove(force=True, v=True)
        for kind in ("docker", "etcd"):
            engine().volumes.get(f"{container.name}-{kind}").remove(force=True)


def remove_all(identity: str) -> None:
    """Remove every container, volume and network of a stack, half-made ones too."""
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
