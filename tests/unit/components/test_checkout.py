"""Which checkout a local cluster belongs to: one that is moved goes on, one that is copied touches nothing."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.cluster.local_provider import LocalMachinesProvider
from fleetcaptain.cli.target_cluster import Site, site
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleet import owning_checkout
from fleetcaptain.fleet.owning_checkout import ID_FILE, Checkout
from fleetcaptain.localcluster.checkout import identity_for, original, stack_folder
from fleetcaptain.localcluster.docker_client import LABEL
from fleetcaptain.localcluster.layout import Layout
from tests.fakes.fake_machines import FakeMachines
from tests.unit.components.local_inputs import NAME, cluster_inputs

PROVIDER = LocalMachinesProvider()
HOME = Path(".fleetcaptain/dev")
DECLARED = {"identity": NAME, "home": str(HOME), "size": 3.0, "tls": False}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that has the key of the stack already; this process works in it."""
    folder = tmp_path / "shop"
    (folder / HOME).mkdir(parents=True)
    (folder / HOME / "id_ed25519").write_text("private")
    (folder / HOME / "id_ed25519.pub").write_text("ssh-ed25519 AAAA")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def inputs(machines: FakeMachines, shop: Path) -> dict[str, Any]:
    """What Pulumi's state has of the cluster of that checkout, which runs."""
    assert machines.docker.made == {}
    assert shop.is_dir()
    chosen = PROVIDER.check({}, dict(DECLARED)).inputs
    keys = ("identity", "subnet", "registry_port")
    return PROVIDER.create({**cluster_inputs(HOME), **{key: chosen[key] for key in keys}}).outs or {}


def copied(folder: Path, name: str) -> Path:
    """A copy of a checkout, beside it."""
    return Path(shutil.copytree(folder, folder.parent / name))


def everything(machines: FakeMachines) -> tuple[Any, ...]:
    """All that Docker has: containers with the number of their starts, volumes with their labels, networks."""
    docker = machines.docker
    containers = {name: (id(one), one.status, one.starts) for name, one in docker.made.items()}
    volumes = {name: dict(one.labels) for name, one in docker.volumes_made.items()}
    return containers, volumes, list(docker.networks_made)


def refusals(inputs: dict[str, Any]) -> list[str]:
    """What each operation of the provider says when it is refused, and the tunnel of the units."""
    connection = Layout.of(inputs).connection()
    operations: list[Callable[[], object]] = [
        lambda: PROVIDER.check(inputs, dict(DECLARED)),
        lambda: PROVIDER.check({}, dict(DECLARED)),
        lambda: PROVIDER.create(dict(inputs)),
        lambda: PROVIDER.read(inputs["identity"], dict(inputs)),
        lambda: PROVIDER.update(inputs["identity"], inputs, dict(inputs)),
        lambda: PROVIDER.delete(inputs["identity"], dict(inputs)),
        lambda: handle_of(connection).connect("shop"),
    ]
    messages = []
    for operation in operations:
        with pytest.raises(ClusterRefused) as refused:
            operation()
        messages.append(str(refused.value))
    assert handle_of(connection).presence() is Presence.STOPPED  # so the units' resources say nothing of it
    return messages


def test_a_clusters_identity_is_made_once(machines: FakeMachines, inputs: dict[str, Any]) -> None:
    """It is random, kept in the stack's folder, and on everything that Docker has; a lost state finds it again."""
    identity = inputs["identity"]
    assert identity.startswith(f"{NAME}/")
    assert identity_for(NAME, Path(".fleetcaptain/other")) != identity_for(NAME, Path(".fleetcaptain/other"))
    assert (HOME / ID_FILE).read_text().strip() == identity
    docker = machines.docker
    made = [*docker.made.values(), *docker.volumes_made.values(), *docker.networks_made.values()]
    assert {one.labels[LABEL] for one in made} == {identity}
    found = PROVIDER.check({}, dict(DECLARED)).inputs
    assert {key: found[key] for key in ("identity", "subnet", "registry_port")} == {
        key: inputs[key] for key in ("identity", "subnet", "registry_port")
    }


