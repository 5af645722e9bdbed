"""Which cluster the stack's configuration asks for, and what that one offers to the app."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.factory import choose_cluster, default_platforms
from fleetcaptain.errors import ClusterRefused, FleetCaptainError
from fleetcaptain.fleetfile.values import App, Build, Http, HttpRoute, Port, ServiceSpec
from fleetcaptain.registry_login import RegistryLogin
from fleetcaptain.units.render import render_app
from tests.fakes.fake_engine import PROJECT, STACK, FakeEngine
from tests.fakes.fake_machines import write_programs
from tests.fakes.fleet.fleet_server import FakeFleet
from tests.unit.aws.declared import CONFIG, aws_engine, fake_programs
from tests.unit.schedule.windows import window

APP = App(
    "shop",
    (ServiceSpec("web", "the web", Build(), ports=(Port(80, 8080),), ready=Http("/health"), public=(HttpRoute(443),)),),
    Path("/app"),
    "acme/shop",
)
MACHINES = {"subnet": "10.70.1.0/24", "registry_port": 25000}


def chosen(
    config: Mapping[str, str],
    engine: FakeEngine | None = None,
    app: App = APP,
    login: RegistryLogin | None = None,
    *,
    is_rollback: bool = False,
) -> FakeEngine:
    """The cluster for *config* and *app*, declared; its outputs are what it offers."""

    def program() -> None:
        rendered, settings = partial(render_app, app, "project/stack"), pulumi.Config(PROJECT)
        cluster = choose_cluster(settings, app, rendered, login, is_rollback=is_rollback)
        pulumi.export("kind", type(cluster).__name__)
        pulumi.export("owned", cluster.owned is not None)
        for name in ("connection", "registry", "etcd", "machines"):
            pulumi.export(name, getattr(cluster, name))
        pulumi.export("login", cluster.login)
        pulumi.export("login_is_secret", cluster.login and pulumi.Output.from_input(cluster.login.is_secret()))
        pulumi.export("balancer", cluster.balancer)

    engine = engine or FakeEngine(computed=lambda _kind, _name: MACHINES)
    return engine.run(program, config)


def test_without_any_settings_it_is_three_machines_on_this_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a folder of the stack's own, and a registry on the loopback."""
    monkeypatch.chdir(tmp_path)
    engine = chosen({})
    machines = engine.one("LocalMachines", "cluster")
    assert (machines["size"], machines.get("tls"), machines["state"]) == (3, None, "running")
    assert (machines["home"], machines["tools"]) == (f".fleetcaptain/{STACK}", ".tools/bin")
    assert engine.outputs["registry"] == "127.0.0.1:25000"
    assert engine.outputs["machines"] == {"m1": "10.70.1.11", "m2": "10.70.1.12", "m3": "10.70.1.13"}
    assert engine.outputs["etcd"] == [f"http://10.70.1.{host}:2379" for host in (11, 12, 13)]
    connection = engine.outputs["connection"]
    assert connection["ssh"] == ["core@10.70.1.11", "core@10.70.1.12", "core@10.70.1.13"]
    assert connection["stack"] == machines["identity"] == f"{PROJECT}/{STACK}"  # the rest is the provider's choice
    assert connection["key"] == f".fleetcaptain/{STACK}/id_ed25519"
    assert (engine.outputs["login"], engine.outputs["balancer"]) == (None, None)
    assert engine.outputs["owned"] is True


def test_a_local_cluster_has_the_size_that_is_configured() -> None:
    """Also a size that its provider will refuse: that says what sizes there are. With TLS etcd has other addresses."""
    large = chosen({"cluster": "local", "size": "5", "tls": "true"})
    assert large.one("LocalMachines", "cluster")["size"] == 5
    assert large.outputs["etcd"] == [f"https://10.70.1.{host}:2378" for host in (11, 12, 13)]
    assert chosen({"size": "0"}).one("LocalMachines", "cluster")["size"] == 0


def test_a_cluster_of_no_known_kind_is_refused() -> None:
    """The error lists the kinds; nothing is declared."""
    engine = FakeEngine()
    with pytest.raises(ClusterRefused, match="fleetcaptain:cluster must be one of local, aws, existing, not 'gce'"):
        chosen({"cluster": "gce"}, engine)
    assert engine.resources == {}


