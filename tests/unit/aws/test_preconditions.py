"""What a cluster on AWS requires in addition to valid settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.aws.preconditions import unmet_preconditions
from components.aws.settings import read
from components.cluster.reserved_ports import reserved_ports
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleetfile.values import App, Build, HttpRoute, Port, ServiceSpec, TaskSpec
from fleetcaptain.machine.machine_ports import RESERVED
from fleetcaptain.release.balanced_app import adapted


def app(*ports: Port) -> App:
    """An app with one service that publishes *ports*."""
    return App("shop", (ServiceSpec("web", "", "web:1", ports=ports),), Path("/app"))


def unmet(app: App, *, empty: bool = False, partition: str = "aws") -> list[str]:
    """What is unmet for *app*."""
    return unmet_preconditions(app, stack="prod", empty_passphrase=empty, partition=partition)


def test_an_app_on_its_own_ports_meets_them() -> None:
    """Also ports of a container that docker maps to a free one, and udp."""
    assert unmet(app(Port(2379), Port(22, 8022), Port(80, 80), Port(53, 2380, protocol="udp"))) == []


@pytest.mark.parametrize("number", RESERVED)
def test_the_ports_of_the_machines_own_programs_are_refused(number: int) -> None:
    """The container would not start, and the security groups would open the port to all machines."""
    (problem,) = reserved_ports(app(Port(80, number)))
    assert problem.startswith(f"web: port {number} of the machines is for {RESERVED[number]}")
    assert str(number + 10000) in problem


def test_a_public_port_is_that_of_the_services_with_its_routes() -> None:
    """No Fleetfile has the proxy."""
    web, api = (ServiceSpec(name, "", "web:1", ports=(Port(80),), public=(HttpRoute(22),)) for name in ("web", "api"))
    proxied = adapted(App("shop", (web, replace(api, public=(HttpRoute(22, path="/api"),))), Path("/app")), "local")
    assert reserved_ports(proxied) == [
        "api, web: public=22: port 22 of the machines is for ssh. Publish another one, such as 10022"
    ]


@pytest.mark.parametrize("last", [2380, 2400])
def test_a_range_with_such_a_port_is_refused(last: int) -> None:
    """Docker takes the first free one."""
    assert any("port 2380" in problem for problem in reserved_ports(app(Port(80, 2380, last))))
    assert reserved_ports(app(Port(80, 2382, 2400))) == []


def test_a_tasks_ports_count_too() -> None:
    """It runs on the same machines."""
    task = TaskSpec(ServiceSpec("nightly", "", "web:1", ports=(Port(80, 22),)))
    assert len(reserved_ports(App("shop", (), Path("/app"), tasks=(task,)))) == 1


def test_an_image_for_another_processor_is_refused() -> None:
    """It would not start; one that names the machines' own platform, or none, is built for them."""
    images = {"arm": ("linux/arm64",), "amd": ("linux/amd64",), "any": ()}
    services = tuple(ServiceSpec(name, "", Build(name, platforms=found)) for name, found in images.items())
    (problem,) = unmet(App("shop", services, Path("/app")))
    assert problem.startswith("arm: Build(platforms=['linux/arm64']) is for another processor")


def test_an_empty_passphrase_is_refused_with_the_commands_that_change_it() -> None:
    """The state will have the keys of etcd."""
    (problem,) = unmet(app(), empty=True)
    assert "`pulumi stack change-secrets-provider passphrase --stack prod`" in problem
    assert "awskms://" in problem
    assert "`pulumi login s3://BUCKET`" in problem


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_other_partitions_are_refused(partition: str) -> None:
    """Their images and addresses are others."""
    (problem,) = unmet(app(), partition=partition)
    assert problem.startswith(f"aws:region is in the partition {partition}")


def test_all_is_in_the_report_of_the_settings() -> None:
    """If these are invalid; else it is in that of the preflight."""
    problems = unmet(app(Port(80, 22)), empty=True, partition="aws-cn")
    with pytest.raises(ClusterRefused, match="with these settings") as raised:
        read({"size": "13", "keyPair": "ann"}.get, problems)
    assert len(raised.value.problems) == 4
    assert read({"keyPair": "ann"}.get, problems).key_pair == "ann"
