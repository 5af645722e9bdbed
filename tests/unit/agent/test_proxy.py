"""The proxy of public services on a pretended machine: docker and HAProxy are stubs, etcd answers over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.shell_machine import APP, SHELLS, PretendedMachine, registration
from tests.waits import until

UNIT = f"{APP}-proxy@machine-a.service"
IMAGE, OTHER_IMAGE = "acme/proxy@sha256:1", "acme/proxy@sha256:2"
ROUTES = ("http 8080 - / web -",)

# A container is a file in the folder `containers`, which has its label. It ends with `docker kill`, as if it had no
# connections, and does not start while there is a file `refused`. HAProxy does not answer while there is
# a file `silent`.
_DOCKER = """
here={here}; echo "$*" >>$here/docker.log
case $1 in
run)
  name='' form='' before=''
  for word; do
    [ "$before" != --name ] || name=$word
    case $word in fleetcaptain.kind=*) form=${{word#*=}} ;; esac
    before=$word
  done
  [ -f $here/refused ] || printf %s "$form" >$here/containers/$name ;;
inspect)
  for name; do :; done
  [ ! -f $here/mute ] || exit 1
  [ -f $here/containers/$name ] || {{ echo "Error: No such object: $name" >&2; exit 1; }}
  case $* in *Labels*) echo "true $(cat $here/containers/$name)" ;; *) echo true ;; esac ;;
ps) ls $here/containers ;;
logs) echo '[NOTICE] (1) : begins'; echo '[ALERT] (1) : cannot bind socket [0.0.0.0:8080]' ;;
kill) rm -f $here/containers/$4 ;;
wait) [ ! -f $here/unwatched ] || exit 1; while [ -f $here/containers/$2 ]; do {sleep} 0.05; done ;;
esac"""
_HAPROXY = """
case "$*" in *--unix-socket*)
  [ ! -f {here}/silent ] || exit 28
  read -r command; echo "$command" >>{here}/haproxy.log
  case $command in
  reload) [ -f {here}/unloadable ] && echo 'Success=0' && echo '[ALERT] (1) : no such file' || echo Success=1 ;;
  *) [ -f {here}/refused ] || echo 3.0 ;;
  esac
  exit ;;