def with_window(**given: object) -> App:
    """The app, of which the service has a window."""
    (web,) = APP.services
    return replace(APP, services=(replace(web, scale=(window(**given),)),))


@pytest.mark.parametrize("config", [{}, {"cluster": "existing"}])
def test_machines_for_a_window_are_refused_where_machines_are_fixed(config: dict[str, str]) -> None:
    """A window without machines of its own uses those that are there."""
    engine = FakeEngine()
    with pytest.raises(ClusterRefused) as refused:
        chosen(config, engine, with_window(machines=4))
    (problem,) = refused.value.problems
    assert problem.startswith("service 'web', window 'peak': machines=4 is possible on AWS only")
    assert engine.resources == {}


def test_a_window_without_machines_is_for_every_cluster() -> None:
    """Its instances are started on the machines that are there."""
    assert chosen({}, app=with_window()).outputs["kind"] == "LocalCluster"


def test_an_existing_cluster_is_asked_who_it_is() -> None:
    """The stack owns nothing of it. Blanks around addresses do not matter."""
    with FakeFleet() as fleet:
        settings = {"fleet": f" {fleet.url} , ", "etcd": fleet.url, "registry": "registry.example.org:5000"}
        outputs = chosen({"cluster": "existing", **settings}).outputs
        login = RegistryLogin("registry.example.org:5000", "ci", "s3cret")
        with_login = chosen({"cluster": "existing", **settings}, login=login).outputs
    assert (with_login["login"], with_login["login_is_secret"]) == (("ci", "s3cret"), True)
    assert (outputs["owned"], outputs["login"]) == (False, None)
    assert outputs["registry"] == "registry.example.org:5000"
    assert sorted(outputs["machines"].values()) == sorted(machine.ip for machine in fleet.cluster.machines)
    assert outputs["etcd"] == [fleet.url]
    assert outputs["connection"] == {
        "kind": "existing",
        "stack": f"{PROJECT}/{STACK}",
        "fleet": fleet.url,
        "etcd": fleet.url,
    }


def test_an_existing_cluster_without_settings_is_refused() -> None:
    """With everything that is missing."""
    with pytest.raises(ClusterRefused, match=r"(?s)fleetcaptain:fleet is required.*fleetcaptain:registry is required"):
        chosen({"cluster": "existing"})


@pytest.fixture
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machines' programs, where `make tools` puts them."""
    tools = write_programs(tmp_path / ".tools" / "bin")
    monkeypatch.setattr("components.aws.coreos_cluster.PROGRAMS", fake_programs(tools))
    monkeypatch.chdir(tmp_path)
    # The keys of this computer are none of the tests' business, and its address would be asked for on the network.
    monkeypatch.setattr("components.aws.client_facts._keys", lambda _file, _host: None)
    monkeypatch.setattr("components.aws.client_facts._address", lambda: "")


@pytest.mark.usefixtures("_programs")
def test_a_cluster_on_aws_has_what_the_app_needs() -> None:
    """A repository for its image, its port between the machines, and a balancer for the service that is public."""
    engine = chosen({"cluster": "aws", **CONFIG}, aws_engine())
    assert [one["name"] for one in engine.of("Repository").values()] == ["fleetcaptain/prod/acme/shop"]
    ports = {rule["fromPort"] for rule in engine.of("SecurityGroupIngressRule").values() if "fromPort" in rule}
    assert {8080, 443} <= ports
    assert engine.outputs["balancer"] == "cluster-proxies.dnsName"
    assert engine.outputs["login"] == ("AWS", "token")
    assert engine.messages == []


@pytest.mark.usefixtures("_programs")
def test_a_cluster_on_aws_has_the_machines_of_windows() -> None:
    """With the times of the Fleetfile, twelve minutes earlier: seven for the machines, and the start limit."""
    engine = chosen({"cluster": "aws", **CONFIG}, aws_engine(), with_window(days=(0,), machines=4))
    assert {name: group["maxSize"] for name, group in engine.of("Group").items()} == {"cluster-windows-utc": 4}
    assert {one["recurrence"] for one in engine.of("Schedule").values()} == {"18 3 * * 1", "30 4 * * 1"}


