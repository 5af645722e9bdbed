"""How much fleet and etcd may answer, and where they may send a client."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.errors import ClusterUnreachable, FleetApiError
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.net import body


class Hostile(ThreadingHTTPServer):
    """Answers on a port of the loopback. *asked*: the path of each request. *status*, *headers*, *content*: the answer,
    after which *endless* more of it follow."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.content = b"{}"
        self.endless = False

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hostile

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        if not self.server.endless:
            self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        try:
            self.wfile.write(self.server.content)
            while self.server.endless:
                self.wfile.write(b" " * 65536)
        except OSError:
            pass  # the client has read enough

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    """What answers as the test says."""
    with Hostile() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def fleet(server: Hostile) -> FleetClient:
    """A client of it."""
    return FleetClient(Transport(lambda: server.url, sleep=lambda _sec: None))


def test_an_answer_without_end_is_not_read_to_its_end(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    """By no client, and it is asked for once."""
    monkeypatch.setattr(body, "MAX_BYTES", 2**20)
    hostile.endless = True
    with pytest.raises(ClusterUnreachable, match=r"The answer to GET /machines of fleet exceeds 1 MiB"):
        fleet(hostile).machines()
    with pytest.raises(ClusterUnreachable, match=r"The answer to GET .*/v2/keys/k exceeds 1 MiB"):
        EtcdStore(lambda: hostile.url).read("/k")
    with pytest.raises(ClusterUnreachable, match="The answer to GET /k of etcd exceeds 1 MiB"):
        KeysApi(hostile.url).get("/k")
    assert len(hostile.asked) == 3


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(hostile: Hostile, status: int) -> None:
    """Neither fleet nor etcd sends one; whoever does would say where this computer's requests go."""
    hostile.status, hostile.headers = status, {"Location": f"{hostile.url}/elsewhere"}
    with pytest.raises(FleetApiError, match=f"with {status}"):
        fleet(hostile).machines()
    with pytest.raises(ClusterUnreachable):
        EtcdStore(lambda: hostile.url, lambda _sec: None).read("/k")
    with pytest.raises(ClusterUnreachable):
        KeysApi(hostile.url, patience_sec=0).get("/k")
    assert hostile.asked
    assert "/elsewhere" not in hostile.asked


def test_an_answer_does_not_say_how_long_to_wait(hostile: Hostile) -> None:
    """Retry-After of hours is not slept."""
    hostile.status, hostile.headers = 503, {"Retry-After": "86400"}
    with pytest.raises(ClusterUnreachable, match="within 8 tries"):
        EtcdStore(lambda: hostile.url, lambda _sec: None).read("/k")
    assert len(hostile.asked) == 8


def test_a_list_that_repeats_a_page_ends(hostile: Hostile) -> None:
    """With an error: what was read may be anything."""
    hostile.content = b'{"units": [], "nextPageToken": "again"}'
    with pytest.raises(FleetApiError, match="does not end: after 2 pages it names one more, 'again'"):
        fleet(hostile).units()
    assert len(hostile.asked) == 2


ODD_ANSWERS = [
    b"[" * 200_000,
    b"{",
    b"[]",
    b'"units"',
    b'{"machines": 5, "units": 5, "states": true}',
    b'{"machines": {"id": "m"}, "units": {"name": "u"}, "states": "x"}',
]


@pytest.mark.parametrize("content", ODD_ANSWERS, ids=lambda content: str(content[:40]))
def test_what_answers_otherwise_is_not_fleet(hostile: Hostile, content: bytes) -> None:
    """An empty list would be an empty cluster, on which nothing is anyone's."""
    hostile.content = content
    for question in (fleet(hostile).machines, fleet(hostile).units, fleet(hostile).states):
        with pytest.raises(FleetApiError, match="not fleet"):
            question()


def test_an_entry_that_is_none_is_left_out(hostile: Hostile) -> None:
    """The others count."""
    entries = b'[5, null, [], "x", {}, {"name": 5, "id": 5}, {"name": "u.service", "id": "m", "machineID": "m"}]'
    hostile.content = b'{"machines": %s, "units": %s, "states": %s}' % (entries, entries, entries)
    client = fleet(hostile)
    assert [machine.id for machine in client.machines()] == ["m"]
    assert [unit.name for unit in client.units()] == ["u.service"]
    assert [state.name for state in client.states()] == ["u.service"]


@pytest.mark.parametrize(
    "content", [b"[" * 200_000, b'{"error": {"message": "%s"}}' % (b"x" * 100_000), b"x" * 100_000, b'{"error": 5}']
)
def test_a_refusal_is_cut_to_what_a_person_reads(hostile: Hostile, content: bytes) -> None:
    """Whatever its body is."""
    hostile.status, hostile.content = 400, content
    with pytest.raises(FleetApiError) as refused:
        fleet(hostile).machines()
    assert len(str(refused.value)) < 600
