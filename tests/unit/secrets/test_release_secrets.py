"""Whether machines can open the secrets of an earlier release, by the real OpenSSL."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.secrets.key_distribution import MachineKeys
from fleetcaptain.secrets.release_secrets import Openers, find_openers
from fleetcaptain.secrets.secret_store import SecretStore
from tests.unit.secrets.key_machines import KeyMachines


@pytest.fixture
def machines(tmp_path: Path) -> KeyMachines:
    """Machines with a key."""
    found = KeyMachines(tmp_path)
    MachineKeys(found.cluster).distribute()
    return found


def test_a_machine_opens_what_its_units_would(machines: KeyMachines) -> None:
    """Also with a key that was replaced, which a machine that came later does not have; silent ones are unknown."""
    old = SecretStore(machines.cluster).write({"URL": "hunter2", "PIN": "1234"})
    first, second, third = sorted(machines.cluster.machines)
    assert find_openers(machines.cluster, old) == Openers((first, second, third))
    MachineKeys(machines.cluster).distribute(renew=True)
    assert find_openers(machines.cluster, old) == Openers((first, second, third))
    for path in machines.machine(second).glob("*.old"):
        path.unlink()
    machines.silent = {third}
    found = find_openers(machines.cluster, old)
    assert found == Openers((first,), (second,))
    assert found.warning("v1").startswith(f"{second} cannot open the secrets of v1, so units with secrets fail there")
    assert not found.obstacle()
    (machines.machine(first) / "secrets.key").unlink()
    for path in machines.machine(first).glob("*.old"):
        path.unlink()
    none = find_openers(machines.cluster, old)
    assert none == Openers((), (first, second))
    assert none.obstacle().startswith(
        f"no machine can open its secrets ({first}, {second}): run `captain secrets check`"
    )
    assert not any("hunter2" in word for word in machines.arguments)


def test_no_machine_is_asked_without_secrets(machines: KeyMachines) -> None:
    """Nor for one that etcd does not have, which is an obstacle of its own."""
    machines.arguments.clear()
    for secrets in ({}, {"URL": "f" * 32}):
        found = find_openers(machines.cluster, secrets)
        assert (found, found.obstacle(), found.warning("v1")) == (Openers(), "", "")
    assert not machines.arguments


def test_where_no_machine_answers_nothing_is_said(machines: KeyMachines) -> None:
    """The rollback fails by itself, if it is true."""
    old = SecretStore(machines.cluster).write({"URL": "hunter2"})
    machines.silent = {*machines.cluster.machines}
    assert find_openers(machines.cluster, old) == Openers()