@pytest.mark.usefixtures("_programs")
@pytest.mark.parametrize(
    ("url", "warned"), [("https://discovery.etcd.io/0123", True), ("https://etcd.example.org/0123", False)]
)
def test_etcds_public_discovery_is_warned_of(url: str, warned: bool) -> None:
    """It is a service that has been switched off before."""
    messages = chosen({"cluster": "aws", **CONFIG, "discoveryUrl": url}, aws_engine()).messages
    assert [level for level, text in messages if "discoveryUrl" in text] == (["warning"] if warned else [])


def test_settings_of_aws_that_are_wrong_are_refused_before_anything_is_declared() -> None:
    """All of them at once."""
    engine = aws_engine()
    wrong: dict[str, Any] = {"cluster": "aws", "size": "99", "keyPair": ""}
    with pytest.raises(ClusterRefused, match=r"(?s)fleetcaptain:size.*fleetcaptain:keyPair"):
        chosen(wrong, engine)
    assert engine.resources == {}


def test_a_state_with_keys_is_not_encrypted_by_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make` sets an empty passphrase unless there is one, which is enough for a local cluster. One report has it and
    the settings."""
    monkeypatch.chdir(tmp_path)
    Path(f"Pulumi.{STACK}.yaml").write_text("encryptionsalt: v1:x\n")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    engine = aws_engine()
    with pytest.raises(ClusterRefused, match=r"(?s)fleetcaptain:keyPair.*empty passphrase.*change-secrets-provider"):
        chosen({"cluster": "aws"}, engine)
    assert engine.resources == {}
    assert chosen({}).outputs["kind"] == "LocalCluster"


@pytest.mark.parametrize("cluster", ["local", "aws"])
def test_a_port_of_the_machines_themselves_is_refused(cluster: str) -> None:
    """On the machines of an existing cluster other programs may run."""
    (web,) = APP.services
    app = replace(APP, services=(replace(web, ports=(Port(80, 2380),)),))
    engine = aws_engine()
    with pytest.raises(ClusterRefused) as refused:
        chosen({"cluster": cluster, **CONFIG}, engine, app)
    # On AWS the same report has what the preflight finds.
    problem, *_ = refused.value.problems
    assert problem.startswith("web: port 2380 of the machines is for etcd's members")
    assert engine.resources.keys() <= {("CoreOSCluster", "cluster")}, "only the component"


@pytest.mark.parametrize("package", ["pulumi_aws", "pulumi_tls"])
def test_a_missing_package_for_aws_is_named_with_the_command_that_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first `make up` of a stack on AWS installs them; other stacks do without."""
    for module in [name for name in sys.modules if name.startswith("components.aws")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FleetCaptainError, match=rf"{package} is not installed.*`make up STACK={STACK}`.*--aws"):
        chosen({"cluster": "aws", **CONFIG})


@pytest.mark.parametrize(("kind", "platforms"), [("aws", ("linux/amd64",)), ("local", ()), ("existing", ())])
def test_images_for_aws_are_for_its_processors(kind: str, platforms: tuple[str, ...]) -> None:
    """Whatever builds them; on other clusters the builder has the same processor, or the Fleetfile says more."""
    found: list[tuple[str, ...]] = []
    FakeEngine().run(lambda: found.append(default_platforms(pulumi.Config(PROJECT))), {"cluster": kind})
    assert found == [platforms]


@pytest.mark.parametrize(
    "wrong", [{"volumes": ("/data:/data",)}, {"ports": (Port(80, 2380),)}, {"scale": (window(machines=4),)}]
)
def test_a_rollback_does_not_check_the_services_of_the_fleetfile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Mapping[str, Any]
) -> None:
    """It deploys those of a release."""
    monkeypatch.chdir(tmp_path)
    app = replace(APP, services=(replace(APP.services[0], **wrong),))
    with pytest.raises(ClusterRefused):
        chosen({}, app=app)
    assert chosen({}, app=app, is_rollback=True).outputs["kind"] == "LocalCluster"
