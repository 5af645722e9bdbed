"""How values get into etcd: encrypted by a machine, once, and by no argument."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.discovery.keys import secrets_dir
from fleetcaptain.errors import ClusterRefused, ClusterUnreachable, FleetCaptainError
from fleetcaptain.secrets.key_distribution import MachineKeys, can_open, verdicts
from fleetcaptain.secrets.secret_digest import secret_digest
from fleetcaptain.secrets.secret_store import SecretStore
from tests.unit.secrets.key_machines import KeyMachines

VALUE = "postgres://shop:hunter2@db/shop"


@pytest.fixture
def machines(tmp_path: Path) -> KeyMachines:
    """Three machines without a key."""
    return KeyMachines(tmp_path)


@pytest.fixture
def store(machines: KeyMachines) -> SecretStore:
    """The secrets of an app on machines with a key."""
    MachineKeys(machines.cluster).distribute()
    return SecretStore(machines.cluster)


def says(machines: KeyMachines, *example: str) -> list[str]:
    """The verdict on each machine."""
    return [text for _, text in verdicts(MachineKeys(machines.cluster).states(*example))]


def test_a_value_is_encrypted_once_and_every_machine_opens_it(machines: KeyMachines, store: SecretStore) -> None:
    """etcd has it in no form that can be read, and no argument has it."""
    digests = store.write({"URL": VALUE})
    values = dict(machines.cluster.etcd.values)
    assert store.write({"URL": VALUE}) == digests
    assert machines.cluster.etcd.values == values
    assert VALUE not in "".join((*values.values(), *machines.arguments))
    example = store.example("URL", digests["URL"])
    assert says(machines, *example) == ["opens secrets"] * 3
    assert VALUE not in example[0]


def test_another_value_has_another_digest_and_the_old_one_stays(store: SecretStore) -> None:
    """A rollback may need it."""
    old, new = store.write({"URL": VALUE}), store.write({"URL": "other"})
    assert old != new
    assert store.known() == {*old.values(), *new.values()}


def test_a_digest_depends_on_the_key_the_app_and_the_name() -> None:
    """So a reader can neither guess the value nor see that two secrets are the same."""
    usual = (b"key", "shop", "PIN", "1234")
    others = [(b"other", *usual[1:]), (b"key", "blog", *usual[2:]), (b"key", "shop", "PIN2", "1234")]
    assert secret_digest(*usual) not in {secret_digest(*other) for other in others}


def test_without_a_key_or_a_machine_nothing_is_written(machines: KeyMachines) -> None:
    """The error says what to run."""
    with pytest.raises(ClusterRefused, match="captain machine-key"):
        SecretStore(machines.cluster).write({"URL": VALUE})
    machines.silent = set(machines.cluster.machines)
    with pytest.raises(ClusterUnreachable, match="no machine accepts a command"):
        SecretStore(machines.cluster).keys()
    assert not machines.cluster.store.below(secrets_dir(machines.cluster.app))


def test_a_machine_that_cannot_encrypt_is_named(machines: KeyMachines, store: SecretStore) -> None:
    """As one with an OpenSSL that is too old; the value is not in the error."""
    first = sorted(machines.cluster.machines)[0]
    for address in machines.cluster.machines:
        path = machines.machine(address) / "secrets.crt"
        if address != first:
            path.unlink()
    broken = machines.machine(first) / "bin"
    broken.mkdir()
    original = machines.cluster.run

    def run(address: str, argv: list[str], timeout_sec: float, text: str = "") -> str | None:
        return "" if text else original(address, argv, timeout_sec, text)

    machines.cluster.run = run
    with pytest.raises(FleetCaptainError, match=rf"URL on {first}\. No unit was changed\. The machine needs") as error:
        store.write({"URL": VALUE})
    assert VALUE not in str(error.value)


def test_a_key_is_given_to_machines_that_come_later(machines: KeyMachines, store: SecretStore) -> None:
    """The one that the others have, so that all that etcd has can be opened; repeated, nothing changes."""
    digests = store.write({"URL": VALUE})
    last = sorted(machines.cluster.machines)[-1]
    for path in machines.machine(last).iterdir():
        path.unlink()
    example = store.example("URL", digests["URL"])
    assert says(machines, *example)[-1].startswith("cannot open secrets: it has no key")
    for _ in range(2):
        MachineKeys(machines.cluster).distribute()
        assert says(machines, *example) == ["opens secrets"] * 3
    assert can_open(MachineKeys(machines.cluster).states(*example))


def test_a_machine_with_another_key_is_named_and_mended(machines: KeyMachines, store: SecretStore) -> None:
    """Not so one that does not answer, of which nothing is known."""
    example = store.example("URL", store.write({"URL": VALUE})["URL"])
    first, second, third = sorted(machines.cluster.machines)
    other = KeyMachines(machines.folder / "other")
    MachineKeys(other.cluster).distribute()
    for name in ("secrets.key", "secrets.crt"):
        (machines.machine(second) / name).write_text((other.machine(first) / name).read_text())
    machines.silent = {third}
    assert says(machines, *example)[0] == "opens secrets"
    assert says(machines, *example)[1].startswith("cannot open secrets")
    assert says(machines, *example)[2] == "does not answer over SSH"
    with pytest.raises(ClusterUnreachable, match=rf"{third} does not answer over SSH\. Nothing was changed"):
        MachineKeys(machines.cluster).distribute()
    machines.silent = set()
    MachineKeys(machines.cluster).distribute()
    assert says(machines, *example) == ["opens secrets"] * 3


def test_a_key_that_is_renewed_needs_new_values(machines: KeyMachines, store: SecretStore) -> None:
    """All digests change, so that the next deployment rolls what has secrets. The old keys stay beside the new one."""
    old = store.write({"URL": VALUE})
    MachineKeys(machines.cluster).distribute(renew=True)
    assert says(machines, *store.example("URL", old["URL"]))[0].startswith("cannot open the secrets that etcd has")
    new = store.write({"URL": VALUE})
    assert new != old
    assert says(machines, *store.example("URL", new["URL"])) == ["opens secrets"] * 3
    first = machines.machine(sorted(machines.cluster.machines)[0])
    MachineKeys(machines.cluster).distribute(renew=True)
    assert len(list(first.glob("secrets.key.*.old"))) == 2
    assert {path.name for path in first.iterdir()} >= {"secrets.key", "secrets.crt"}
    assert {path.stat().st_mode & 0o777 for path in first.iterdir()} == {0o600}
