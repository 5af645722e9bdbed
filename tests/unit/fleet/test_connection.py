"""The connection to a cluster, and its files: found from the project's folder, wherever that is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.fleet.connection import Connection
from fleetcaptain.fleet.ssh import Endpoint

ROOT = Path("/home/ann/shop")


def _endpoint(connection: Connection) -> Endpoint:
    assert isinstance(connection.endpoint, Endpoint)
    return connection.endpoint


@pytest.mark.parametrize(
    ("data", "size"),
    [
        ({"kind": "local", "ssh": ["core@a", "core@b"]}, 2),
        ({"kind": "aws", "ssh": ["core@a", "core@b", "core@c"], "size": 7.0}, 7),
        ({"kind": "existing", "ssh": ["core@a"]}, 0),
    ],
)
def test_a_connection_has_the_size_of_the_stacks_own_cluster(data: dict[str, Any], size: int) -> None:
    """Of others' clusters only fleet knows it."""
    assert Connection.parse({**data, "stack": "shop/dev", "key": "", "known_hosts": ""}).size == size


@pytest.mark.parametrize("data", [{}, {"kind": "moon", "ssh": []}, {"kind": "local", "ssh": ["core@a"]}])
def test_what_is_no_connection_is_refused(data: dict[str, Any]) -> None:
    """At the edge."""
    with pytest.raises((KeyError, ValueError)):
        Connection.parse(data)


@pytest.mark.parametrize(
    ("kind", "key", "found"),
    [
        ("local", ".fleetcaptain/dev/id", "/home/ann/shop/.fleetcaptain/dev/id"),
        ("local", "/old/place/.fleetcaptain/dev/id", "/home/ann/shop/.fleetcaptain/dev/id"),
        ("local", "/.fleetcaptain/x/.fleetcaptain/dev/id", "/home/ann/shop/.fleetcaptain/dev/id"),
        ("existing", "keys/id", "/home/ann/shop/keys/id"),
        ("existing", "/b/.fleetcaptain/dev/id", "/b/.fleetcaptain/dev/id"),
        ("aws", "~/.ssh/id", str(Path("~/.ssh/id").expanduser())),
        ("aws", "", ""),
    ],
)
def test_a_connections_files_are_found(kind: str, key: str, found: str) -> None:
    """Those of a local cluster are the project's own, also when an earlier version wrote where the project was."""
    data = {"kind": kind, "key": key, "known_hosts": key, "ssh": ["core@a"]}
    connection = Connection.parse(data)
    assert connection.located(ROOT).endpoint == replace(_endpoint(connection), key=found, known_hosts=found)
    assert connection.has_relative_files is (bool(key) and not key.startswith(("/", "~")))


def test_a_connection_without_files_stays() -> None:
    """One to fleet's socket."""
    data = {"kind": "existing", "fleet": "unix:///run/fleet.sock", "etcd": "http://127.0.0.1:2379"}
    connection = Connection.parse(data)
    assert connection.located(ROOT) == connection
    assert not connection.has_relative_files