esac"""


class Proxy:
    """The proxy's unit on *machine*, as systemd starts and stops it."""

    def __init__(self, machine: PretendedMachine, etcd: FakeEtcd) -> None:
        self.machine, self.etcd = machine, etcd
        self._process: subprocess.Popen[bytes] | None = None
        here, sleep = machine.folder, "/bin/sleep"
        (here / "containers").mkdir()
        machine.stub("docker", _DOCKER.format(here=here, sleep=sleep))
        machine.curl(_HAPROXY.format(here=here))
        machine.stub("sleep", f"exec {sleep} 0.02")
        machine.stub("chown", "exit 0")
        for name in ("systemctl", "systemd-run"):
            machine.stub(name, f'echo "{name} $*" >>{here}/systemd.log')
        self.runs = 0

    def registers(self, unit: str, host: str = "10.0.0.1", port: int | None = 8000, **more: object) -> None:
        """An instance of the service before the ``@`` registers."""
        service = unit.partition("@")[0]
        members = {"service": service, "host": host, "ports": {"80": port}, "connection": {"host": host, "port": port}}
        self.etcd.put(f"/fleetcaptain/{APP}/services/{service}/{unit}.service", registration({**members, **more}))

    def start(self, image: str = IMAGE, routes: tuple[str, ...] = ROUTES) -> None:
        """systemd starts the unit with this text."""
        lines = ["[X-FleetCaptain]", f"Service={APP}-proxy", "Container=no", *(f"Route={route}" for route in routes)]
        self.machine.write("\n".join(lines) + "\n", UNIT)
        self.runs += 1
        environ = {"PATH": f"{self.machine.folder}/bin:{os.environ['PATH']}", "INVOCATION_ID": f"run{self.runs}"}
        argv = [f"{self.machine.folder}/bin/sh", str(self.machine.home / "agent"), "proxy", UNIT, image]
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(argv, env=environ, stdout=output, stderr=output, start_new_session=True)

    def starts(self, image: str = IMAGE, routes: tuple[str, ...] = ROUTES) -> None:
        """It starts, and is ready."""
        self.start(image, routes)
        self.until(lambda: self.ready)

    def stop(self) -> None:
        """systemd stops the unit: first its main process, then all."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process = None

    @property
    def output(self) -> Path:
        """What the unit writes to its journal."""
        return self.machine.folder / "output"

    @property
    def folder(self) -> Path:
        """The files of the proxy."""
        return self.machine.home / "proxy"

    @property
    def ready(self) -> bool:
        """Whether its ready check holds."""
        return (self.folder / f"ready-run{self.runs}").exists()

    @property
    def config(self) -> str:
        """HAProxy's configuration."""
        return (self.folder / "config" / "haproxy.cfg").read_text()

    @property
    def servers(self) -> list[str]:
        """The servers in it, with the backend of each."""
        found, backend = [], ""
        for line in self.config.splitlines():
            match line.split():
                case ["backend", name, *_]:
                    backend = name
                case ["server", _, address, *_] if not address.startswith("unix@"):
                    found.append(f"{backend} {address}")
        return found

    @property
    def containers(self) -> list[str]:
        """The containers that run."""
        return [path.name for path in (self.machine.folder / "containers").iterdir()]

    def log(self, name: str) -> list[str]:
        """The calls of docker, haproxy or systemd."""
        path = self.machine.folder / f"{name}.log"
        return path.read_text().splitlines() if path.exists() else []

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for it."""
        until(holds, self.output.read_text)


@pytest.fixture
def proxy(machine: PretendedMachine, etcd: FakeEtcd) -> Iterator[Proxy]:
    """The proxy of the pretended machine, which has not started."""
    proxy = Proxy(machine, etcd)
    yield proxy
    proxy.stop()


in_each_shell = pytest.mark.parametrize("machine", SHELLS, indirect=True)


@in_each_shell
def test_only_instances_that_take_requests_are_servers(proxy: Proxy) -> None:
    """Those that drain or fail are in etcd, and in no backend."""
    proxy.registers("web@1")
    proxy.registers("web@2", port=8001)
    proxy.registers("web@3", port=8002, draining=True)
    proxy.registers("web@4", port=8003, failing="2030-01-31T12:00:00Z")
    proxy.registers("redis@1", port=6379)
    proxy.registers("worker@1", port=None)
    proxy.starts(routes=("tcp 6379 - - redis -", *ROUTES))
    assert proxy.servers == ["tcp-redis 10.0.0.1:6379", "http-web 10.0.0.1:8000", "http-web 10.0.0.1:8001"]
    assert "leaves out" not in proxy.output.read_text()


@in_each_shell
def test_instances_of_a_former_name_are_servers_too(proxy: Proxy) -> None:
    """Each address once, also if both names have it for a moment."""
    proxy.registers("site@1")
    proxy.registers("web@1")
    proxy.registers("web@2", port=8001)
    proxy.registers("store@1", port=6379)
    proxy.starts(routes=("tcp 6379 - - redis,store -", "http 8080 - / web,site -", "http 8080 - /web web,site -"))
    assert proxy.servers == ["tcp-redis 10.0.0.1:6379", "http-web 10.0.0.1:8000", "http-web 10.0.0.1:8001"]
    assert proxy.config.count("backend http-web from http") == 1


@in_each_shell
def test_what_guests_write_cannot_break_the_configuration(proxy: Proxy) -> None:
    """No address that is none of a machine gets in, and the others stay."""
    for number, host in enumerate(
        ("", "web", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1.1", "10.0.0.1\n  server x", "10.0.0.1 check", "*")
    ):
        proxy.registers(f"web@bad{number}", host)
    for number, host in enumerate(("127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "fd00::1", "%s", "${X}")):
        proxy.registers(f"web@own{number}", host)
    for number, port in enumerate((0, -1, 65536, 999999, None)):
        proxy.registers(f"web@port{number}", port=port)
    for name, value in {
        "long": "x" * 9000,
        "none": "",
        "list": "[1]",
        "deep": '{"connection":{"connection":{}}}',
    }.items():
        proxy.etcd.put(f"/fleetcaptain/{APP}/services/web/web@{name}.service", value)
    proxy.registers("web@1", "10.0.0.255", 65535)
    proxy.starts()
    assert proxy.servers == ["http-web 10.0.0.255:65535"]
    assert proxy.output.read_text().count("leaves out registrations") == 1


def test_requests_go_by_host_and_path_in_the_order_of_the_routes(proxy: Proxy) -> None:
    """A path is a prefix of whole segments; without a route there is no service."""
    proxy.starts(routes=("http 443 shop.example.org /api api 2", "http 443 shop.example.org / web 2"))
    rules = [line.strip() for line in proxy.config.splitlines() if "backend http-" in line and "from" not in line]
    host = "{ req.hdr(host),host_only -i shop.example.org }"
    assert rules == [
        f"use_backend http-api if {host} {{ path /api }}",
        f"use_backend http-api if {host} {{ path_beg /api/ }}",
        f"use_backend http-web if {host}",
    ]
    assert "bind :443 ssl crt /proxy/config/pem-2 " in proxy.config
    assert "default_backend unknown" in proxy.config


def test_the_proxies_of_two_apps_do_not_share_a_port(proxy: Proxy) -> None:
    """They have the same user, so the kernel would give each some of the connections."""
    proxy.starts()
    assert "  noreuseport" in proxy.config.splitlines()


def test_a_port_has_the_certificates_of_all_of_its_routes(proxy: Proxy) -> None:
    """Each once; HAProxy chooses by the name that a client asks for."""
    names = (("443", "a.org", "2"), ("443", "b.org", "1"), ("443", "c.org", "2"), ("444", "d.org", "3"))
    proxy.starts(routes=tuple(f"http {port} {host} / web {file}" for port, host, file in names))
    assert "bind :443 ssl crt /proxy/config/pem-2 crt /proxy/config/pem-1 alpn" in proxy.config
    assert "bind :444 ssl crt /proxy/config/pem-3 alpn" in proxy.config


def test_a_change_of_the_registrations_is_loaded_without_another_container(proxy: Proxy) -> None:
    """What changes no server loads nothing."""
    proxy.starts()
    proxy.registers("other@1")
    proxy.registers("web@1")
    proxy.until(lambda: proxy.servers == ["http-web 10.0.0.1:8000"] and "reload" in proxy.log("haproxy"))
    proxy.etcd.remove(f"/fleetcaptain/{APP}/services/web/web@1.service")
    proxy.until(lambda: proxy.servers == [] and proxy.log("haproxy").count("reload") == 2)
    assert sum(line.startswith("run ") for line in proxy.log("docker")) == 1


def test_a_unit_that_starts_again_takes_its_container_over(proxy: Proxy) -> None:
    """And loads the configuration, since a certificate may be another one."""
    proxy.starts()
    before = proxy.containers
    proxy.stop()
    assert proxy.containers == before
    proxy.starts()
    assert proxy.containers == before
    assert proxy.log("haproxy").count("reload") == 1


def test_another_image_gets_the_sockets_of_the_container_before_which_then_drains(proxy: Proxy) -> None:
    """Not the other way round: while one of them does not listen, connections would be refused."""
    proxy.starts()
    (before,) = proxy.containers
    proxy.stop()
    (proxy.machine.folder / "docker.log").unlink()
    proxy.machine.own_clock()
    proxy.starts(OTHER_IMAGE)
    calls = [line for line in proxy.log("docker") if line.startswith(("run ", "kill "))]
    assert calls[0].endswith(f"-x /proxy/run/{before.rpartition('.')[2]}.stats")
    assert calls[1] == f"kill -s USR1 {before}"
    assert len(proxy.containers) == 1


def test_other_ports_need_another_container(proxy: Proxy) -> None:
    """While one cannot open its ports, the one before goes on with its own. HAProxy would pause them to try."""
    proxy.starts()
    before = proxy.containers
    proxy.stop()
    (proxy.machine.folder / "refused").touch()
    proxy.machine.own_clock()
    proxy.start(routes=("http 8080 - / web -", "tcp 22 - - web -"))
    proxy.until(lambda: "cannot bind socket" in proxy.output.read_text())
    assert (proxy.containers, proxy.log("haproxy").count("reload")) == (before, 0)
    (proxy.machine.folder / "refused").unlink()
    proxy.until(lambda: proxy.ready)
    assert before[0] not in proxy.containers


def test_a_container_that_ends_is_started_again(proxy: Proxy) -> None:
    """At once, while etcd has nothing new, and with the sockets of none."""
    proxy.machine.own_clock().write_text("99.00 1\n")
    proxy.starts()
    proxy.until(lambda: any("wait" in form for _, _, form in proxy.etcd.requests))
    (proxy.machine.folder / "uptime").write_text("100.00 1\n")
    (name,) = proxy.containers
    (proxy.machine.folder / "containers" / name).unlink()
    # etcd answers after 20 s.
    until(lambda: sum(line.startswith("run ") for line in proxy.log("docker")) == 2, within_sec=15)
    assert not any(" -x " in line for line in proxy.log("docker"))


def test_a_container_whose_watch_ends_is_watched_again(proxy: Proxy) -> None:
    """It goes on without docker, which ends all its clients when it is started again."""
    unwatched = proxy.machine.folder / "unwatched"
    unwatched.touch()
    proxy.starts()
    proxy.until(lambda: sum(line.startswith("wait ") for line in proxy.log("docker")) > 1)
    assert len(proxy.containers) == 1


def test_another_program_goes_on_in_the_same_process(proxy: Proxy) -> None:
    """With the container that serves, and one watch."""
    proxy.starts()
    (before,) = proxy.containers
    program = proxy.machine.home / "agent"
    program.with_name("new").write_text(program.read_text().replace("  noreuseport", "  noreuseport # new"))
    program.with_name("new").rename(program)
    proxy.registers("web@1")
    proxy.until(lambda: "noreuseport # new" in proxy.config and proxy.ready)
    assert proxy.containers == [before]


def test_a_proxy_that_is_down_is_not_alive(proxy: Proxy) -> None:
    """Until it serves again."""
    proxy.starts()
    proxy.machine.own_clock()
    (proxy.machine.folder / "refused").touch()
    (name,) = proxy.containers
    (proxy.machine.folder / "containers" / name).unlink()
    proxy.until(lambda: not proxy.ready)
    (proxy.machine.folder / "refused").unlink()
    proxy.until(lambda: proxy.ready)


def test_while_etcd_does_not_answer_the_proxy_goes_on(proxy: Proxy) -> None:
    """With its last servers, and it says so once; a unit that starts meanwhile is not ready."""
    proxy.registers("web@1")
    proxy.starts()
    proxy.stop()
    proxy.etcd.failures = 10**6
    proxy.start()
    proxy.until(lambda: "etcd answered 500" in proxy.output.read_text() and proxy.etcd.failures < 10**6 - 3)
    assert (proxy.ready, proxy.servers) == (False, ["http-web 10.0.0.1:8000"])
    assert proxy.output.read_text().count("etcd answered") == 1
    proxy.etcd.failures = 0
    proxy.until(lambda: proxy.ready)


def test_a_proxy_that_cannot_start_says_why_and_tries_again(proxy: Proxy) -> None:
    """Once for each reason, whatever it tries."""
    refused = proxy.machine.folder / "refused"
    refused.touch()
    proxy.start()
    proxy.until(lambda: sum(line.startswith("run ") for line in proxy.log("docker")) > 2)
    assert proxy.output.read_text() == "Could not start the proxy: cannot bind socket [0.0.0.0:8080]\n"
    assert not proxy.ready
    refused.unlink()
    proxy.until(lambda: proxy.ready)


def test_a_later_reason_is_said_too(proxy: Proxy) -> None:
    """Each time that it is another one than the last."""
    mute = proxy.machine.folder / "mute"
    for flag in (mute, proxy.machine.folder / "refused"):
        flag.touch()
    proxy.start()
    proxy.until(lambda: "Could not ask docker" in proxy.output.read_text())
    mute.unlink()
    proxy.until(lambda: "cannot bind socket" in proxy.output.read_text())


def test_a_configuration_that_cannot_be_loaded_is_reported_and_the_old_one_goes_on(proxy: Proxy) -> None:
    """The unit is not ready, so its rollout ends there; it says once why."""
    proxy.starts()
    before = proxy.containers
    proxy.stop()
    (proxy.machine.folder / "unloadable").touch()
    proxy.start()
    proxy.until(lambda: proxy.log("haproxy").count("reload") > 1)
    assert (proxy.ready, proxy.containers) == (False, before)
    assert proxy.output.read_text().count("could not load its configuration: no such file") == 1


def test_while_docker_does_not_answer_nothing_is_started(proxy: Proxy) -> None:
    """A second container would take connections from the one that runs."""
    proxy.starts()
    proxy.stop()
    (proxy.machine.folder / "mute").touch()
    proxy.start()
    why = "Could not ask docker for the proxy: it did not answer within 20 s\n"
    proxy.until(lambda: proxy.output.read_text().endswith(why))
    (proxy.machine.folder / "mute").unlink()
    proxy.until(lambda: proxy.ready)
    assert sum(line.startswith("run ") for line in proxy.log("docker")) == 1


def test_a_container_that_an_interrupted_start_left_ends(proxy: Proxy) -> None:
    """It shares the listening sockets, and gets no changes."""
    proxy.starts()
    (serving,) = proxy.containers
    proxy.stop()
    (proxy.machine.folder / "containers" / "left").touch()
    proxy.starts()
    assert proxy.containers == [serving]
    assert proxy.log("docker").count("kill -s USR1 left") == 1


def test_a_start_that_is_interrupted_leaves_no_other_container(proxy: Proxy) -> None:
    """The unit before comes back, and its container with it."""
    proxy.starts()
    before = proxy.containers
    proxy.stop()
    proxy.machine.own_clock()
    (proxy.machine.folder / "silent").touch()
    proxy.start(OTHER_IMAGE)
    proxy.until(lambda: len(proxy.containers) == 2)
    proxy.stop()
    assert proxy.containers == before


def test_a_container_that_does_not_answer_is_given_up(proxy: Proxy) -> None:
    """After half a minute; else nothing would end the wait for one that is started again."""
    uptime = proxy.machine.own_clock()
    silent = proxy.machine.folder / "silent"
    silent.touch()
    proxy.start()
    proxy.until(lambda: any("inspect" in one and "Labels" not in one for one in proxy.log("docker")))
    uptime.write_text("130.00 1\n")
    proxy.until(lambda: "Could not start the proxy: " in proxy.output.read_text())
    silent.unlink()
    proxy.until(lambda: proxy.ready)


def test_a_change_is_loaded_while_docker_does_not_answer(proxy: Proxy) -> None:
    """HAProxy gets it by its socket; docker may take 20 s to fail, and instances stop after three."""
    proxy.starts()
    asked = [line for line in proxy.log("docker") if line.startswith("inspect")]
    (proxy.machine.folder / "mute").touch()
    proxy.registers("web@1")
    proxy.until(lambda: "reload" in proxy.log("haproxy"))
    assert [line for line in proxy.log("docker") if line.startswith("inspect")] == asked


def test_certificates_are_copied_for_the_container_and_removed_with_the_unit(proxy: Proxy) -> None:
    """systemd removes the unit's own while the container goes on."""
    secrets = proxy.machine.home / "secrets" / UNIT
    secrets.mkdir(parents=True)
    (secrets / "file-1").write_text("certificate and key")
    proxy.starts()
    copy = proxy.folder / "config" / "pem-1"
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("certificate and key", 0o400)
    proxy.stop()
    assert not copy.exists()


