"""The resource that has etcd list a member: over the members that are there, with their own health."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from components.aws import joined_member
from components.aws.joined_member import JoinedMemberProvider
from fleetcaptain.errors import ClusterUnreachable, DeadlineExceeded

ADDRESSES = {"m1": "10.71.0.11", "m2": "10.71.1.11", "m3": "10.71.2.11", "m4": "10.71.0.12"}
PROPS = {"connection": {"kind": "aws"}, "members": [[name, address] for name, address in ADDRESSES.items()]}


class Cluster:
    """A cluster whose etcd has m1 to m3. *sick*: the addresses of machines that do not answer. The first *silent*
    requests fail."""

    def __init__(self, *sick: str, silent: int = 0) -> None:
        self.store = SimpleNamespace(request=self.request)
        self.sick, self.silent = sick, silent
        self.listed = [
            {"id": name, "name": name, "peerURLs": [f"https://{ADDRESSES[name]}:2380"]} for name in ("m1", "m2", "m3")
        ]
        self.health = {"health": "true"}

    def request(self, method: str, _path: str, body: str) -> tuple[int, str]:
        """etcd's answer."""
        if self.silent:
            self.silent -= 1
            raise ClusterUnreachable("nothing answers")
        if method == "POST":
            self.listed.append({"id": "new", "name": "", **json.loads(body)})
            return 201, ""
        return 200, json.dumps({"members": self.listed})

    def run(self, address: str, argv: list[str], _timeout_sec: float) -> str | None:
        """The health of a member, on its machine."""
        assert argv[-1] == "http://127.0.0.1:2379/health"
        return None if address in self.sick else json.dumps(self.health)


def create(monkeypatch: pytest.MonkeyPatch, cluster: Cluster) -> Any:
    """What the provider creates in *cluster*."""
    handle = SimpleNamespace(connect=lambda _app: cluster)
    monkeypatch.setattr(joined_member, "handle_of", lambda _data: handle)
    monkeypatch.setattr(joined_member, "_sleep", lambda _seconds: None)
    return JoinedMemberProvider().create(PROPS)


def test_the_last_one_is_listed_by_its_peer_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """As its certificate and its etcd have it; an etcd that does not answer yet is asked again."""
    cluster = Cluster(silent=2)
    assert create(monkeypatch, cluster).id == "m4"
    assert cluster.listed[3]["peerURLs"] == ["https://10.71.0.12:2380"]
    assert create(monkeypatch, cluster).id == "m4"
    assert len(cluster.listed) == 4


@pytest.mark.parametrize("health", [{"health": "false"}, {}, "nothing"])
def test_none_is_listed_while_one_is_not_healthy(monkeypatch: pytest.MonkeyPatch, health: Any) -> None:
    """Whatever it says, and also if it says nothing."""
    monkeypatch.setattr(joined_member, "_STEP_SEC", 0)
    sick, other = Cluster("10.71.1.11"), Cluster()
    other.health = health
    for cluster, names in ((sick, "m2"), (other, "m1, m2, m3")):
        with pytest.raises(DeadlineExceeded, match=f"waiting for etcd on {names}"):
            create(monkeypatch, cluster)
        assert len(cluster.listed) == 3


def test_it_never_changes() -> None:
    """Another way in, or an end of the stack, does nothing to etcd's list."""
    provider = JoinedMemberProvider()
    assert provider.diff("m4", PROPS, {**PROPS, "connection": {}}).changes is False
    assert provider.read("m4", PROPS).outs == PROPS
    provider.delete("m4", PROPS)
