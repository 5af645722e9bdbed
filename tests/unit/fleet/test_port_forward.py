"""The forwards of a connection: sockets that this user alone can open, and that go with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.port_forward import PortForward, connect
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.fleet.tunnel import Tunnel
from fleetcaptain.net.pools import socket_of
from tests.fakes.fake_etcd import FakeEtcd
from tests.fakes.fleet.fake_fleet import Cluster
from tests.fakes.fleet.fleet_server import FakeFleet
from tests.waits import until

ENDPOINT = Endpoint(("core@10.0.0.1",))
BIN = Path(__file__).resolve().parents[2] / "fakes" / "bin"


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeEtcd]:
    """A stand-in ssh that leads to a fake fleet and this fake etcd; temporary files are in the folder ``tmp``."""
    (tmp_path / "tmp").mkdir()
    with FakeEtcd() as etcd, FakeFleet(Cluster((Machine("a" * 32, "10.0.0.1", {}),))) as fleet:
        monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_FLEET", fleet.url.removeprefix("http://"))
        monkeypatch.setenv("FAKE_ETCD", etcd.url.removeprefix("http://"))
        monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield etcd


def folder_of(line: PortForward) -> Path:
    """The folder of the line's sockets."""
    return Path(socket_of(line.fleet_url)).parent


def test_both_apis_answer_through_sockets_and_no_port_listens(ssh: FakeEtcd) -> None:
    """The folder is closed to others, and gone with the tunnel."""
    ssh.put("/d/k", "v")
    with Tunnel(ENDPOINT) as tunnel:
        fleet, etcd = FleetClient(Transport(tunnel.fleet_url)), EtcdStore(tunnel.etcd_url)
        assert [machine.ip for machine in fleet.machines()] == ["10.0.0.1"]
        assert etcd.create("/d/new", "1")
        assert [node.value for node in etcd.below("/d")] == ["v", "1"]
        folder = Path(socket_of(tunnel.fleet_url())).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.name for path in folder.iterdir()} == {"fleet.sock", "etcd.sock", "etcd-root.sock"}
    assert not folder.exists()


def test_etcd_is_asked_as_its_superuser_where_the_machine_has_a_socket_for_that(
    ssh: FakeEtcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may use that socket may use fleet's, so no more is at stake."""
    ssh.put("/who", "a guest")
    with FakeEtcd() as root:
        root.put("/who", "root")
        monkeypatch.setenv("FAKE_ETCD_ROOT", root.url.removeprefix("http://"))
        with Tunnel(ENDPOINT) as tunnel:
            node = EtcdStore(tunnel.etcd_url).read("/who")
    assert node is not None
    assert node.value == "root"


def test_root_s_password_comes_through_the_connection_and_shows_nowhere(
    ssh: FakeEtcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a word that can be one counts."""
    ssh.put("/k", "v")
    password = "a-password_of-root-0123"  # noqa: S105
    for said, taken in ((password, password), ("too short", ""), (f'{password}" x', "")):
        monkeypatch.setenv("FAKE_ETCD_PASSWORD", said)
        with Tunnel(ENDPOINT) as tunnel:
            assert tunnel.etcd_password() == taken
            store = EtcdStore(tunnel.etcd_url, password=tunnel.etcd_password)
            node = store.read("/k")
            assert node is not None
            ssh.failures, ssh.failure = 1, 401
            assert password not in f"{tunnel!r}{store!r}"
            status, _ = store.request("GET", "/v2/keys/k", "")
            assert status == 401
    sent = [headers.get("authorization", "") for headers in ssh.headers]
    assert sent == [f"Basic {b64encode(f'root:{password}'.encode()).decode()}"] * 2 + [""] * 4


@pytest.mark.usefixtures("ssh")
def test_the_sockets_of_a_killed_process_go_too() -> None:
    """The shell that started ssh removes them."""
    script = (
        "from fleetcaptain.fleet.port_forward import connect; from fleetcaptain.fleet.ssh import Endpoint; "
        "line = connect(Endpoint(('core@10.0.0.1',)), 'core@10.0.0.1'); print(line.fleet_url, flush=True); input()"
    )
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(socket_of(process.stdout.readline().strip())).parent
        assert folder.exists()
        process.send_signal(signal.SIGKILL)
    until(lambda: not folder.exists())


@pytest.mark.parametrize("name", ["x" * 90, "a b", "50%d", "a:b"])
@pytest.mark.usefixtures("ssh")
def test_a_folder_for_temporary_files_that_no_socket_can_be_in(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is too long, or ssh would read its path as something else."""
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    line = connect(ENDPOINT, "core@10.0.0.1")
    assert folder_of(line).parent == Path("/tmp")  # noqa: S108 - the folder in it is private
    assert len(socket_of(line.fleet_url)) < 100
    line.close()
    assert not folder_of(line).exists()


@pytest.mark.usefixtures("ssh")
def test_a_failed_connection_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says why in ssh's words."""
    monkeypatch.setenv("FAKE_DEAD", "core@10.0.0.1")
    with pytest.raises(ClusterUnreachable, match=r"core@10\.0\.0\.1: ssh: connect to host: No route to host"):
        connect(ENDPOINT, "core@10.0.0.1")
    assert not list(Path(tempfile.gettempdir()).iterdir())


def test_a_connection_without_any_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The shell says so."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    (tmp_path / "rm").symlink_to("/bin/rm")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterUnreachable, match=r"ssh.*not found"):
        connect(ENDPOINT, "core@10.0.0.1")