def test_a_container_without_its_unit_ends_after_a_minute(proxy: Proxy) -> None:
    """The end of the unit sets a timer, its start removes it."""
    proxy.starts()
    proxy.stop()
    *_, armed = proxy.log("systemd")
    assert armed.startswith(f"systemd-run --quiet --collect --unit={APP}-proxy-end --on-active=60 ")
    proxy.start()
    proxy.until(lambda: len(proxy.log("systemd")) == 4)
    assert proxy.log("systemd")[-1] == f"systemctl stop {APP}-proxy-end.timer {APP}-proxy-end.service"


def test_the_timer_is_set_at_each_end_of_the_unit(proxy: Proxy) -> None:
    """Also when its main process was killed, or never began. Other units have no proxy."""
    proxy.starts()
    for unit, mainpid in ((UNIT, "1"), (f"{APP}-proxyless@1.service", ""), (UNIT, "")):
        proxy.machine.agent("stopping", unit, MAINPID=mainpid)
    (armed,) = [line for line in proxy.log("systemd") if line.startswith("systemd-run ")]
    assert armed.endswith(f"proxyless {UNIT}")


@pytest.mark.parametrize(("state", "left"), [("inactive", 0), ("failed", 0), ("active", 1)])
@pytest.mark.parametrize("first", ["", "activating"])
def test_only_the_proxy_of_a_unit_that_ended_is_stopped(proxy: Proxy, first: str, state: str, left: int) -> None:
    """One that runs needs its container. One that starts may run, or be removed before it does."""
    proxy.starts()
    proxy.stop()
    asked = proxy.machine.folder / "asked"
    proxy.machine.stub("systemctl", f"[ -f {asked} ] && echo {state} || echo {first or state}; [ $1 = is-active ]")
    proxy.machine.stub("sleep", f"touch {asked}")
    assert proxy.machine.agent("proxyless", UNIT).returncode == 0
    assert len(proxy.containers) == left
