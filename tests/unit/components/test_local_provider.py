"""A local cluster in an engine in memory: how it is made, repaired, grown and removed, and what is read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from components.cluster.local_handle import LocalHandle
from components.cluster.local_provider import LocalMachinesProvider
from components.engine.dynamic_resource import PartialFailure
from fleetcaptain.errors import ClusterRefused, ClusterUnreachable, DeadlineExceeded, FleetCaptainError, QuorumLost
from fleetcaptain.fleet.connection import Connection
from fleetcaptain.localcluster.cluster_ready import apply_metadata
from fleetcaptain.localcluster.docker_client import machines_running
from fleetcaptain.localcluster.layout import Layout, subnets
from fleetcaptain.machine.tls import KEY
from tests.fakes.fake_docker import Container, FakeDocker
from tests.fakes.fake_machines import FakeMachines
from tests.unit.components.local_inputs import IDENTITY, NAME, PREFIX, cluster_inputs

PROVIDER = LocalMachinesProvider()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stack that has its key already."""
    monkeypatch.chdir(tmp_path)
    folder = Path(".fleetcaptain/dev")
    folder.mkdir(parents=True)
    (folder / "id_ed25519").write_text("private")
    (folder / "id_ed25519.pub").write_text("ssh-ed25519 AAAA")
    return folder


def container(machines: FakeMachines, name: str) -> Container:
    """The container of a machine, or of the registry."""
    return machines.docker.made[f"{PREFIX}-{name}"]


