"""Renders a machine's Ignition configuration, specification 3.3.0: JSON that Flatcar reads at its first boot."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fleetcaptain.machine.definition import Binary, File, Machine
from fleetcaptain.machine.etcd_units import etcd_unit, members_unit, root_unit
from fleetcaptain.machine.firewall import FIREWALL
from fleetcaptain.machine.fleet import FLEET_SOCKET, KEEP_MACHINE, fleet_environment, fleet_unit
from fleetcaptain.machine.registry_forwarder import registry_service, registry_socket
from fleetcaptain.machine.tls import GATEWAY_SOCKET, gateway_unit

__all__ = ["ignition"]

_JOURNAL = "[Journal]\nSystemMaxUse=256M\nRuntimeMaxUse=32M\n"
# For `docker logs`: the journal has the same lines. docker's default has no limit, and fills the disk.
_DOCKER = '{"log-driver":"json-file","log-opts":{"max-file":"2","max-size":"10m"}}\n'


def ignition(machine: Machine) -> dict[str, Any]:
    """The configuration of *machine*, ready for ``json.dumps``."""
    return {
        "ignition": {"version": "3.3.0"},
        "passwd": {"users": [_core(machine)]},
        "storage": {"files": [*_files(machine), *map(_binary, machine.binaries)]},
        "systemd": {"units": _units(machine)},
    }


def _core(machine: Machine) -> dict[str, Any]:
    groups = ["sudo", "docker", "systemd-journal"]
    return {"name": "core", "groups": groups, "sshAuthorizedKeys": list(machine.ssh_keys)}


def _files(machine: Machine) -> list[dict[str, Any]]:
    # CoreOS's names for a machine's addresses; units read them for their registrations.
    public = machine.advertised or machine.address
    addresses = f"COREOS_PRIVATE_IPV4={machine.address}\nCOREOS_PUBLIC_IPV4={public}\n"
    files = [_file("/etc/hostname", f"{machine.name}\n")] if machine.name else []
    files += [_file("/etc/environment", addresses)] if machine.address else []
    return [
        *files,
        _file("/etc/fleet/fleet.env", fleet_environment(machine)),
        _file("/etc/fleet/keep-machine", KEEP_MACHINE),
        _file("/etc/systemd/journald.conf.d/fleetcaptain.conf", _JOURNAL),
        _file("/etc/docker/daemon.json", _DOCKER),
        *map(_further, machine.files),
    ]


def _units(machine: Machine) -> list[dict[str, Any]]:
    units = [
        *_etcd(machine),
        _unit("fleet.socket", FLEET_SOCKET),
        _unit("fleet.service", fleet_unit()),
        {"name": "docker.service", "enabled": True},
    ]
    units += [{"name": unit.name, "enabled": unit.enabled, "contents": unit.text} for unit in machine.units]
    if machine.registry is not None:
        units.append(_unit("registry.socket", registry_socket(machine.registry)))
        units.append({"name": "registry.service", "contents": registry_service(machine.registry)})
    return units


def _etcd(machine: Machine) -> list[dict[str, Any]]:
    root = _unit("etcd-root.service", root_unit(machine))
    if not machine.tls:
        return [_unit("etcd.service", etcd_unit(machine)), root]
    firewall = _unit("firewall.service", FIREWALL)
    if machine.is_member:
        return [firewall, _unit("etcd.service", etcd_unit(machine)), root]
    gateway = {"name": "etcd@.service", "contents": gateway_unit(machine)}
    members = _unit("etcd-members.service", members_unit(machine))
    return [firewall, _unit("etcd.socket", GATEWAY_SOCKET), gateway, members, root]


def _unit(name: str, contents: str) -> dict[str, Any]:
    return {"name": name, "enabled": True, "contents": contents}


def _file(path: str, contents: str) -> dict[str, Any]:
    return {"path": path, "mode": 0o644, "overwrite": True, "contents": {"source": f"data:,{quote(contents)}"}}


def _further(file: File) -> dict[str, Any]:
    if not file.source:
        return {**_file(file.path, file.text), "mode": file.mode}
    return {"path": file.path, "mode": file.mode, "overwrite": True, "contents": {"source": file.source}}


def _binary(binary: Binary) -> dict[str, Any]:
    contents = {"source": binary.source, "verification": {"hash": f"sha512-{binary.sha512}"}}
    return {"path": binary.path, "mode": 0o755, "overwrite": True, "contents": contents}
