"""The TCP ports of a machine that its own programs use."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CLIENT", "CLIENT_TLS", "GRPC", "HEALTH", "PEER", "RESERVED", "SSH"]

SSH, HEALTH, CLIENT_TLS, CLIENT, PEER, GRPC = 22, 2377, 2378, 2379, 2380, 2381

RESERVED: Mapping[int, str] = {
    SSH: "ssh",
    HEALTH: "the health of a machine",
    CLIENT_TLS: "etcd's clients with a certificate",
    CLIENT: "etcd's clients on the machine itself",
    PEER: "etcd's members",
    GRPC: "etcd's v3 API",
}
"""Port -> what it is for. A container that publishes one does not start, or takes the port from a program of the
machine; and on AWS the security groups would open it to all machines."""
