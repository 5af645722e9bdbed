"""How the agent pulls with an app's logins at registries, by the real program and the real OpenSSL."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.discovery.keys import registries_key
from fleetcaptain.registry_login import RegistryLogin, docker_config
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.agent.test_agent_secrets import encrypted, give_key
from tests.unit.units.shell_machine import APP, IMAGE, UNIT, PretendedMachine
from tests.unit.units.specs import SPECS

CONFIG = docker_config([RegistryLogin("ghcr.io", "acme", "s3cr3t")])


def keep(machine: PretendedMachine, etcd: FakeEtcd, config: str = CONFIG, header: str = f"{APP} registries") -> None:
    """etcd has *config*, encrypted."""
    etcd.put(registries_key(APP), encrypted(machine, f"fleetcaptain {header}\n{config}"))


def written(machine: PretendedMachine) -> Path:
    """docker's configuration on the machine."""
    return machine.home / "docker" / "config.json"


@pytest.fixture
def ready(machine: PretendedMachine, etcd: FakeEtcd) -> PretendedMachine:
    """A machine with a key, on which docker has no image and notes its calls."""
    give_key(machine)
    keep(machine, etcd)
    machine.stub("docker", f'echo "$*" >>{machine.folder}/asked; [ "$1" != image ]')
    return machine


def asked(machine: PretendedMachine) -> list[str]:
    """The calls of docker."""
    path = machine.folder / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_an_image_is_pulled_with_the_logins(ready: PretendedMachine) -> None:
    """docker reads them in a file that only root can read; no argument has one."""
    assert ready.agent("pull", "ghcr.io/acme/x:1").returncode == 0
    assert asked(ready) == [f"--config {ready.home}/docker pull ghcr.io/acme/x:1"]
    assert (written(ready).read_text(), written(ready).stat().st_mode & 0o777) == (CONFIG, 0o600)
    assert [path.name for path in written(ready).parent.iterdir()] == ["config.json"]


def test_a_unit_whose_image_is_missing_pulls_it_first(ready: PretendedMachine, etcd: FakeEtcd) -> None:
    """docker's run line knows no login. Without an answer of etcd the machine's own copy is used."""
    keep(ready, etcd, docker_config([RegistryLogin("docker.io", "acme", "s3cr3t")]))
    ready.loop()
    etcd.close()
    ready.load(SPECS["app_server"])
    assert ready.agent("starting", UNIT).returncode == 0
    assert asked(ready)[-1] == f"--config {ready.home}/docker pull {IMAGE}"


@pytest.mark.parametrize(
    "image", ["redis:7", "acme/shop", "docker.io/acme/shop", "quay.io/acme/x", "ghcr.io:80/acme/x"]
)
def test_other_registries_are_as_the_machines_docker_knows_them(ready: PretendedMachine, image: str) -> None:
    """It may have logins of its own."""
    ready.agent("pull", image)
    assert asked(ready) == [f"pull {image}"]


def test_without_logins_docker_pulls_as_always(machine: PretendedMachine) -> None:
    """And the unit's run line does it."""
    machine.stub("docker", f'echo "$*" >>{machine.folder}/asked')
    assert machine.agent("pull", "redis:7").returncode == 0
    machine.load(SPECS["app_server"])
    assert machine.agent("starting", UNIT).returncode == 0
    assert [line.split()[0] for line in asked(machine)] == ["pull", "rm"]


def test_the_loop_follows_what_etcd_has(ready: PretendedMachine, etcd: FakeEtcd) -> None:
    """Another password, and none any more. While the agent does not run nothing is in clear."""
    ready.own_clock()
    other = docker_config([RegistryLogin("ghcr.io", "acme", "other")])
    seen = f"cp {written(ready)} {ready.folder}/seen.$n 2>/dev/null"
    ready.loop(2, seen)
    assert (ready.folder / "seen.1").read_text() == CONFIG
    assert not written(ready).exists()
    keep(ready, etcd, other)
    ready.loop(1, seen)
    assert (ready.folder / "seen.1").read_text() == other
    etcd.remove(registries_key(APP))
    (ready.folder / "seen.1").unlink()
    ready.loop(1, seen)
    assert not (ready.folder / "seen.1").exists()
    assert not (ready.folder / "apps" / APP / "registries").exists()


def test_what_cannot_be_opened_or_is_another_apps_is_not_used(ready: PretendedMachine, etcd: FakeEtcd) -> None:
    """docker then pulls without a login, and says what the registry says."""
    keep(ready, etcd, header="blog registries")
    ready.agent("pull", "ghcr.io/x")
    assert asked(ready) == ["pull ghcr.io/x"]
    keep(ready, etcd)
    give_key(ready)
    for path in ready.folder.glob("secrets.*.old"):
        path.unlink()
    done = ready.agent("pull", "ghcr.io/x")
    assert "Could not open the logins at registries" in done.stdout
    assert (asked(ready)[-1], written(ready).exists()) == ("pull ghcr.io/x", False)
