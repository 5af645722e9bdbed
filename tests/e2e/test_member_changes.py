"""A cluster whose etcd speaks TLS: who gets in, an app that comes from elsewhere, members that are lost, other sizes.

The tests run in their order, on one cluster of three members and a worker; the last one leaves it without a quorum.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcaptain.localcluster.docker_client import exec_in
from fleetcaptain.localcluster.etcd_exec import exec_request
from tests.e2e.example import example
from tests.e2e.stack import Stack, stack_name
from tests.faults.machine_faults import etcd_answer

_FLEETFILE = """\
from fleetcaptain import Fleetfile, Service

fleet = Fleetfile(
    app="probe",
    services=[Service("probe", start="/bin/sleep infinity", instances=2)],
)
"""
_KEY = "/v2/keys/kept"
# A container with the machine's own programs, on docker's bridge: no image has to come from anywhere.
_CONTAINER = """\
tar -c -T /dev/null | docker import - empty >/dev/null
docker run --rm -v /usr:/usr:ro -v /usr/bin:/bin:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro empty \
  curl --silent --output /dev/null --max-time 5 --write-out '%{http_code}' "$@"
"""
_JSON = ("-H", "Content-Type: application/json", "-d")


@pytest.fixture(scope="module")
def secured(_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Four machines with TLS, and an app on them that needs no image."""
    home = tmp_path_factory.mktemp("members")
    (home / "app").mkdir()
    (home / "app" / "Fleetfile.py").write_text(_FLEETFILE)
    stack = Stack(stack_name("e2e-members"), home / "app", home / "pulumi", {"size": "4", "tls": "true"})
    try:
        stack.up()
        assert exec_request(stack.containers()["m1"], "PUT", f"{_KEY}?value=1")[0] == 201
        yield stack
    finally:
        stack.remove()


def _curl(*argv: str) -> int:
    """curl's exit code, from this computer, which is on the machines' network."""
    done = subprocess.run(["curl", "--silent", "--max-time", "5", *argv], capture_output=True, check=False)
    return done.returncode


def _lose(stack: Stack, name: str) -> None:
    """A machine and all its data are gone."""
    container = stack.containers()[name]
    container.remove(force=True)
    for kind in ("etcd", "docker"):
        container.client.volumes.get(f"{container.name}-{kind}").remove()


def _members(stack: Stack) -> dict[str, str]:
    """Name -> id, as the first machine knows them."""
    return {member["name"]: member["id"] for member in etcd_answer(stack.containers()["m1"], "members")["members"]}


def _as_it_was(stack: Stack) -> None:
    """Both instances run and are registered, etcd knows what it knew, and nothing is left to do."""
    seen = stack.cluster("probe").snapshot()
    assert {"probe@1.service", "probe@2.service"} <= set(seen.registrations)
    assert '"value":"1"' in exec_request(stack.containers()["m1"], "GET", _KEY)[1]
    stack.rests()


def test_etcd_answers_nobody_on_the_network_without_a_certificate(secured: Stack) -> None:
    """Neither a member nor a worker, whose units and containers reach it all the same."""
    folder = secured.folder / "tls"
    ca = ["--cacert", str(folder / "ca.pem")]
    ours = [*ca, "--cert", str(folder / "m1.pem"), "--key", str(folder / "m1-key.pem")]
    addresses = secured.outputs()["machines"]
    assert secured.outputs()["etcd"] == [f"https://{addresses[name]}:2378" for name in ("m1", "m2", "m3")]
    for name, address in addresses.items():
        assert _curl(f"http://{address}:2379/version") == 7, name  # refused
        for url in (f"http://{address}:2379/health", "http://127.0.0.1:2379/health"):
            assert exec_in(secured.containers()[name], "curl", "--silent", url)[1] == '{"health":"true","reason":""}'
        other = addresses["m1" if name != "m1" else "m2"]
        code, _ = exec_in(secured.containers()[name], "curl", "--silent", f"http://{other}:2379/version")
        assert code == 7
    for url in secured.outputs()["etcd"]:
        assert _curl(*ours, f"{url}/version") == 0
        assert _curl(*ca, f"{url}/version") in {35, 55, 56}  # the handshake fails


@pytest.mark.parametrize("name", ["m1", "m4"])
def test_a_container_registers_itself_and_writes_nothing_else(secured: Stack, name: str) -> None:
    """On a member and on a worker: neither fleet's keys nor another app's nor its own app's releases, with no API."""
    machine, address = secured.containers()[name], secured.outputs()["machines"][name]
    etcd = f"http://{address}:2379"

    def status(path: str, *argv: str) -> str:
        code, output = exec_in(machine, "sh", "-ec", _CONTAINER, "sh", *argv, f"{etcd}{path}")
        assert code == 0, output
        return output

    keys = "/v2/keys/fleetcaptain/probe"
    assert status(f"{keys}?recursive=true") == "200"
    assert status(f"{keys}/services/probe/mine", "-X", "PUT", "-d", "value=1", "-d", "ttl=5") in {"200", "201"}
    for denied in (f"{keys}/current", "/v2/keys/fleetcaptain/blog/services/web/a", "/v2/keys/_coreos.com/fleet/job/a"):
        assert status(denied, "-X", "PUT", "-d", "value=1") == "401", denied
        assert status(denied, "-d", "value=1") == "401", denied  # as a form in a page sends it
    peer = '{"peerURLs":["http://10.9.9.9:2380"]}'
    assert status("/v2/members", *_JSON, peer) == "401"
    assert status("/v3/cluster/member/add", *_JSON, peer) == "404"
    assert status("/v3/kv/put", *_JSON, '{"key":"YQ==","value":"YQ=="}') == "404"
    assert set(_members(secured)) == {"m1", "m2", "m3"}


