"""Which machine a tunnel goes through."""

from __future__ import annotations

import pytest

from fleetcaptain.fleet.port_forward import PortForward
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.tunnel import Tunnel


class _Line(PortForward):
    """A line that stands until it is closed."""

    def __init__(self, host: str) -> None:
        self.fleet_url, self.etcd_url, self._open = f"http://fleet.{host}", f"http://etcd.{host}", True

    @property
    def alive(self) -> bool:
        return self._open

    def close(self) -> None:
        self._open = False


def tunnel(*hosts: str) -> Tunnel:
    """A tunnel to *hosts*, each of which accepts the connection."""
    return Tunnel(Endpoint(hosts), lambda _endpoint, host: _Line(host))


@pytest.mark.parametrize("what", ["fleet", "etcd"])
def test_a_machine_is_left_for_the_next_when_its_fleet_or_its_etcd_does_not_answer(what: str) -> None:
    """Both then go through the other one; who is late to say so changes nothing."""
    endpoint = tunnel("a", "b")
    assert endpoint.etcd_url() == "http://etcd.a"
    for _ in range(2):
        endpoint.mark_unreachable(f"http://{what}.a")
        assert (endpoint.fleet_url(), endpoint.etcd_url()) == ("http://fleet.b", "http://etcd.b")


def test_the_only_machine_is_not_left() -> None:
    """There is no other way."""
    endpoint = tunnel("a")
    first = endpoint.fleet_url()
    endpoint.mark_unreachable(first)
    assert endpoint.fleet_url() == first
