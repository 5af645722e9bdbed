"""The local cluster: restarts, lost machines, other sizes, neighbours, and going away without a trace."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.fleet.tunnel import Tunnel
from fleetcaptain.net.pools import socket_of
from tests.e2e.example import example
from tests.e2e.stack import Stack, stack_name


def _all_answer(stack: Stack) -> bool:
    for url in stack.outputs()["endpoints"]["app_server"]:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as response:  # noqa: S310  from the stack
            if response.status != 200:
                return False
    return True


def test_after_a_reboot_an_up_starts_what_was_stopped(stack: Stack) -> None:
    """All containers were killed at once: the next up starts them, and the app answers."""
    for container in stack.containers().values():
        container.kill()
    assert "is exited" in stack.preview().output
    stack.up()
    assert _all_answer(stack)
    stack.rests()


def test_other_users_of_this_computer_have_no_way_in(stack: Stack) -> None:
    """While a connection is open its sockets are its user's alone, and go with it."""
    with Tunnel(Endpoint.of(stack.outputs()["connection"], managed=True)) as tunnel:
        sockets = [Path(socket_of(url)) for url in (tunnel.fleet_url(), tunnel.etcd_url())]
        folder = sockets[0].parent
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in sockets} == {0o600}
        assert FleetClient(Transport(tunnel.fleet_url)).version() == "1.0.0"
        assert EtcdStore(tunnel.etcd_url).below("/fleetcaptain/behavioral")
    assert not folder.exists()


def test_a_removed_machine_is_made_again(stack: Stack) -> None:
    """``docker rm`` of a machine: its data is in volumes, so it joins again as it was."""
    stack.containers()["m2"].remove(force=True)
    assert "m2 is missing" in stack.preview().output
    stack.up()
    assert set(stack.containers()) == {"m1", "m2", "m3", "registry"}
    assert _all_answer(stack)


def test_the_cluster_grows_and_shrinks_in_place(stack: Stack) -> None:
    """A fourth machine joins and leaves again, which takes consent; its units move off the machine that goes."""
    stack.set("size", "4")
    try:
        stack.up()
        assert len(stack.cluster().snapshot().machines) == 4
        assert len(stack.outputs()["machines"]) == 4
    finally:
        stack.set("size", "3")
    refused = stack.fails("preview").output
    assert "pulumi config set fleetcaptain:removeMachines m4" in refused
    assert len(stack.containers()) == 5
    stack.set("removeMachines", "m4")
    stack.up()
    assert set(stack.containers()) == {"m1", "m2", "m3", "registry"}
    assert _all_answer(stack)
    stack.rests()
    stack.must("config", "rm", "fleetcaptain:removeMachines")


def test_tls_is_not_turned_off_while_the_cluster_has_data(stack: Stack) -> None:
    """That takes a new one: the preview says so, and an up that asks nothing changes nothing."""
    before = {name: container.id for name, container in stack.containers().items()}
    stack.set("tls", "false")
    try:
        for command in (("preview",), ("up", "--yes")):
            assert "make down" in stack.fails(*command).output
    finally:
        stack.must("config", "rm", "fleetcaptain:tls")
    assert {name: container.id for name, container in stack.containers().items()} == before
    stack.rests()


def test_two_stacks_live_side_by_side_and_go_without_a_trace(stack: Stack, tmp_path: Path) -> None:
    """A second stack is deployed, destroyed and deployed again; the first one never notices."""
    other = Stack(stack_name("e2e-other"), example(tmp_path / "app"), tmp_path / "pulumi", {"size": "1"})
    try:
        other.up()
        assert _all_answer(other)
        assert _all_answer(stack)
        other.must("destroy", "--yes")
        assert other.leftovers() == []
        other.up()
        assert _all_answer(other)
        other.destroy()
        assert other.leftovers() == []
    finally:
        other.remove()
    stack.rests()


@pytest.mark.parametrize("size", ["0", "8"])
def test_an_impossible_size_is_refused_before_anything_is_made(stack: Stack, size: str) -> None:
    """A local cluster has 1 to 7 machines."""
    stack.set("size", size)
    try:
        assert "1 to 7" in stack.fails().output
    finally:
        stack.set("size", "3")
    stack.rests()
