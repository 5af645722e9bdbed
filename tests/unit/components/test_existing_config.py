"""A cluster that others made: what its settings may say, which fleet it has to be, what a stack learns of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.cluster.existing import machines_of
from components.cluster.existing_config import connection_of, version_problem
from fleetcaptain.errors import ClusterRefused, FleetApiError
from tests.fakes.fleet.fleet_server import FakeFleet

REGISTRY = {"registry": "registry.example.org:5000"}
SSH = ["ssh://core@10.0.0.1", "ssh://core@10.0.0.2:2222"]


def refused(fleet: list[str], settings: dict[str, str]) -> tuple[str, ...]:
    """All that is wrong."""
    with pytest.raises(ClusterRefused) as caught:
        connection_of(fleet, settings, "shop/prod", Path("/nowhere"))
    return caught.value.problems


def test_a_cluster_behind_ssh(tmp_path: Path) -> None:
    """Several machines, a key below the project's folder, which may be moved, a bastion."""
    (tmp_path / "key").touch()
    settings = {**REGISTRY, "sshKey": "key", "bastion": "ann@gate"}
    assert connection_of(SSH, settings, "shop/prod", tmp_path) == {
        "kind": "existing",
        "stack": "shop/prod",
        "ssh": ["core@10.0.0.1", "ssh://core@10.0.0.2:2222"],
        "key": "key",
        "known_hosts": "",
        "jump": "ann@gate",
    }


@pytest.mark.parametrize("url", ["unix:///run/fleet.sock", "http://127.0.0.1:49153", "http://localhost:49153"])
def test_a_cluster_at_hand(url: str) -> None:
    """etcd is on the loopback too, at its own port unless another is named."""
    connection = connection_of([url], REGISTRY, "shop/prod", Path("/nowhere"))
    assert (connection["fleet"], connection["etcd"]) == (url, "http://127.0.0.1:2379")
    named = connection_of([url], {**REGISTRY, "etcd": "http://127.0.0.1:9"}, "shop/prod", Path("/nowhere"))
    assert named["etcd"] == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("fleet", "settings", "words"),
    [
        ([], {}, "fleetcaptain:fleet is required"),
        (["10.0.0.1"], {}, "'10.0.0.1' must have the form ssh://core@host"),
        (["https://127.0.0.1:49153"], {}, "must have the form"),
        (["http://127.0.0.1"], {}, "must have the form"),
        (["http://10.0.0.1:49153"], {}, "is on the network"),
        (["http://fleet.example.org:49153"], {}, "is on the network"),
        (["unix://run/fleet.sock"], {}, "must have the form unix:///"),
        (["ssh://core@10.0.0.1:x"], {}, "must have the form ssh://user@host"),
        (["ssh://core@10.0.0.1", "unix:///run/fleet.sock"], {}, "must be either ssh:// addresses"),
        (["unix:///a", "unix:///b"], {}, "must be a single address without ssh, not 2"),
        (["unix:///a"], {"bastion": "gate"}, "fleetcaptain:bastion requires ssh:// addresses"),
        (["unix:///a"], {"etcd": "http://10.0.0.1:2379"}, "is on the network"),
        (["unix:///a"], {"etcd": "unix://run/etcd.sock"}, "must have the form unix:///"),
        (["ssh://core@a"], {"etcd": "http://127.0.0.1:2379"}, "remove it"),
        (["ssh://core@a"], {"sshKey": "none"}, "the file /nowhere/none does not exist"),
        (["ssh://core@a"], {"bastion": "a b"}, "fleetcaptain:bastion: 'a b' must have the form"),
        (["ssh://core@a"], {"registry": "Not A Registry"}, "fleetcaptain:registry must be"),
        (["ssh://core@a"], {"registry": ""}, "fleetcaptain:registry is required"),
    ],
)
def test_each_mistake_is_named(fleet: list[str], settings: dict[str, str], words: str) -> None:
    """By the setting that has it, and nothing else is complained of."""
    complete = {**REGISTRY, **settings}
    problems = refused(fleet, complete)
    assert len(problems) == 1, problems
    assert words in problems[0]


def test_all_mistakes_are_told_at_once() -> None:
    """In one report."""
    settings = {"sshKey": "none", "bastion": "a b", "etcd": "http://127.0.0.1:2379", "registry": "A"}
    assert len(refused(["ssh://core@a", "ssh://b:x"], settings)) == 5


@pytest.mark.parametrize("server", ["fleetd/1.0.0", "fleetd/0.13.0", "fleetd/v1.0.0-dirty", "fleetd/2.3.4"])
def test_a_fleet_that_can_replace_units_will_do(server: str) -> None:
    """From 0.13 on."""
    assert version_problem(server) == ""


@pytest.mark.parametrize("server", ["fleetd/0.12.1", "fleetd/0.11.5", "nginx/1.25.3", "", "fleetd"])
def test_what_is_too_old_or_not_fleet_is_refused_with_a_way_out(server: str) -> None:
    """One error, from the header of its first answer; the cluster is only asked."""
    fake = FakeFleet()
    fake.server_header = server
    connection = {"kind": "existing", "stack": server, "fleet": fake.url, "etcd": fake.url}
    with pytest.raises(ClusterRefused) as caught:
        machines_of(connection)
    assert ("0.13" if "0.1" in server else "is not fleet") in str(caught.value)
    assert {request.method for request in fake.requests} == {"GET"}


def test_a_stack_knows_the_machines_of_the_cluster() -> None:
    """By name where fleet has one for them, else by id."""
    fake = FakeFleet()
    found = machines_of({"kind": "existing", "stack": "a", "fleet": fake.url, "etcd": fake.url})
    assert sorted(found.values()) == sorted(machine.ip for machine in fake.cluster.machines)


def test_a_server_without_fleets_paths_is_not_fleet() -> None:
    """It is told as that, not as an empty cluster."""
    fake = FakeFleet()
    with pytest.raises(FleetApiError, match="is not fleet"):
        machines_of({"kind": "existing", "stack": "a", "fleet": f"{fake.url}/elsewhere", "etcd": fake.url})