def test_keys_are_in_no_state_and_no_definition(secured: Stack) -> None:
    """Whoever reads those has no way in."""
    assert "PRIVATE KEY" not in secured.must("stack", "export", "--show-secrets").output


def _known_hosts(stack: Stack) -> str:
    """The host keys of its machines, read from the machines themselves."""
    lines = []
    for name, address in stack.outputs()["machines"].items():
        code, keys = exec_in(stack.containers()[name], "sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub")
        assert code == 0, keys
        lines += [f"{address} {key}" for key in keys.splitlines()]
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture
def guest(secured: Stack, tmp_path: Path) -> Iterator[Stack]:
    """The example in a stack of its own, which knows of the cluster only where its machines let one in."""
    settings = {**secured.as_existing(), "knownHosts": str(tmp_path / "known_hosts")}
    (tmp_path / "known_hosts").write_text(_known_hosts(secured))
    stack = Stack(stack_name("e2e-guest"), example(tmp_path / "app"), tmp_path / "pulumi", settings)
    yield stack
    stack.remove()


def test_an_app_comes_to_a_cluster_of_others_and_goes_again(secured: Stack, guest: Stack, tmp_path: Path) -> None:
    """The first of its machines is down all the while; what is wrong with the settings is said before, and so is a host
    key that the file of known ones has not; and what goes at the end are the app's units and registrations, nothing
    else."""
    before = set(secured.cluster("probe").snapshot().units)
    known_hosts = tmp_path / "known_hosts"
    known = known_hosts.read_text()
    known_hosts.write_text("")
    assert "Host key verification failed" in guest.fails().error
    assert known_hosts.read_text() == ""
    known_hosts.write_text(known)
    secured.containers()["m1"].stop()
    guest.set("registry", "Not A Registry")
    guest.set("bastion", "a b")
    refused = guest.fails().error
    assert "fleetcaptain:registry" in refused
    assert "fleetcaptain:bastion" in refused
    guest.set("registry", secured.registry)
    guest.must("config", "rm", "fleetcaptain:bastion")
    guest.up()
    urls = guest.outputs()["endpoints"]["app_server"]
    assert len(urls) == 4
    for url in urls:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  from the stack
            assert "visits" in json.loads(response.read())
    assert set(guest.outputs()["machines"]) == {"m2", "m3", "m4"}
    guest.rests()
    guest.destroy()
    assert set(secured.containers()) == {"m1", "m2", "m3", "m4", "registry"}
    cluster = secured.cluster("probe")
    assert set(cluster.snapshot().units) == before
    assert cluster.store.below("/fleetcaptain/behavioral") == ()
    secured.up()
    _as_it_was(secured)


def test_a_member_that_is_gone_with_its_data_is_replaced(secured: Stack) -> None:
    """The next up takes it off etcd's list, puts it on again, and it learns everything from the others."""
    known = _members(secured)
    _lose(secured, "m2")
    assert "m2 is missing, and so is its data" in secured.preview().output
    secured.up()
    found = _members(secured)
    assert found.pop("m2") != known.pop("m2")
    assert found == known
    assert len(secured.cluster("probe").snapshot().machines) == 4
    secured.up()  # an instance that ran on it may be on its way to another machine
    _as_it_was(secured)


def test_members_leave_and_join_with_the_clusters_size(secured: Stack) -> None:
    """Three members become one and three again, and etcd keeps what it knows."""
    secured.set("size", "2")
    secured.set("removeMachines", "m3,m4")
    secured.up()
    assert set(_members(secured)) == {"m1"}
    assert set(secured.containers()) == {"m1", "m2", "registry"}
    secured.up()
    _as_it_was(secured)
    secured.set("size", "3")
    assert "config rm fleetcaptain:removeMachines" in secured.fails("preview").output
    secured.must("config", "rm", "fleetcaptain:removeMachines")
    secured.up()
    assert set(_members(secured)) == {"m1", "m2", "m3"}
    secured.up()
    _as_it_was(secured)


def test_two_lost_members_of_three_are_one_error_with_a_way_out(secured: Stack) -> None:
    """Nothing is touched, and the way out works."""
    for name in ("m2", "m3"):
        _lose(secured, name)
    assert "2 of its 3 members lost their data (m2, m3)" in secured.fails().error
    assert set(secured.containers()) == {"m1", "registry"}
    secured.must("destroy", "--yes")
    assert secured.leftovers() == []
