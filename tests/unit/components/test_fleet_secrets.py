"""The providers of secrets and of logins at registries: what a preview knows, what is written, what is read back."""

from __future__ import annotations

from typing import Any

import pytest

from components.cluster.handle import ClusterHandle, Presence
from components.fleet_secrets import SecretsProvider
from components.registry_logins import LoginsProvider
from fleetcaptain.discovery.keys import registries_key, secret_key
from fleetcaptain.errors import ClusterRefused, UnitRefused
from fleetcaptain.machine.secrets_key import ENCRYPT, READ
from tests.fakes.fake_site import APP, Site
from tests.unit.components.deployed import CONNECTION

PROVIDER, LOGINS = SecretsProvider(), LoginsProvider()
VALUES = {"URL": "postgres://shop:hunter2@db/shop", "PIN": "1234"}
INPUTS: dict[str, Any] = {"app": APP, "values": VALUES, "digests": None, "cluster": CONNECTION}
LOGIN: dict[str, Any] = {"app": APP, "config": '{"auths":{}}\n', "digest": None, "cluster": CONNECTION}


class Keys:
    """What machines answer: whether they *have* a key; *encrypted*: how many values they were given; *asked*: how often
    they were asked for the key."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.have, self.encrypted, self.asked = True, 0, 0
        usual = site._run

        def run(address: str, argv: list[str], timeout_sec: float, _text: str = "") -> str | None:
            if argv[-1] == READ:
                self.asked += 1
                return f"fleetcaptain: secrets {'a' * 64} {'b' * 64}\n" if self.have else ""
            if argv[-1] == ENCRYPT:
                self.encrypted += 1
                return "ZW5jcnlwdGVk\nfleetcaptain: done\n"
            return usual(address, argv, timeout_sec)

        monkeypatch.setattr(site, "_run", run)


@pytest.fixture
def keys(site: Site, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Machines with a key."""
    return Keys(site, monkeypatch)


def checked(**changes: Any) -> dict[str, Any]:
    """The inputs as a preview knows them."""
    return dict(PROVIDER.check({}, {**INPUTS, **changes}).inputs)


@pytest.mark.usefixtures("keys")
def test_a_preview_has_digests_and_no_value() -> None:
    """No reader can turn them into values."""
    before = checked()
    after = checked(values={**VALUES, "PIN": "9999", "NEW": "x"})
    assert before["digests"]["URL"] == after["digests"]["URL"]
    assert before["digests"]["PIN"] != after["digests"]["PIN"]
    assert "1234" not in str(before["digests"])


def test_secrets_and_logins_ask_the_machines_once(keys: Keys, site: Site) -> None:
    """Later again, and whenever a machine had no key."""
    machines = len(site.cluster().snapshot().machines)
    for _ in range(2):
        keys.asked = 0
        checked()
        LOGINS.check({}, LOGIN)
        assert keys.asked == machines
        site.wait(60)
    keys.have, keys.asked = False, 0
    for _ in range(2):
        checked(cluster={**CONNECTION, "kind": "aws"})
    assert keys.asked == 2 * machines


def test_without_a_cluster_digests_are_not_known_yet(keys: Keys) -> None:
    """As before the machines of a first deployment are made, or get their key by this update."""
    assert "digests" not in checked(cluster="04da6b54-80e4-46f7-96ec-b56ff0331ba9")
    keys.have = False
    assert "digests" not in checked(cluster={**CONNECTION, "kind": "aws"})
    keys.have = True
    assert "digests" in checked(cluster={**CONNECTION, "kind": "aws"})


def test_an_existing_cluster_without_a_key_is_refused(keys: Keys) -> None:
    """The preview says what to run."""
    keys.have = False
    with pytest.raises(ClusterRefused, match="captain machine-key"):
        checked()
    with pytest.raises(ClusterRefused, match="captain machine-key"):
        LOGINS.check({}, LOGIN)


@pytest.mark.usefixtures("keys")
def test_impossible_values_are_refused_together() -> None:
    """By name, in the preview."""
    with pytest.raises(UnitRefused) as error:
        checked(values={"A": "", "B": "s3cr3t\r\n", "C": "good"})
    assert [problem.partition(":")[0] for problem in error.value.problems] == ["A", "B"]
    assert "s3cr3t" not in str(error.value)


def test_what_etcd_has_is_not_encrypted_again(keys: Keys, site: Site) -> None:
    """And what it has lost is: it reads back as missing."""
    outs = PROVIDER.create(checked()).outs
    assert keys.encrypted == len(VALUES)
    assert outs is not None
    assert PROVIDER.update("shop", outs, checked()).outs == outs
    assert keys.encrypted == len(VALUES)
    site.etcd.remove(secret_key(APP, outs["digests"]["PIN"]))
    read = PROVIDER.read("shop", outs)
    assert read.inputs is not None
    assert set(read.inputs["digests"]) == {"URL"}
    PROVIDER.update("shop", outs, checked())
    assert keys.encrypted == len(VALUES) + 1


def test_logins_are_written_read_back_and_removed(keys: Keys, site: Site) -> None:
    """Another password is another digest, and the only difference."""
    first = LOGINS.check({}, LOGIN).inputs
    outs = LOGINS.create(first).outs
    assert outs is not None
    assert outs["digest"] == first["digest"]
    assert keys.encrypted == 1
    read = LOGINS.read("shop", outs)
    assert read.inputs == first
    site.etcd.remove(registries_key(APP))
    lost = LOGINS.read("shop", outs)
    assert lost.inputs is not None
    assert lost.inputs["digest"] == ""
    LOGINS.update("shop", outs, first)
    assert registries_key(APP) in site.etcd.values
    LOGINS.delete("shop", outs)
    assert registries_key(APP) not in site.etcd.values


@pytest.mark.usefixtures("keys")
def test_logins_are_not_left_in_a_cluster_that_does_not_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resource would be gone, and nothing would remove them. One failed question makes it count as stopped."""
    outs = LOGINS.create(LOGINS.check({}, LOGIN).inputs).outs
    assert outs is not None
    monkeypatch.setattr(ClusterHandle, "presence", lambda _handle: Presence.GONE)
    LOGINS.delete("shop", outs)
    assert registries_key(APP) in site.etcd.values
    monkeypatch.setattr(ClusterHandle, "presence", lambda _handle: Presence.STOPPED)
    LOGINS.delete("shop", outs)
    assert registries_key(APP) not in site.etcd.values
