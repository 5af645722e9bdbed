"""Creates, replaces and starts one container of a local cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fleetcaptain.localcluster.docker_client import LABEL, ROLE, docker_errors, engine, find, put
from fleetcaptain.localcluster.drain import drain
from fleetcaptain.localcluster.layout import Layout

__all__ = ["ensure_container"]

_CONFIG = "fleetcaptain.config"


def ensure_container(  # noqa: PLR0917  a container is made of all of this
    layout: Layout,
    part: str,
    address: str,
    role: str,
    config: Mapping[str, Any],
    host: Mapping[str, Any],
    files: bytes = b"",
    same: bytes = b"",
) -> bool:
    """Ensure that a container runs with *files*; replace it when *same* or another argument has changed. Returns
    whether it had to be started."""
    name = f"{layout.prefix}-{part}"
    client = engine()
    made_from = json.dumps([layout.image, address, config, host], sort_keys=True).encode() + same
    digest = hashlib.sha256(made_from).hexdigest()
    existing = next((container for container in find(layout.identity) if container.name == name), None)
    if existing is not None and existing.labels.get(_CONFIG) != digest:
        drain(existing)
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