def test_nothing_in_the_state_names_the_checkouts_path(inputs: dict[str, Any], tmp_path: Path) -> None:
    """Neither the inputs nor the connection."""
    assert str(tmp_path) not in str([inputs, Layout.of(inputs).connection()])


def test_a_moved_checkout_goes_on(
    machines: FakeMachines, shop: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same cluster, subnet and port, and not one container that is made or started again."""
    monkeypatch.chdir(shop.rename(shop.with_name("moved")))
    before = everything(machines)[0]
    assert PROVIDER.check(inputs, dict(DECLARED)).failures == []
    assert PROVIDER.read(inputs["identity"], dict(inputs)).inputs == inputs
    PROVIDER.update(inputs["identity"], inputs, dict(inputs))
    assert everything(machines)[0] == before
    assert handle_of(Layout.of(inputs).connection()).presence() is Presence.THERE
    PROVIDER.delete(inputs["identity"], dict(inputs))
    assert everything(machines) == ({}, {}, [])
    assert not HOME.exists()


def test_a_checkout_that_moved_to_another_file_system_goes_on(
    shop: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another folder then, but the original is gone."""
    other = copied(shop, "other-disk")
    monkeypatch.chdir(other)
    shutil.rmtree(shop)
    assert PROVIDER.read(inputs["identity"], dict(inputs)).inputs == inputs
    monkeypatch.chdir(copied(other, "copy"))
    assert original(inputs["identity"], str(HOME)) == str(other)


def test_a_renamed_stack_keeps_its_cluster(machines: FakeMachines, inputs: dict[str, Any]) -> None:
    """With its identity and its keys, where they are: there is nothing to change, and all of it goes with the stack."""
    before = everything(machines)
    renamed = {**DECLARED, "identity": "shop/new", "home": ".fleetcaptain/new"}
    checked = PROVIDER.check(inputs, renamed)
    kept = ("identity", "home", "subnet", "registry_port")
    assert checked.failures == []
    assert {key: checked.inputs[key] for key in kept} == {key: inputs[key] for key in kept}
    PROVIDER.update(inputs["identity"], inputs, {**inputs, **checked.inputs})
    assert everything(machines) == before
    assert not Path(".fleetcaptain/new").exists()
    PROVIDER.delete(inputs["identity"], {**inputs, **checked.inputs})
    assert everything(machines) == ({}, {}, [])
    assert not HOME.exists()


def test_a_copied_checkout_changes_nothing(
    machines: FakeMachines, shop: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each operation says that it is a copy, of which checkout, and what to do; the original goes on."""
    before = everything(machines)
    copy = copied(shop, "copy")
    monkeypatch.chdir(copy)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{copy}/.fleetcaptain/pulumi")
    (message,) = set(refusals(inputs))
    assert message.startswith(f"This checkout is a copy: the cluster {inputs['identity']} belongs to the checkout")
    assert f"the checkout {shop}. Nothing was changed." in message
    forget = (
        f"PULUMI_BACKEND_URL=file://{copy}/.fleetcaptain/pulumi pulumi stack rm dev --force --yes --preserve-config"
    )
    assert f"`{forget} && rm -r .fleetcaptain/dev && make up STACK=dev`" in message
    assert everything(machines) == before
    assert (copy / HOME / "id_ed25519").exists()
    monkeypatch.chdir(shop)
    assert PROVIDER.read(inputs["identity"], dict(inputs)).inputs == inputs
    assert everything(machines) == before


def test_captain_changes_nothing_from_a_copy(
    shop: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any folder of it, whether the original is moved meanwhile or not; it may read. A copy is none once the
    original has given the cluster up."""
    connection = Layout.of(inputs).connection()
    outputs = json.dumps({"app": "shop", "stack": NAME, "connection": connection})

    def change() -> Site:
        return site(None, None, None, "", lambda _stack: outputs, changes=True)

    (shop / "Pulumi.yaml").touch()
    copy = copied(shop, "copy")
    (copy / "web").mkdir()
    assert change().stack == NAME
    monkeypatch.chdir(copy / "web")
    with pytest.raises(ClusterRefused, match=f"This checkout is a copy.*the checkout {shop}. Nothing was changed."):
        change()
    assert site(None, None, None, "", lambda _stack: outputs).stack == NAME
    monkeypatch.chdir(shop.rename(shop.with_name("moved")))
    assert change().stack == NAME
    PROVIDER.read(inputs["identity"], dict(inputs))
    monkeypatch.chdir(copied(Path.cwd(), "again"))
    with pytest.raises(ClusterRefused, match=f"the checkout {shop.with_name('moved')}"):
        change()
    shutil.rmtree(shop.with_name("moved") / HOME)
    assert change().stack == NAME


def test_a_copy_that_follows_the_advice_gets_a_cluster_of_its_own(
    machines: FakeMachines, shop: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another subnet, beside the original's."""
    monkeypatch.chdir(copied(shop, "copy"))
    shutil.rmtree(HOME)
    found = PROVIDER.check({}, dict(DECLARED)).inputs
    assert found["identity"] != inputs["identity"]
    assert found["subnet"] != inputs["subnet"]
    assert len(machines.docker.networks_made) == 1


def test_a_stack_whose_state_is_shared_is_not_forgotten(
    shop: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original has the same state: the advice is another stack."""
    monkeypatch.chdir(copied(shop, "copy"))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{shop}/.fleetcaptain/pulumi")
    message = refusals(inputs)[0]
    assert "stack rm" not in message
    assert "`cp Pulumi.dev.yaml Pulumi.dev2.yaml && make up STACK=dev2`" in message


def test_a_cluster_never_belongs_to_two_checkouts(
    shop: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a copy and an original that was moved meanwhile, the first that is used has it; the other one is refused until
    the first gives it up, by the command that is named."""
    copy = copied(shop, "copy")
    moved = shop.rename(shop.with_name("moved"))
    monkeypatch.chdir(copy)
    PROVIDER.read(inputs["identity"], dict(inputs))
    monkeypatch.chdir(moved)
    assert f"rm -r {copy / HOME}" in refusals(inputs)[0]
    shutil.rmtree(copy / HOME)
    assert PROVIDER.read(inputs["identity"], dict(inputs)).inputs == inputs
    monkeypatch.chdir(copied(moved, "again"))
    assert original(inputs["identity"], str(HOME)) == str(moved)


def old_state(machines: FakeMachines, inputs: dict[str, Any], shop: Path) -> dict[str, Any]:
    """What an earlier version left of the cluster: absolute paths, no id, no record of a checkout."""
    (HOME / ID_FILE).unlink()
    for name in [name for name in machines.docker.volumes_made if name.endswith("-checkout")]:
        del machines.docker.volumes_made[name]
    return {**inputs, "home": str(shop / HOME), "tools": str(shop / ".tools" / "bin")}


def test_a_cluster_of_an_earlier_version_is_taken_over(
    machines: FakeMachines, shop: Path, inputs: dict[str, Any]
) -> None:
    """As it is: its state reads back with relative paths, and it keeps its identity."""
    old = old_state(machines, inputs, shop)
    assert PROVIDER.read(inputs["identity"], old).inputs == {**inputs, "tools": ".tools/bin"}
    assert (HOME / ID_FILE).read_text().strip() == inputs["identity"]
    assert PROVIDER.check(old, dict(DECLARED)).inputs["identity"] == inputs["identity"]


def test_a_cluster_of_an_earlier_version_moves_and_is_not_copied(
    machines: FakeMachines, shop: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state says where it was made."""
    old = old_state(machines, inputs, shop)
    monkeypatch.chdir(copied(shop, "copy"))
    with pytest.raises(ClusterRefused, match=f"belongs to the checkout {shop}"):
        PROVIDER.delete(inputs["identity"], old)
    shutil.rmtree(shop)
    PROVIDER.delete(inputs["identity"], old)
    assert machines.docker.made == {}
    assert not HOME.exists()


@pytest.mark.parametrize(
    "home", ["/etc", "../other/.fleetcaptain/dev", ".fleetcaptain", ".fleetcaptain/..", ".fleetcaptain/pulumi", "src"]
)
def test_no_folder_but_the_stacks_own_is_removed(machines: FakeMachines, inputs: dict[str, Any], home: str) -> None:
    """Whatever the state says. Beside the stacks' folders lies Pulumi's state."""
    before = everything(machines)
    with pytest.raises(ClusterRefused, match="Nothing was changed"):
        PROVIDER.delete(inputs["identity"], {**inputs, "home": home})
    assert everything(machines) == before
    assert stack_folder("/old/place/.fleetcaptain/dev") == HOME


@pytest.mark.parametrize("text", ["shop/prod/1", "dev", "../x/1", ""])
def test_the_folder_of_another_stack_is_not_believed(shop: Path, text: str) -> None:
    """Two stacks would have one cluster. An empty file, of a run that was killed, says nothing."""
    (shop / HOME / ID_FILE).write_text(text)
    if text:
        with pytest.raises(ClusterRefused, match=r"not a cluster of this stack.*`rm -r .fleetcaptain/dev`"):
            PROVIDER.check({}, dict(DECLARED))
    else:
        assert identity_for(NAME, HOME).startswith(f"{NAME}/")


@pytest.mark.parametrize(("problem", "copy"), [(PermissionError, True), (NotADirectoryError, False)])
def test_an_original_that_may_not_be_read_is_there(
    shop: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch, problem: type[OSError], copy: bool
) -> None:
    """It may be another user's."""

    def refuse(_folder: Path) -> str:
        raise problem

    monkeypatch.chdir(copied(shop, "copy"))
    monkeypatch.setattr(owning_checkout, "kept_identity", refuse)
    assert original(inputs["identity"], str(HOME)) == (str(shop) if copy else "")


def test_a_device_may_get_another_number(inputs: dict[str, Any], shop: Path) -> None:
    """At the same path it is the same checkout."""
    assert Checkout(str(shop), "9:9").same(Checkout.at(shop))
    assert original(inputs["identity"], str(HOME)) == ""


def test_a_lost_state_does_not_shrink_the_cluster(inputs: dict[str, Any]) -> None:
    """The machines that Docker has count."""
    (failure,) = PROVIDER.check({}, {**DECLARED, "size": 1.0}).failures
    assert "would remove m2, m3" in failure.reason
    found = PROVIDER.check({}, {**DECLARED, "size": 1.0, "remove_machines": ["m2", "m3"]})
    assert found.failures == []
    assert "remove_machines" not in found.inputs  # consent is no state
    assert inputs["size"] == 3


def test_turning_tls_on_needs_a_new_cluster(inputs: dict[str, Any]) -> None:
    """The preview refuses it."""
    (failure,) = PROVIDER.check(inputs, {**DECLARED, "tls": True}).failures
    assert failure.property == "tls"
    assert "make down STACK=dev" in failure.reason


@pytest.mark.usefixtures("machines")
def test_keys_are_for_their_owner_alone(shop: Path) -> None:
    """Whatever the umask, also with TLS, whose folder is made first, and where folders are there already."""
    (shop / HOME).chmod(0o755)
    chosen = PROVIDER.check({}, dict(DECLARED)).inputs
    PROVIDER.create({**cluster_inputs(HOME, tls=True), "identity": chosen["identity"]})
    folders = [shop / ".fleetcaptain", shop / HOME, shop / HOME / "tls"]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700] * 3
