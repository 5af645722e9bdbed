"""etcd asked with Python's own library alone."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.errors import ClusterUnreachable
from tests.fakes.fake_etcd import FakeEtcd

ODD = "/fleetcaptain/a b/ü?&=%41"


def test_keys_and_values_arrive_as_they_are(etcd: FakeEtcd) -> None:
    """Whatever is in them."""
    api = KeysApi(etcd.url)
    assert api.put(ODD, "é&=%41 +\n", 60).done
    assert api.get(ODD).node["value"] == "é&=%41 +\n"
    assert etcd.entries[ODD].ttl == 60
    assert api.delete(ODD, prevValue="é&=%41 +\n").done
    assert api.get(ODD).gone


def test_a_comparison_that_fails_is_an_answer(etcd: FakeEtcd) -> None:
    """No error: the caller decides what it means."""
    api = KeysApi(etcd.url)
    etcd.put("/k", "other")
    assert not api.refresh("/k", "mine", 60).done
    assert not api.put("/k", "mine", 60, prevExist="false").done
    assert not api.delete("/k", prevValue="mine").done
    assert api.refresh("/gone", "mine", 60).gone


def test_an_election_is_outlasted(etcd: FakeEtcd) -> None:
    """etcd answers 500 while it has no leader."""
    etcd.failures = 3
    slept: list[float] = []
    assert KeysApi(etcd.url, sleep=slept.append).put("/k", "v", 60).done
    assert len(slept) == 3


def test_an_etcd_without_quorum_is_given_up(etcd: FakeEtcd) -> None:
    """After its patience, with what etcd said and what to look at."""
    etcd.failures = 1000
    passed: list[float] = []
    api = KeysApi(etcd.url, patience_sec=8, clock=lambda: sum(passed), sleep=passed.append)
    with pytest.raises(ClusterUnreachable, match=r"answered 500 Raft Internal Error.*--etcd.*quorum"):
        api.get("/k")
    assert sum(passed) == 8


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:1"])
def test_nobody_there(url: str) -> None:
    """A refused connection is the same to the caller; the URL's scheme may be left out."""
    with pytest.raises(ClusterUnreachable, match=r"Could not reach etcd at http://127\.0\.0\.1:1"):
        KeysApi(url, patience_sec=0).get("/k")


def test_an_etcd_that_speaks_tls_is_refused_at_once() -> None:
    """And named as it was given: from outside of the cluster there is none that can be asked."""
    with pytest.raises(ClusterUnreachable, match=r"https://10\.0\.0\.11:2378: .* supports plain HTTP only"):
        KeysApi("https://10.0.0.11:2378")


def test_no_proxy_is_asked(etcd: FakeEtcd, monkeypatch: pytest.MonkeyPatch) -> None:
    """etcd is on the machine, whatever the container's environment says of the world outside."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert KeysApi(etcd.url, patience_sec=0).get("/k").gone


def test_a_wait_sees_what_happened_since_its_index(etcd: FakeEtcd) -> None:
    """Also what happened before it began; another directory's changes are not its own."""
    api = KeysApi(etcd.url)
    index = api.get("/dir").index
    etcd.put("/other/k", "v")
    etcd.put("/dir/k", "v")
    event = api.wait("/dir", index + 1, 5)
    assert event is not None
    assert event.node["key"] == "/dir/k"
    assert api.wait("/dir", event.node["modifiedIndex"] + 1, 0.05) is None


def test_a_refresh_wakes_no_watcher(etcd: FakeEtcd) -> None:
    """Renewals are no changes."""
    api = KeysApi(etcd.url)
    index = api.put("/dir/k", "v", 60).node["modifiedIndex"]
    assert api.refresh("/dir/k", "v", 60).done
    assert api.wait("/dir", index + 1, 0.05) is None


def test_etcd_behind_a_socket_is_read_like_any_other(tmp_path: Path) -> None:
    """As at the end of a tunnel; the address is looked up before each try, and one that does not answer is named."""
    path = tmp_path / "etcd.sock"
    answer = b'{"node":{"key":"/k","value":"v"}}'
    left: list[str] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))

        threading.Thread(target=serve, daemon=True).start()
        urls = iter([f"unix://{tmp_path}/gone.sock", f"unix://{path}"])
        api = KeysApi(lambda: next(urls), sleep=lambda _seconds: None, mark_unreachable=left.append)
        assert api.get("/k").node["value"] == "v"
    assert left == [f"unix://{tmp_path}/gone.sock"]
    with pytest.raises(ClusterUnreachable, match=r"Could not reach etcd at unix://.*gone\.sock"):
        KeysApi(f"unix://{tmp_path}/gone.sock", patience_sec=0).get("/k")
