"""What a machine does before a fleetd starts whose predecessor was killed: its key goes, and its place stays."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import etcd
import pytest

from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.machine.fleet import KEEP_MACHINE
from fleetcaptain.securing import machine_login
from tests.local.etcd.etcd_process import running
from tests.programs import program

MACHINES = "/_coreos.com/fleet/machines"
STATE = json.dumps({"ID": "m1", "PublicIP": "10.0.0.11", "Metadata": {"disk": 'a "fast" \\ <one>', "zone": "z1"}})


PAGE = Path(__file__).parents[3] / "docs" / "operations.md"


def run(etcd_url: str, tmp_path: Path, machine: str, address: str, text: str = KEEP_MACHINE, **environ: str) -> None:
    """Run the script as systemd does, on the test's etcd."""
    script = tmp_path / "keep-machine"
    script.write_text(text.replace("http://127.0.0.1:2379", etcd_url))
    subprocess.run(["sh", str(script), machine, address], check=True, env={**os.environ, **environ})


def test_the_key_goes_and_the_same_value_stays_beside_it(etcd_url: str, tmp_path: Path) -> None:
    """For ten seconds, in which fleetd registers; it sorts before the new key, which therefore counts."""
    store = EtcdStore(lambda: etcd_url)
    store.write(f"{MACHINES}/m1/object", STATE, ttl_sec=30)
    run(etcd_url, tmp_path, "m1", "10.0.0.11")
    (kept,) = store.below(MACHINES)
    assert kept.key == f"{MACHINES}/-m1/object" < f"{MACHINES}/0"
    assert json.loads(kept.value) == json.loads(STATE)
    host, port = etcd_url.removeprefix("http://").split(":")
    assert 0 < etcd.Client(host=host, port=int(port)).read(kept.key).ttl <= 10
    store.delete(MACHINES, recursive=True)


def test_the_key_of_another_machine_with_this_id_stays(etcd_url: str, tmp_path: Path) -> None:
    """It has another address. Without any key there is nothing to do: a fleetd that fails at each start is lost."""
    store = EtcdStore(lambda: etcd_url)
    run(etcd_url, tmp_path, "m1", "10.0.0.11")
    assert store.below(MACHINES) == ()
    store.write(f"{MACHINES}/m1/object", STATE, ttl_sec=30)
    run(etcd_url, tmp_path, "m1", "10.0.0.1")
    assert [node.key for node in store.below(MACHINES)] == [f"{MACHINES}/m1/object"]
    store.delete(MACHINES, recursive=True)


@pytest.mark.parametrize("secured", [False, True])
def test_a_secured_machine_is_kept_with_fleetds_password(tmp_path: Path, secured: bool) -> None:
    """And before etcd asks for it."""
    with running(tmp_path, program("etcd")) as url:
        passwords = {"root": "the-password-of-root", "fleet": "the-password-of-fleet"}
        store = EtcdStore(lambda: url, password=lambda: passwords["root"])
        if secured:
            Access(store.request).enforce((), passwords)
        store.write(f"{MACHINES}/m1/object", STATE, ttl_sec=30)
        run(url, tmp_path, "m1", "10.0.0.11")
        assert (store.read(f"{MACHINES}/m1/object") is not None) is secured
        store.write(f"{MACHINES}/m1/object", STATE, ttl_sec=30)
        environ = {"FLEET_ETCD_USERNAME": "fleet", "FLEET_ETCD_PASSWORD": passwords["fleet"]}
        run(url, tmp_path, "m1", "10.0.0.11", machine_login.KEEP_MACHINE, **environ)
        assert [node.key for node in store.below(MACHINES)] == [f"{MACHINES}/-m1/object"]


def test_the_page_for_other_clusters_has_the_same_script() -> None:
    """What is tested here is what people copy."""
    assert f"```sh\n{KEEP_MACHINE}```" in PAGE.read_text()
