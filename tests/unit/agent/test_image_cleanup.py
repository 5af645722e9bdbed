"""Which images the machine agent removes, by the real program; docker is a stub that records its calls."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.discovery.keys import images_key, machines_dir, release_key
from fleetcaptain.release.kept_images import KeptImages
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.shell_machine import program_on
from tests.waits import until

OWN, OTHERS = "127.0.0.1:25000/shop", "redis"
KEPT, OLD, OLDER = (f"{OWN}@sha256:{letter * 64}" for letter in "abc")
DROPPED = f"{OTHERS}@sha256:{'d' * 64}"
TEXT = KeptImages((KEPT,), (OWN,), (DROPPED,)).text
_DOCKER = """\
echo "$*" >>calls
case $1 in
images) cat images ;;
ps) cat containers; test ! -f during_ps || . ./during_ps ;;
inspect) for last; do :; done; cat "container.$last" ;;
rmi) if [ -f refuses ]; then echo "conflict: unable to remove"; echo "second line"; exit 1; fi ;;
esac
"""


def image_id(reference: str) -> str:
    """The id of the image that *reference* names."""
    return f"sha256:{reference[-1] * 32}{'0' * 32}"


def row(reference: str, tag: str = "<none>") -> str:
    """The line of docker's list for an image."""
    repository, _, digest = reference.partition("@")
    return f"{image_id(reference)} {repository} {tag} {digest}"


class CleanedMachine:
    """A machine with the agent of the app ``shop``; *folder* has what docker answers."""

    def __init__(self, folder: Path, etcd: FakeEtcd) -> None:
        self.folder, self.etcd = folder, etcd
        for name in ("run/shop", "units", "bin", "apps"):
            (folder / name).mkdir(parents=True)
        (folder / "machine-id").write_text("machine-a\n")
        (folder / "containers").touch()
        self.agent = folder / "run/shop/agent"
        self.agent.write_text(program_on(folder, etcd.url))
        self.stub("docker", _DOCKER)
        self.has(row(KEPT), row(OLD), row(OLDER), row(DROPPED))
        etcd.put(images_key("shop"), TEXT)

    def stub(self, name: str, script: str) -> None:
        """Put a command of that *name* first on PATH."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\ncd {self.folder} || exit\n{script}\n")
        path.chmod(0o755)

    def has(self, *rows: str) -> None:
        """Let docker list these images."""
        (self.folder / "images").write_text("".join(f"{one}\n" for one in rows))

    def runs(self, container: str, reference: str) -> None:
        """Let docker have a *container* of an image."""
        with (self.folder / "containers").open("a") as file:
            file.write(f"{container}\n")
        (self.folder / f"container.{container}").write_text(f"{image_id(reference)} {reference}\n")

    @property
    def env(self) -> dict[str, str]:
        """The environment of the agent."""
        return {"PATH": f"{self.folder}/bin:{os.environ['PATH']}"}

    def clean(self) -> str:
        """Clean once; what the agent logs."""
        argv = ["sh", str(self.agent), "clean"]
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=False, timeout=120)
        assert done.stderr == ""
        return done.stdout

    def calls(self, verb: str) -> list[str]:
        """The arguments of each call of docker's command *verb*."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition(" ")[2] for line in lines if line.split()[0] == verb]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[CleanedMachine]:
    """A machine that has four images, of which three are not needed."""
    with FakeEtcd() as etcd:
        yield CleanedMachine(tmp_path, etcd)


def test_what_no_kept_release_names_is_removed(machine: CleanedMachine) -> None:
    """By its one reference, without force, with a line that says why."""
    lines = machine.clean().splitlines()
    assert machine.calls("rmi") == [OLD, OLDER, DROPPED]
    assert [line.split()[3] for line in lines] == [f"{one}:" for one in (OLD, OLDER, DROPPED)]
    assert all("no kept release of shop names it and no container uses it" in line for line in lines)


