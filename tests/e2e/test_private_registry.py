"""A registry with a login, real and with htpasswd: pushed to from here, pulled from by the machines."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import tarfile
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from fleetcaptain.localcluster.docker_client import LABEL, ROLE, engine
from tests.e2e.conftest import Guests
from tests.e2e.stack import Stack
from tests.faults.machine_faults import machine_of, machines, run_on

_USER, _FIRST, _SECOND = "acme", "first-pass-9d1e", "second-pass-77aa"
_HTPASSWD = {
    _FIRST: "$2b$04$HKkxOhWu4PUVO9qEGEugB.TvN2KMbIUnDbuIAXqGzJjru9dMbLe1m",
    _SECOND: "$2b$04$FxDH3FDc3zgQ2ke0K0AYN.7WOPJTbfZ71FoQzpjCOJ3ZadDJoB2W.",
}
_FLEETFILE = """
from fleetcaptain import Fleetfile, Rolling, Service

fleet = Fleetfile(
    app="vault",
    image="acme/vault",
    services=[
        Service("own", command="sleep 1000000", stop_sec=1, rollout=Rolling(min_healthy_sec=1)),
        Service(
            "foreign", image="{registry}/acme/other:1", command="sleep 1000000", stop_sec=1,
            rollout=Rolling(min_healthy_sec=1),
        ),
    ],
)
"""
_CONFIG = "/run/fleetcaptain/vault/docker/config.json"


def _let_in(registry: Any, password: str) -> None:
    """From now on the registry accepts this password only."""
    text, packed = f"{_USER}:{_HTPASSWD[password]}\n".encode(), BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("htpasswd")
        # The registry reads the file again when its time has changed.
        entry.size, entry.mode, entry.mtime = len(text), 0o644, int(time.time())
        archive.addfile(entry, BytesIO(text))
    registry.put_archive("/etc", packed.getvalue())


@pytest.fixture
def private(stack: Stack) -> Iterator[tuple[Any, str]]:
    """A registry that asks for a login, and its address here and on the machines."""
    usual = stack.containers()["registry"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (network,) = usual.attrs["NetworkSettings"]["Networks"]
    registry = engine().containers.create(
        usual.image,
        name=usual.name.replace("-registry", "-private"),
        entrypoint=["docker-registry", "serve", "/etc/registry/config.yml"],
        environment=[
            "REGISTRY_AUTH=htpasswd",
            "REGISTRY_AUTH_HTPASSWD_REALM=x",
            "REGISTRY_AUTH_HTPASSWD_PATH=/etc/htpasswd",
        ],
        labels={LABEL: stack.identity, ROLE: "private"},
        network=network,
        ports={"5000/tcp": ("127.0.0.1", port)},
    )
    try:
        _let_in(registry, _FIRST)
        registry.start()
        registry.reload()
        address = registry.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
        for machine in machines(stack).values():
            listen = f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr"
            run_on(machine, "systemd-run", "--unit=private-registry", "socat", listen, f"TCP:{address}:5000")
        yield registry, f"127.0.0.1:{port}"
    finally:
        registry.remove(force=True, v=True)
        for machine in machines(stack).values():
            run_on(machine, "systemctl", "stop", "private-registry")


def _push_other(stack: Stack, registry: str) -> None:
    """Push an image of others: the example's, under another name."""
    name = f"{registry}/acme/other"
    engine().images.get(f"{stack.registry}/hackuman/behavioral").tag(name, "1")
    said = engine().images.push(name, "1", auth_config={"username": _USER, "password": _FIRST})
    assert "error" not in said, said


def _set_password(guest: Stack, password: str) -> None:
    with guest.start("config", "set", "--secret", "--path", "fleetcaptain:registryLogin.password") as process:
        process.communicate(password, timeout=60)
    assert process.returncode == 0


def test_a_registry_with_a_login_serves_pushes_pulls_and_checks(
    stack: Stack, guests: Guests, private: tuple[Any, str]
) -> None:
    """And a changed password: a machine that has lost its image gets it again."""
    registry, address = private
    _push_other(stack, address)
    guest = guests("vault", _FLEETFILE.format(registry=address))
    shutil.copytree(stack.app / "behavioral", guest.app / "behavioral")
    (guest.app / "Dockerfile").write_text(f"FROM {stack.registry}/hackuman/behavioral\nLABEL vault=1\n")
    guest.set("registry", address)
    refused = guest.fails("up", "--yes", "--skip-preview").output
    assert "Failed to" in refused or "could not" in refused.lower()
    guest.must("config", "set", "--path", "fleetcaptain:registryLogin.user", _USER)
    _set_password(guest, _FIRST)
    shown = [guest.up().output]
    guest.rests()
    (current,) = json.loads(guest.captain("releases", "--json").output)
    assert (current["can_go_back"], current["unknown_images"]) == (True, [])
    machine = machine_of(stack, "own@1.service")
    config = json.loads(run_on(machine, "cat", _CONFIG))
    assert base64.b64decode(config["auths"][address]["auth"]).decode() == f"{_USER}:{_FIRST}"
    assert run_on(machine, "stat", "-c", "%a %U", _CONFIG).split() == ["600", "root"]

    _let_in(registry, _SECOND)
    _set_password(guest, _SECOND)
    shown += [guest.preview().output, guest.up().output]
    assert '"own"' not in shown[-2]
    run_on(machine, "sh", "-c", "systemctl stop own@1 && docker rmi -f $(docker images -q --filter label=vault=1)")
    run_on(machine, "systemctl", "start", "own@1")
    assert run_on(machine, "docker", "images", "-q", "--filter", "label=vault=1").strip()
    shown += [guest.must("stack", "export").output, guest.settings.read_text()]
    shown += [node.value for node in stack.cluster().store.below("/fleetcaptain")]
    shown += [run_on(machine, "journalctl", "--no-pager", "--output=cat")]
    for secret in (_FIRST, _SECOND, base64.b64encode(f"{_USER}:{_FIRST}".encode()).decode()):
        assert not [text[:500] for text in shown if secret in text]
