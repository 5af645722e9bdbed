"""``captain secrets`` and ``captain machine-key``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.keys import current_key, release_key, secret_key, text_key
from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.secrets.secret_store import SecretStore
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render
from tests.unit.release.example_releases import release
from tests.unit.secrets.key_machines import KeyMachines

SSH = ["--ssh", "core@10.0.0.1"]
SHOP = ["--app", "shop", *SSH]


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyMachines:
    """The machines that captain reaches."""
    found = KeyMachines(tmp_path)
    monkeypatch.setattr("fleetcaptain.rollout.connect.open_cluster", lambda *_: found.cluster)
    return found


def deploy(machines: KeyMachines, tag: str, value: str) -> None:
    """A release whose service has a secret with this value."""
    digests = SecretStore(machines.cluster).write({"URL": value})
    file = render(ServiceSpec("web", "", "web:1", secrets=("URL",)), Mark("shop", "shop/dev", "web"))
    file, store = file.with_image("web:1").with_secrets(digests), machines.cluster.store
    store.write(text_key("shop", file.unit_hash), file.text)
    store.write(release_key("shop", tag), release(tag, web=file.unit_hash).to_json())
    store.write(current_key("shop"), tag)


def test_a_key_is_given_once(machines: KeyMachines, capsys: pytest.CaptureFixture[str]) -> None:
    """Again, it is only shown."""
    for _ in range(2):
        assert main(["machine-key", *SSH]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("giving")] == [
        f"giving {address} the key" for address in sorted(machines.cluster.machines)
    ]
    assert len([line for line in lines if line.endswith("etcd has no secret to try it with")]) == 2 * 3


def test_secrets_are_listed_without_values(machines: KeyMachines, capsys: pytest.CaptureFixture[str]) -> None:
    """Each value of a name is a row, the newest first."""
    assert main(["secrets", *SHOP]) == 0
    assert "No kept release has secrets" in capsys.readouterr().err
    main(["machine-key", *SSH])
    deploy(machines, "v1", "hunter1")
    deploy(machines, "v2", "hunter2")
    capsys.readouterr()
    assert main(["secrets", *SHOP, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["name"], *row["services"], *row["releases"], row["in_etcd"]) for row in rows} == {
        ("URL", "web", "v1", True),
        ("URL", "web", "v2", True),
    }
    assert main(["secrets", *SHOP]) == 0
    assert "hunter" not in capsys.readouterr().out


def test_what_only_a_task_has_is_listed(machines: KeyMachines, capsys: pytest.CaptureFixture[str]) -> None:
    """No release names it: a machine reads the name in the value. One that none can open is left out."""
    main(["machine-key", *SSH])
    deploy(machines, "v1", "hunter1")
    machines.cluster.store.write(secret_key("shop", "f" * 32), "bm90aGluZw==")
    SecretStore(machines.cluster).write({"PIN": "hunter2\nfleetcaptain shop OTHER " + "f" * 32})
    capsys.readouterr()
    assert main(["secrets", *SHOP, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {"name": "PIN", "since": "", "services": [], "releases": [], "in_etcd": True}
    assert [row["name"] for row in rows] == ["PIN", "URL"]
    assert main(["secrets", *SHOP]) == 0
    shown = capsys.readouterr().out
    assert "PIN   -  " in shown
    assert "hunter" not in shown
    for address in machines.cluster.machines:
        (machines.machine(address) / "secrets.key").unlink()
    assert main(["secrets", *SHOP, "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["URL"]


def test_the_check_fails_for_a_machine_that_cannot_open(
    machines: KeyMachines, capsys: pytest.CaptureFixture[str]
) -> None:
    """By what the current release needs, also after the key was renewed."""
    main(["machine-key", *SSH])
    deploy(machines, "v1", "hunter1")
    main(["machine-key", *SSH, "--renew"])
    deploy(machines, "v2", "hunter1")
    capsys.readouterr()
    assert main(["secrets", "check", *SHOP]) == 0
    assert capsys.readouterr().out.count("  opens secrets\n") == 3
    (machines.machine(sorted(machines.cluster.machines)[1]) / "secrets.key").unlink()
    assert main(["secrets", "check", *SHOP, "--json"]) == 1
    said = [row["says"] for row in json.loads(capsys.readouterr().out)]
    assert said[1] == "cannot open secrets: it has no key. Run `captain machine-key`"
    assert (said[0], said[2]) == ("opens secrets", "opens secrets")