def test_an_image_that_a_container_uses_stays(machine: CleanedMachine) -> None:
    """Also if the container stopped, and if it was started by another reference of the same image."""
    machine.runs("one", OLD)
    machine.runs("two", f"elsewhere@sha256:{'e' * 64}")
    (machine.folder / "container.two").write_text(f"{image_id(DROPPED)} elsewhere@sha256:{'e' * 64}\n")
    machine.clean()
    assert machine.calls("rmi") == [OLDER]
    assert machine.calls("ps") == ["--all --quiet --no-trunc"]


def test_a_container_that_is_gone_by_now_changes_nothing(machine: CleanedMachine) -> None:
    """docker knows no container of that id any more."""
    (machine.folder / "containers").write_text("gone\n")
    machine.runs("one", OLD)
    machine.clean()
    assert machine.calls("rmi") == [OLDER, DROPPED]


def test_an_image_that_a_unit_is_about_to_start_stays(machine: CleanedMachine) -> None:
    """Of whichever app the unit is; it may wait for a window, without a container."""
    (machine.folder / "units" / "web@1.service").write_text(f"[Service]\nEnvironment=IMAGE={OLD}\n")
    machine.clean()
    assert machine.calls("rmi") == [OLDER, DROPPED]


def test_images_of_others_stay(machine: CleanedMachine) -> None:
    """Those that no release of the app named, other repositories whose name begins in the same way, and tags."""
    same = OLD.partition("@")[2]
    machine.has(row(f"{OTHERS}@sha256:{'f' * 64}"), row(f"{OWN}/more@{same}"), row(f"x{OWN}@{same}"), row(OLD, "debug"))
    assert machine.clean() == ""
    assert machine.calls("rmi") == []


@pytest.mark.parametrize("where", ["run", "apps"])
def test_an_image_that_another_app_names_stays(machine: CleanedMachine, where: str) -> None:
    """An app has a folder on each machine, below /var/lib also before its agent runs."""
    (machine.folder / where / "cart").mkdir()
    machine.etcd.put(release_key("cart", "v1"), f'{{"services":{{"db":{{"image":"redis:7@{DROPPED[-71:]}"}}}}}}')
    machine.clean()
    assert machine.calls("rmi") == [OLD, OLDER]


def test_nothing_is_removed_while_the_releases_of_another_app_are_not_known(machine: CleanedMachine) -> None:
    """The log says so."""
    (machine.folder / "run" / "cart").mkdir()
    original = machine.etcd.answer

    def answer(method: str, key: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        return (500, {}) if "/cart/" in key else original(method, key, form)

    machine.etcd.answer = answer  # type: ignore[method-assign]
    assert machine.clean() == "removing no image: etcd answered 500 for the releases of cart\n"
    assert machine.calls("rmi") == []


@pytest.mark.parametrize(
    "text", ["", TEXT.removesuffix("end\n"), TEXT.replace("end\n", "endless\n"), f"own {OWN}\n", "x\\nend\\n"]
)
def test_nothing_is_removed_without_the_whole_key(machine: CleanedMachine, text: str) -> None:
    """A part of it may lack what stays."""
    machine.etcd.put(images_key("shop"), text)
    machine.clean()
    assert machine.calls("rmi") == []


def test_nothing_is_removed_without_the_key(machine: CleanedMachine) -> None:
    """As on a cluster that an earlier version deployed to."""
    machine.etcd.remove(images_key("shop"))
    assert machine.clean() == ""
    assert machine.calls("rmi") == []


@pytest.mark.parametrize("verb", ["images", "ps"])
def test_nothing_is_removed_while_docker_does_not_answer(machine: CleanedMachine, verb: str) -> None:
    """The log has docker's reason."""
    machine.stub("docker", f'[ "$1" != {verb} ] || {{ echo "Cannot connect" >&2; cat images; exit 1; }}\n{_DOCKER}')
    what = "them" if verb == "images" else "the containers"
    assert machine.clean() == f"removing no image, because docker could not list {what}: Cannot connect\n"
    assert machine.calls("rmi") == []


def test_a_deployment_that_begins_meanwhile_stops_it(machine: CleanedMachine) -> None:
    """The new release may need what the old key lets go."""
    value = KeptImages((KEPT, OLD), (OWN,)).text
    put = f"curl -sS -X PUT --data-urlencode 'value={value}' {machine.etcd.url}/v2/keys{images_key('shop')} >put"
    (machine.folder / "during_ps").write_text(put)
    machine.clean()
    assert machine.etcd.values[images_key("shop")] == value
    assert machine.calls("rmi") == []


def test_what_docker_refuses_is_logged_and_the_rest_is_tried(machine: CleanedMachine) -> None:
    """One line for each image."""
    (machine.folder / "refuses").touch()
    lines = machine.clean().splitlines()
    assert lines == [f"Could not remove the image {one}: conflict: unable to remove" for one in (OLD, OLDER, DROPPED)]


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "garbage",
        f"{image_id(OLD)} -f <none> {OLD[-71:]}",
        f"{image_id(OLD)} {OWN} <none> <none>",
        f"{image_id(OLD)} {OWN} <none> ",
        f"{image_id(OLD)} {OWN} <none> $(touch hit)",
        f"{image_id(OLD)} {OWN}\\n <none> {OLD[-71:]}",
        f" {OWN} <none> {OLD[-71:]}",
        f"{image_id(OLD)} {OWN} <none> {OLD[-71:]} more",
        f"{image_id(OLD)} * <none> {OLD[-71:]}",
    ],
)
def test_lines_of_another_form_are_left_out(machine: CleanedMachine, hostile: str) -> None:
    """docker's list is text of others."""
    machine.has(hostile, row(DROPPED))
    machine.clean()
    assert machine.calls("rmi") == [DROPPED]
    assert not (machine.folder / "hit").exists()


