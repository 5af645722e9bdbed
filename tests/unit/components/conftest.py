"""What tests of resources and providers share: a cluster that every connection leads to, and no state between tests."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from types import SimpleNamespace

import docker
import pytest

from components.cluster import handle, local_handle
from fleetcaptain.localcluster import cluster_ready, docker_client, membership
from fleetcaptain.members.reconcile import reconcile
from tests.fakes.fake_machines import FakeMachines
from tests.fakes.fake_site import Site


@pytest.fixture(autouse=True)
def _provider_process() -> None:
    """Each test begins like a new process of the providers' host."""
    docker_client.engine.cache_clear()
    local_handle._original.cache_clear()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    """A cluster of three machines without any unit; each connection of the test leads to it."""
    site = Site()
    monkeypatch.setattr(handle, "open_cluster", lambda _endpoint, app: site.cluster(app))
    return site


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What providers warn of."""
    messages: list[str] = []
    for module in ("components.etcd_readiness", "components.stray_units"):
        monkeypatch.setattr(f"{module}.warn", messages.append)
    announced = "components.fleet_unit.announce_warning"
    monkeypatch.setattr(announced, lambda names, text: messages.append(f"{names}: {text}"))
    return messages


@pytest.fixture
def docker_machines(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The machines of a local cluster that run, by name, as Docker reports them: ``running`` is None when there is no
    machine at all. ``original``: the checkout that the cluster belongs to, "" for this one."""
    state = SimpleNamespace(running=frozenset({"m1", "m2", "m3"}), original="")
    monkeypatch.setattr("components.cluster.local_handle.original", lambda _identity, _home: state.original)
    monkeypatch.setattr("components.cluster.local_handle.machines_running", lambda _identity: state.running)
    return state


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> FakeMachines:
    """An engine without anything. Machines listen for ssh as soon as they run, and no time passes in waits."""
    machines = FakeMachines()
    monkeypatch.setattr(docker, "from_env", lambda **_: machines.docker)
    monkeypatch.setattr(cluster_ready, "socket", SimpleNamespace(create_connection=lambda *_, **__: nullcontext()))
    moments = iter(range(10_000))
    monkeypatch.setattr(
        cluster_ready, "time", SimpleNamespace(monotonic=lambda: next(moments) * 10, sleep=lambda _: None)
    )
    monkeypatch.setattr(membership, "reconcile", functools.partial(reconcile, sleep=lambda _: None))
    return machines