def read(props: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that are read back."""
    inputs = PROVIDER.read(IDENTITY, dict(props)).inputs
    assert inputs is not None
    return inputs


def names(machines: FakeMachines) -> set[str]:
    """The names of all containers."""
    return {name.removeprefix(f"{PREFIX}-") for name in machines.docker.made}


def volumes(machines: FakeMachines) -> set[str]:
    """The names of all volumes with data."""
    return {name.removeprefix(f"{PREFIX}-") for name in machines.docker.volumes_made} - {"checkout"}


def test_the_addresses_are_chosen_in_the_first_preview_and_kept(
    machines: FakeMachines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the same ones each time, unless another network has them."""
    monkeypatch.chdir(tmp_path)
    preferred, new = (
        list(subnets(f"{NAME} {tmp_path}"))[:2],
        {"identity": NAME, "size": 3.0, "home": ".fleetcaptain/dev"},
    )
    first = PROVIDER.check({}, new)
    assert first.inputs["subnet"] == preferred[0]
    assert first.failures == []
    chosen = {"subnet": "10.99.1.0/24", "registry_port": 23456}
    kept = PROVIDER.check(chosen, {**new, "size": 5.0})
    assert {key: kept.inputs[key] for key in chosen} == chosen
    machines.docker.networks.create(
        "other", "bridge", {"Config": [{"Subnet": preferred[0]}, {"Subnet": "fd00::/8"}]}, {}
    )
    assert PROVIDER.check({}, new).inputs["subnet"] == preferred[1]
    machines.docker.networks.create("all", "bridge", {"Config": [{"Subnet": "10.0.0.0/8"}]}, {})
    with pytest.raises(FleetCaptainError, match=r"no subnet .* is free.*docker network prune"):
        PROVIDER.check({}, new)


@pytest.mark.parametrize("size", [0.0, 8.0])
@pytest.mark.usefixtures("machines")
def test_a_cluster_has_one_to_seven_machines(size: float) -> None:
    """Others are refused in the preview."""
    new = {"identity": NAME, "size": size, "home": ".fleetcaptain/dev"}
    (failure,) = PROVIDER.check({}, new).failures
    assert (failure.property, failure.reason) == ("size", "a local cluster must have 1 to 7 machines")


def test_a_new_cluster_is_a_network_a_registry_and_its_machines(machines: FakeMachines, home: Path) -> None:
    """Three keep etcd's data. It reads back as its inputs, and making it again changes nothing."""
    inputs = cluster_inputs(home, 4)
    assert PROVIDER.create(inputs).outs == inputs
    assert names(machines) == {"registry", "m1", "m2", "m3", "m4"}
    assert volumes(machines) == {
        "registry",
        *(f"m{number}-{kind}" for number in (1, 2, 3, 4) for kind in ("docker", "srv")),
        *(f"m{number}-etcd" for number in (1, 2, 3)),
    }
    assert list(machines.docker.networks_made) == [PREFIX]
    assert machines.members == ["m1", "m2", "m3"]
    assert read(inputs) == inputs
    starts = {name: one.starts for name, one in machines.docker.made.items()}
    PROVIDER.update(IDENTITY, inputs, inputs)
    assert {name: one.starts for name, one in machines.docker.made.items()} == starts
    assert machines_running(IDENTITY) == frozenset({"m1", "m2", "m3", "m4"})


def test_a_machine_boots_from_its_definition(machines: FakeMachines, home: Path) -> None:
    """With its identity, its programs, the stack's key, and, in fleet, its metadata."""
    inputs = cluster_inputs(home)
    PROVIDER.create(inputs)
    layout, machine = Layout.of(inputs), container(machines, "m2")
    assert machine.address == layout.addresses["m2"]
    assert machine.files["/etc/machine-id"].decode().strip() == layout.machine_id("m2")
    assert machine.files["/opt/bin/fleetd"].endswith(b"the program fleetd")
    assert machine.files["/home/core/.ssh/authorized_keys"] == b"ssh-ed25519 AAAA\n"
    assert machines.metadata[layout.machine_id("m2")] == {"name": "m2", "zone": "z2", "disk": "ssd"}
    registry = container(machines, "registry").config["HostConfig"]["PortBindings"]["5000/tcp"]
    assert registry == [{"HostIp": "127.0.0.1", "HostPort": "25000"}]


def test_no_container_has_more_rights_than_listed(machines: FakeMachines, home: Path) -> None:
    """Neither all capabilities nor devices of this computer; none by a name that an old engine or kernel lacks."""
    PROVIDER.create(cluster_inputs(home))
    for one in machines.docker.made.values():
        host = one.config["HostConfig"]
        assert host["CapDrop"] == ["ALL"]
        assert not {"Privileged", "Devices", "DeviceCgroupRules", "PidMode", "IpcMode"} & set(host)
    added = set(container(machines, "m1").config["HostConfig"]["CapAdd"])
    assert not added & {"ALL", "SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "SYS_TIME", "SYSLOG", "DAC_READ_SEARCH"}
    assert not added & {"SYS_RESOURCE", "BPF", "PERFMON", "CHECKPOINT_RESTORE"}
    assert "CapAdd" not in container(machines, "registry").config["HostConfig"]


def test_with_tls_each_machine_has_a_certificate(machines: FakeMachines, home: Path) -> None:
    """Of the stack's own authority; no definition contains them, as every process on a machine can read it."""
    PROVIDER.create(cluster_inputs(home, tls=True))
    keys = {name: one.files[KEY] for name, one in machines.docker.made.items() if one.files}
    assert len(set(keys.values())) == 3
    assert machines.members == ["m1", "m2", "m3"]


@pytest.mark.parametrize("tls", [True, False])
def test_with_tls_etcd_asks_who_a_client_is(machines: FakeMachines, home: Path, tls: bool) -> None:
    """And lets containers write what is left open. The keys of etcd's users are for root alone."""
    PROVIDER.create(cluster_inputs(home, tls=tls, open_dirs=["/config"]))
    assert machines.access.enabled is tls
    assert machines.access.roles.get("guest", {}).get("write", []) == (["/config/*"] if tls else [])
    paths = [path for path in container(machines, "m1").files if path.startswith("/etc/fleetcaptain/tls/")]
    assert ("/etc/fleetcaptain/tls/root-key.pem" in paths) is tls


def test_a_new_cluster_has_tls_and_one_that_exists_stays_as_it_is(machines: FakeMachines, home: Path) -> None:
    """Where the settings say nothing of it, also when the state was lost."""
    new = {"identity": NAME, "size": 3.0, "home": str(home), "tls": None}
    assert PROVIDER.check({}, new).inputs["tls"] is True
    inputs = cluster_inputs(home, tls=False)
    assert PROVIDER.check(inputs, new).inputs["tls"] is False
    PROVIDER.create(inputs)
    assert PROVIDER.check({}, new).inputs["tls"] is False
    assert machines.members == ["m1", "m2", "m3"]


def test_what_is_missing_or_stopped_shows(machines: FakeMachines, home: Path) -> None:
    """The state says so when a member's data is missing too."""
    inputs = cluster_inputs(home, 4)
    PROVIDER.create(inputs)
    container(machines, "m1").status = "exited"
    for name in ("m2", "m4", "registry"):
        container(machines, name).remove(force=True)
    machines.docker.volumes.get(f"{PREFIX}-m2-etcd").remove(force=True)
    assert read(inputs) == {
        **inputs,
        "state": "registry is missing, m1 is exited, m2 is missing, and so is its data, m4 is missing",
    }


def test_a_registry_that_collects_no_garbage_is_replaced_and_keeps_its_images(
    machines: FakeMachines, home: Path
) -> None:
    """An earlier version's; the machines are not touched."""
    inputs = cluster_inputs(home, 3)
    PROVIDER.create(inputs)
    starts = {name: one.starts for name, one in machines.docker.made.items()}
    registry = machines.docker.made[f"{PREFIX}-registry"]
    registry.attrs["Config"]["Entrypoint"] = None
    registry.labels = {**registry.labels, "fleetcaptain.config": "an earlier version's"}
    assert read(inputs) == {**inputs, "state": "registry collects no garbage"}
    PROVIDER.update(IDENTITY, read(inputs), inputs)
    assert machines.docker.made[f"{PREFIX}-registry"] is not registry
    assert f"{PREFIX}-registry" in registry.volumes
    assert read(inputs) == inputs
    assert {name: one.starts for name, one in machines.docker.made.items()} == starts


def test_a_cluster_of_which_nothing_is_left_is_made_again(machines: FakeMachines, home: Path) -> None:
    """It is gone from the state."""
    assert machines.docker.made == {}
    assert PROVIDER.read(IDENTITY, cluster_inputs(home)).id is None
    assert machines_running(IDENTITY) is None


@pytest.mark.parametrize("status", ["exited", "paused"])
def test_a_machine_that_does_not_run_is_started_as_it_was(machines: FakeMachines, home: Path, status: str) -> None:
    """It keeps its container. What it had registered before is forgotten: it would be believed for a minute."""
    inputs = cluster_inputs(home, 4)
    PROVIDER.create(inputs)
    machine = container(machines, "m4")
    machine.status = status
    entry = {"service": "web", "unit": "web@1.service", "machine": Layout.of(inputs).machine_id("m4")}
    for name, since in (("old", "2029-01-01T00:00:00Z"), ("new", "2030-01-01T13:00:00Z")):
        machines.values[f"/fleetcaptain/shop/services/web/{name}"] = (json.dumps({**entry, "since": since}), 7)
    PROVIDER.update(IDENTITY, inputs, inputs)
    assert container(machines, "m4") is machine
    assert machine.status == "running"
    assert [key.rpartition("/")[2] for key in machines.values] == ["new"]


def test_a_machine_of_another_image_is_replaced_and_keeps_its_data(machines: FakeMachines, home: Path) -> None:
    """One after the other, each drained first."""
    inputs = cluster_inputs(home)
    PROVIDER.create(inputs)
    before, data = dict(machines.docker.made), volumes(machines)
    PROVIDER.update(IDENTITY, inputs, {**inputs, "image": "machine:2"})
    assert all(machines.docker.made[name] is not one for name, one in before.items())
    assert volumes(machines) == data
    assert [name for name in machines.drained if name != "registry"] == ["m1", "m2", "m3"]
    assert "machine:2" in machines.docker.known_images


@pytest.mark.parametrize(
    "answers",
    [
        [(22, "curl: (22) The requested URL returned error: 503")],
        [(0, "")],
        [(0, "[]"), (0, '{"machines": [{}]}')],
        [(0, '{"machines": []}'), (56, "")],  # the first request is answered, the change is not
    ],
)
def test_a_fleet_that_fails_for_a_moment_is_asked_again(
    machines: FakeMachines, home: Path, answers: list[tuple[int, str]]
) -> None:
    """fleetd answers with errors while etcd elects a leader, also right after every machine was ready."""
    PROVIDER.create(cluster_inputs(home))
    layout = Layout.of({**cluster_inputs(home), "metadata": {"tier": "front"}})
    machines.failing[:] = answers
    apply_metadata(layout, 180)
    assert machines.failing == []
    assert machines.metadata[layout.machine_id("m1")]["tier"] == "front"


def test_a_fleet_that_never_takes_metadata_fails_with_its_reason(machines: FakeMachines, home: Path) -> None:
    """After the same time as a cluster that does not get ready."""
    PROVIDER.create(cluster_inputs(home))
    machines.failing[:] = [(22, "curl: (22) error: 503")] * 1000
    with pytest.raises(DeadlineExceeded, match=r"set the machines' metadata in fleet within 180 s: curl: \(22\)"):
        apply_metadata(Layout.of(cluster_inputs(home)), 180)


def test_metadata_is_changed_while_machines_run(machines: FakeMachines, home: Path) -> None:
    """A new container, or a restart of fleet, would stop their units."""
    inputs = cluster_inputs(home)
    PROVIDER.create(inputs)
    before = dict(machines.docker.made)
    PROVIDER.update(IDENTITY, inputs, {**inputs, "metadata": {"tier": "front"}})
    assert machines.docker.made == before
    found = machines.metadata[Layout.of(inputs).machine_id("m1")]
    assert found == {"name": "m1", "zone": "z1", "tier": "front"}


def test_a_cluster_grows_one_member_at_a_time(machines: FakeMachines, home: Path) -> None:
    """From one machine to four, of which three keep etcd's data."""
    small, large = cluster_inputs(home, 1), cluster_inputs(home, 4)
    PROVIDER.create(small)
    first = container(machines, "m1")
    PROVIDER.update(IDENTITY, small, large)
    assert names(machines) == {"registry", "m1", "m2", "m3", "m4"}
    assert machines.members == ["m1", "m2", "m3"]
    assert container(machines, "m1") is first
    assert read(large) == large


def test_a_cluster_that_shrinks_drains_the_machines_that_go(machines: FakeMachines, home: Path) -> None:
    """Their units go to the others first; then they leave etcd, and nothing of them stays."""
    large, small = cluster_inputs(home, 4), cluster_inputs(home, 1)
    PROVIDER.create(large)
    PROVIDER.update(IDENTITY, large, small)
    assert names(machines) == {"registry", "m1"}
    assert volumes(machines) == {"registry", "m1-docker", "m1-srv", "m1-etcd"}
    assert machines.members == ["m1"]
    assert machines.drained == ["m2", "m3", "m4"]


def test_a_machine_that_stays_without_being_a_member_keeps_no_data_of_etcds(machines: FakeMachines, home: Path) -> None:
    """Two machines have one member: two would not survive the loss of one."""
    large, small = cluster_inputs(home, 3), cluster_inputs(home, 2)
    PROVIDER.create(large)
    PROVIDER.update(IDENTITY, large, small)
    assert machines.members == ["m1"]
    assert volumes(machines) == {"registry", "m1-docker", "m1-srv", "m1-etcd", "m2-docker", "m2-srv"}


def test_a_stopped_cluster_can_shrink(machines: FakeMachines, home: Path) -> None:
    """Members that are about to leave are started once more: without them etcd decides nothing."""
    large, small = cluster_inputs(home, 3), cluster_inputs(home, 1)
    PROVIDER.create(large)
    for one in machines.docker.made.values():
        one.status = "exited"
    PROVIDER.update(IDENTITY, large, small)
    assert names(machines) == {"registry", "m1"}
    assert machines.members == ["m1"]
    assert read(small) == small


def test_with_another_authority_all_machines_are_replaced(machines: FakeMachines, home: Path) -> None:
    """At once: one after the other, the first would find no quorum that knows it. Their data stays."""
    inputs = cluster_inputs(home, tls=True)
    PROVIDER.create(inputs)
    before, data = dict(machines.docker.made), volumes(machines)
    shutil.rmtree(home / "tls")
    PROVIDER.update(IDENTITY, inputs, inputs)
    assert [name for name, one in machines.docker.made.items() if before[name] is one] == [f"{PREFIX}-registry"]
    assert machines.drained == []
    assert volumes(machines) == data
    assert machines.members == ["m1", "m2", "m3"]


def test_a_member_that_lost_its_data_joins_again(machines: FakeMachines, home: Path) -> None:
    """While the other two have a quorum."""
    inputs = cluster_inputs(home)
    PROVIDER.create(inputs)
    container(machines, "m2").remove(force=True)
    machines.docker.volumes.get(f"{PREFIX}-m2-etcd").remove(force=True)
    PROVIDER.update(IDENTITY, inputs, inputs)
    assert machines.members == ["m1", "m2", "m3"]
    assert machines.listed[Layout.of(inputs).addresses["m2"]][0] == "new-1"
    assert read(inputs) == inputs


def test_without_a_quorum_of_data_nothing_is_changed(machines: FakeMachines, home: Path) -> None:
    """Whatever is left of it might still be saved. It is known from the last run who the members were."""
    inputs = cluster_inputs(home)
    PROVIDER.create(inputs)
    for name in ("m2", "m3"):
        container(machines, name).remove(force=True)
        machines.docker.volumes.get(f"{PREFIX}-{name}-etcd").remove(force=True)
    container(machines, "m1").status = "exited"
    with pytest.raises(QuorumLost, match="2 of its 3 members lost their data"):
        PROVIDER.update(IDENTITY, inputs, inputs)
    assert names(machines) == {"registry", "m1"}


def test_a_cluster_that_does_not_become_ready_stays_in_the_state(machines: FakeMachines, home: Path) -> None:
    """As incomplete, so that the next `pulumi up` goes on. The error has a journal of a machine that is not ready."""
    machines.dead.add("m2")
    inputs = cluster_inputs(home)
    with pytest.raises(
        PartialFailure, match=r"(?s)not ready after 180 s: m2\n.*-m2 \(running\):\n  the journal of m2"
    ) as failed:
        PROVIDER.create(inputs)
    assert failed.value.outs == {**inputs, "state": "incomplete"}
    with pytest.raises(DeadlineExceeded):
        PROVIDER.update(IDENTITY, inputs, inputs)
    machines.dead.clear()
    assert PROVIDER.update(IDENTITY, inputs, inputs).outs == inputs


def test_data_of_services_goes_only_with_consent(
    machines: FakeMachines, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named volumes and /srv count; volumes that docker named do not. Nothing is removed before."""
    inputs = cluster_inputs(home)
    PROVIDER.create(inputs)
    anonymous = "0badc0de" * 8
    machines.docker.data = f"m1/docker/volumes/{anonymous}/_data\nm1/docker/volumes/shop-db/_data\nm2/srv\n".encode()
    there = names(machines)
    with pytest.raises(ClusterRefused) as error:
        PROVIDER.delete(IDENTITY, inputs)
    assert error.value.problems[:2] == ("m1 has the data of shop-db", "m2 has the data of /srv")
    with pytest.raises(ClusterRefused):
        LocalHandle(Connection.parse(Layout.of(inputs).connection())).refuse_loss()
    assert names(machines) == there
    (failure,) = PROVIDER.check(inputs, {**inputs, "size": 1.0, "identity": NAME}).failures
    assert "m2 has /srv" in failure.reason
    monkeypatch.setenv("FLEETCAPTAIN_LOSE_DATA", "shop-db,/srv")
    PROVIDER.delete(IDENTITY, inputs)
    assert names(machines) == set()


def test_a_removed_cluster_leaves_nothing(machines: FakeMachines, home: Path) -> None:
    """Its key goes too. What other stacks have stays."""
    inputs = cluster_inputs(home)
    PROVIDER.create(inputs)
    machines.docker.volumes.create("theirs", {"fleetcaptain.stack": "theirs"})
    own, other = f"127.0.0.1:{inputs['registry_port']}/acme/shop", "127.0.0.1:1/acme/shop"
    machines.docker.built = [
        ([f"{own}:latest", "shop:kept"], [f"{own}@sha256:2"]),
        ([], [f"{own}@sha256:1"]),
        ([f"{other}:latest"], []),
    ]
    PROVIDER.delete(IDENTITY, inputs)
    assert machines.docker.built == [(["shop:kept"], []), ([], []), ([f"{other}:latest"], [])]
    assert machines.docker.made == {}
    assert list(machines.docker.volumes_made) == ["theirs"]
    assert machines.docker.networks_made == {}
    assert not home.exists()


def test_a_program_that_is_missing_is_named(
    machines: FakeMachines, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before anything is made."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PartialFailure, match=r"etcd is neither in .*nor on PATH. Run `make tools`"):
        PROVIDER.create(cluster_inputs(home, tools=str(tmp_path)))
    assert machines.docker.made == {}


def test_an_engine_that_does_not_answer_says_how_to_start_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one line of Docker's own words."""

    def absent(**_: Any) -> FakeDocker:
        raise docker.errors.DockerException("connection refused\nand so on")

    monkeypatch.setattr(docker, "from_env", absent)
    with pytest.raises(ClusterUnreachable, match=r"does not answer: connection refused\n.*`make tools`"):
        PROVIDER.read(IDENTITY, cluster_inputs(home))


def test_a_refusal_of_docker_is_reported_in_its_words(machines: FakeMachines, home: Path) -> None:
    """With what was tried."""

    def refuse(*_: Any) -> None:
        raise docker.errors.APIError("400", explanation="invalid address")

    machines.docker.api.create_container_from_config = refuse
    with pytest.raises(PartialFailure, match=f"Could not create {PREFIX}-registry: invalid address"):
        PROVIDER.create(cluster_inputs(home))


def test_a_failed_build_of_the_image_is_reported_with_its_last_lines(machines: FakeMachines, home: Path) -> None:
    """A missing base image says where it comes from."""

    def fail(**_: Any) -> None:
        raise docker.errors.BuildError("exit 1", iter([{"stream": "RUN make\n"}, {"error": "no rule\n"}]))

    machines.docker.images.build = fail
    with pytest.raises(PartialFailure, match=r"(?s)Failed to build the machines' image: exit 1\n  RUN make\n  no rule"):
        PROVIDER.create(cluster_inputs(home))
    machines.docker.known_images.clear()
    with pytest.raises(PartialFailure, match="no image debian:trixie"):
        PROVIDER.create(cluster_inputs(home))
