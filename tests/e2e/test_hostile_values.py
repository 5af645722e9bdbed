"""What anyone who can write etcd, or reach fleet, may leave there: an app is deployed and removed all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from fleetcaptain.discovery.keys import app_dir, registration_key, release_key
from fleetcaptain.rollout.cluster import Cluster
from tests.e2e.stack import Stack

APP = "behavioral"
SERVER = "app_server@1.service"
ODD = "odd@1.service"
# Another app's, so no stray. fleet takes all of it; the quote is no machine's id.
OPTIONS = [
    *({"section": "X-FleetCaptain", "name": name, "value": "other"} for name in ("App", "Stack", "Service")),
    {"section": "Service", "name": "ExecStart", "value": "/bin/true\nExecStop=/bin/true"},
    {"section": "X-Fleet", "name": "MachineID", "value": '"'},
]


def _hostile(cluster: Cluster) -> dict[str, str]:
    """Key -> value. The registrations are of an instance that runs, on its machine, with another content."""
    entry = cluster.snapshot().registrations[SERVER]
    forged = json.dumps(
        {"service": "app_server", "unit": SERVER, "content": "x", "machine": entry.machine, "host": "6.6.6.6"}
    )
    services = f"{app_dir(APP)}/services"
    return {
        registration_key(APP, "app_server", "zz"): forged,
        f"{services}/zz/app_server/{SERVER}": forged,
        registration_key(APP, "app_server", "app_server@9.service"): "[" * 200_000,
        registration_key(APP, "app_server", "\x1b]52;c;cm0=\x07<{% if a %}"): "note",
        f"{services}/{'/'.join(['a'] * 600)}": "deep",
        release_key(APP, "v9"): json.dumps({"tag": [1], "when": 5}),
    }


def _fleet(stack: Stack, method: str, **body: object) -> None:
    """Call fleet's API for the unit `ODD` on a machine, as any program there may."""
    url = f"http://fleet/fleet/v1/units/{ODD}"
    argv = ["curl", "-sS", "-f", "--unix-socket", "/run/fleet.sock", "-X", method, url]
    sent = ["-H", "Content-Type: application/json", "-d", json.dumps(body)] if body else []
    code, output = stack.containers()["m1"].exec_run([*argv, *sent])
    assert code == 0, output.decode()


@pytest.fixture
def hostile(stack: Stack) -> Iterator[dict[str, str]]:
    """All of it is there; at the end none is."""
    cluster = stack.cluster()
    values = _hostile(cluster)
    for key, value in values.items():
        cluster.store.write(key, value)
    _fleet(stack, "PUT", name=ODD, desiredState="inactive", options=OPTIONS)
    yield values
    _fleet(stack, "DELETE")
    for key in values:
        cluster.store.delete(key.partition("/a/a/")[0], recursive=True)


def test_what_others_leave_in_etcd_and_fleet_stops_nothing(stack: Stack, hostile: dict[str, str]) -> None:
    """No instance is restarted for it, a release is deployed, and `captain doctor` lists each value once."""
    before = stack.cluster().snapshot().units[SERVER].unit_hash
    stack.rests()
    with stack.edited("Fleetfile.py", {"restart_sec=5,": "restart_sec=6,"}):
        assert "Ignored the invalid value in etcd at" in stack.up().output
        assert stack.cluster().snapshot().units[SERVER].unit_hash != before
    stack.up()
    assert stack.cluster().snapshot().units[SERVER].unit_hash == before
    listed = [entry["key"] for entry in json.loads(stack.captain("doctor", "--json").output)]
    assert len(listed) == len(hostile)
    assert {key for key in hostile if "/a/a/" not in key} < set(listed)
    shown = stack.captain("doctor")
    assert (shown.code, "\x1b" in shown.output, "<{%" in shown.output) == (1, False, False)