@contextmanager
def looping(machine: CleanedMachine) -> Iterator[None]:
    """The agent's loop runs, with short times, until the block ends."""
    program = machine.agent.read_text()
    shorter = {"\nFIRST_CLEAN_SEC=180\n": "\nFIRST_CLEAN_SEC=0\n", "\nSURVEY_EVERY_SEC=60\n": "\nSURVEY_EVERY_SEC=0\n"}
    for usual, short in {**shorter, 'sleep "$PERIOD_SEC"': "sleep 0.05"}.items():
        assert usual in program
        program = program.replace(usual, short)
    machine.agent.write_text(program)
    machine.stub("systemctl", "echo inactive")
    argv = ["sh", str(machine.agent), "run"]
    with subprocess.Popen(argv, env=machine.env, stdout=subprocess.DEVNULL) as agent:
        try:
            yield
        finally:
            agent.terminate()


def test_the_loop_cleans_when_the_key_changes_and_heartbeats_go_on(machine: CleanedMachine) -> None:
    """While docker hangs, the heartbeat is renewed, and a new key starts the next cleanup only after this one."""
    machine.stub("docker", f'echo "$1" >>begun; while [ -f hangs ]; do sleep 0.05; done\n{_DOCKER}')
    (machine.folder / "hangs").touch()
    heartbeat = f"{machines_dir('shop')}/machine-a"
    with looping(machine):
        until((machine.folder / "begun").exists)
        machine.etcd.put(images_key("shop"), TEXT)
        _beats(machine.etcd, heartbeat, 8)
        assert (machine.folder / "begun").read_text() == "images\n"
        (machine.folder / "hangs").unlink()
        until(lambda: len(machine.calls("images")) == 2)
        _beats(machine.etcd, heartbeat, 8)
        assert len(machine.calls("images")) == 2
        assert set(machine.calls("rmi")) == {OLD, OLDER, DROPPED}


def test_the_loop_tries_again_after_a_failure(machine: CleanedMachine) -> None:
    """docker may be restarting: the key does not change for a day."""
    machine.stub("docker", f'[ ! -f down ] || {{ echo "$1" >>begun; exit 1; }}\n{_DOCKER}')
    (machine.folder / "down").touch()
    with looping(machine):
        until((machine.folder / "begun").exists)
        (machine.folder / "down").unlink()
        until(lambda: len(machine.calls("rmi")) == 3)


def _beats(etcd: FakeEtcd, key: str, count: int) -> None:
    """Wait for that many more heartbeats."""
    before = len([request for request in etcd.writes if request[1] == key])
    until(lambda: len([request for request in etcd.writes if request[1] == key]) >= before + count)
