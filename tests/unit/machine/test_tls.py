"""etcd over TLS: who needs a certificate, who does not, and what keeps the others out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fleetcaptain.machine.definition import Machine
from fleetcaptain.machine.ignition import ignition
from tests.unit.machine.example_machines import MACHINES, MEMBER, WORKER, files, units

TLS_MEMBER, TLS_WORKER = MACHINES["member-tls"], MACHINES["worker-tls"]


def test_members_ask_everybody_on_the_network_for_a_certificate() -> None:
    """Clients and peers; and they tell clients of that port only."""
    etcd = units(ignition(TLS_MEMBER))["etcd.service"]
    for setting in (
        "CLIENT_CERT_AUTH=true",
        "PEER_CLIENT_CERT_AUTH=true",
        "LISTEN_PEER_URLS=https://10.0.0.11:2380",
        "ADVERTISE_CLIENT_URLS=https://10.0.0.11:2378",
        "TRUSTED_CA_FILE=/etc/fleetcaptain/tls/ca.pem",
        "PEER_KEY_FILE=/etc/fleetcaptain/tls/key.pem",
    ):
        assert f"\nEnvironment=ETCD_{setting}\n" in etcd
    assert "m2=https://10.0.0.12:2380" in etcd


@pytest.mark.parametrize("machine", [TLS_MEMBER, TLS_WORKER])
def test_fleetd_says_who_it_is_and_units_do_not(machine: Machine) -> None:
    """fleetd goes to its machine's port with TLS. Units find etcd where it is without TLS too."""
    found = files(ignition(machine))["/etc/fleet/fleet.env"]
    assert "FLEET_ETCD_SERVERS=https://127.0.0.1:2378\n" in found
    assert "FLEET_ETCD_CERTFILE=/etc/fleetcaptain/tls/fleet.pem\n" in found
    assert "LISTEN_CLIENT_HTTP_URLS=http://127.0.0.1:2379," in units(ignition(TLS_MEMBER))["etcd.service"]
    if not machine.is_member:
        gateway = units(ignition(machine))["etcd-members.service"]
        assert "--listen-addr=127.0.0.1:2378 --endpoints=10.0.0.11:2378," in gateway


@pytest.mark.parametrize(
    ("machine", "endpoint"), [(TLS_WORKER, "OPENSSL:127.0.0.1:2378,"), (WORKER, "TCP:127.0.0.1:2379")]
)
def test_whoever_may_use_fleets_socket_is_etcds_superuser(machine: Machine, endpoint: str) -> None:
    """By a socket for the same group, and by no port."""
    root = units(ignition(machine))["etcd-root.service"]
    assert "UNIX-LISTEN:/run/etcd.sock,fork,unlink-early,mode=0660,user=root,group=core" in root
    assert endpoint in root
    assert ("cert=/etc/fleetcaptain/tls/root.pem" in root) is machine.tls


@pytest.mark.parametrize(("machine", "listening"), [(TLS_MEMBER, "etcd.service"), (TLS_WORKER, "etcd.socket")])
def test_the_plain_port_does_not_open_without_its_firewall(machine: Machine, listening: str) -> None:
    """It lets in what comes from the machine itself and its containers, and refuses the rest."""
    found = units(ignition(machine))
    assert "Requires=firewall.service\nAfter=firewall.service\n" in found[listening].partition("[Service]")[0]
    rules = re.findall(r"iptables -w (-[AI] [^;'|]*)", found["firewall.service"])
    assert [rule.split()[-1] for rule in rules] == ["RETURN", "RETURN", "RETURN", "tcp-reset", "fleetcaptain"]
    assert [word for rule in rules[:3] for word in re.findall(r"-i (\S+)", rule)] == ["lo", "docker+", "br-+"]
    assert rules[-1] == "-I INPUT -p tcp --dport 2379 -j fleetcaptain"


@pytest.mark.parametrize("machine", [MEMBER, WORKER])
def test_without_tls_nothing_of_it_is_there(machine: Machine) -> None:
    """Neither firewall nor certificates."""
    found = ignition(machine)
    assert "firewall" not in str(found)
    assert "/etc/fleetcaptain/tls" not in str(found)


def test_a_worker_goes_to_the_members_by_its_certificate() -> None:
    """One after the other, until one answers."""
    gateway = units(ignition(TLS_WORKER))["etcd@.service"]
    assert "key=/etc/fleetcaptain/tls/key.pem" in gateway
    assert "OPENSSL:$$1:2378" in gateway
    assert "ask 10.0.0.11 || ask 10.0.0.12 || ask 10.0.0.13" in gateway


def test_a_worker_that_becomes_a_member_has_one_etcd() -> None:
    """The socket and the service would be at the same port."""
    member = units(ignition(replace(TLS_WORKER, members=(*TLS_WORKER.members, replace(MEMBER.members[0], name="m4")))))
    assert "etcd.socket" not in member
