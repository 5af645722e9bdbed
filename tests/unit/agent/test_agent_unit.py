"""The agent's unit, and its program in etcd: what is installed, and from where."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fleetcaptain.agent.agent_unit import agent_unit
from fleetcaptain.agent.installation import offered
from fleetcaptain.agent.program import agent_program, encoded, program_hash
from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.keys import agent_key, agents_dir
from fleetcaptain.units.agent_calls import agent_name
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.validate import refusals
from tests.fakes.fake_etcd import FakeEtcd
from tests.fakes.unit_texts import canonical
from tests.unit.units.systemd import command, exec_values
from tests.unit.units.test_render import check_golden

APP = "behavioral"
FILE = agent_unit(APP, "behavioral/dev")
KEY = agent_key(APP, program_hash())
OLD = "echo old\n"


class Boot:
    """A machine on which systemd runs the first line of the agent's unit. *installed*: the program, None without one.
    *kept*: its copy for a boot without etcd."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folders = {"/run/fleetcaptain": f"{folder}/run", "/var/lib/fleetcaptain": f"{folder}/var"}
        self._folders["http://127.0.0.1:2379"] = url
        self.installed, self.kept = (folder / name / APP / "agent" for name in ("run", "var"))

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the line."""
        (line,) = exec_values(FILE.text, "ExecStartPre")
        words = command(line)
        for path, replacement in self._folders.items():
            assert path in words[-1]
            words = [word.replace(path, replacement) for word in words]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)

    def texts(self) -> list[str | None]:
        """The text of the installed program and of its copy."""
        return [path.read_text() if path.exists() else None for path in (self.installed, self.kept)]

    def write(self, path: Path, text: str) -> None:
        """An earlier boot or version left it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def boot(tmp_path: Path, etcd: FakeEtcd) -> Boot:
    """A machine that boots for the first time."""
    return Boot(tmp_path, etcd.url)


def test_the_unit_has_exactly_this_text() -> None:
    """But for the hash of the program, which changes with it. It is marked, and fleet and systemd take it."""
    text = FILE.text
    check_golden("machine_agent.service", text.replace(program_hash(), "0" * 64))
    assert canonical(text) == text
    assert UnitFile.parse(text).mark == Mark(APP, "behavioral/dev", "behavioral-agent")
    assert refusals(agent_name(APP), FILE) == ()


def test_it_names_the_program_so_that_another_one_restarts_it() -> None:
    """And runs no other one without a word."""
    assert exec_values(FILE.text, "ExecStart") == [f"/bin/sh /run/fleetcaptain/{APP}/agent run"]
    assert f"Program={program_hash()}\n" in FILE.text


@pytest.mark.parametrize("old", [None, OLD])
def test_the_program_is_installed_from_etcd(boot: Boot, etcd: FakeEtcd, old: str | None) -> None:
    """With a copy; in the place of the one before."""
    etcd.put(KEY, encoded())
    if old:
        boot.write(boot.installed, old)
        boot.write(boot.kept, old)
    done = boot.run()
    assert (done.returncode, done.stdout) == (0, "")
    assert boot.texts() == [agent_program(), agent_program()]
    assert [path.name for path in boot.installed.parent.iterdir()] == ["agent"]


def test_what_is_installed_is_not_fetched_again(boot: Boot, etcd: FakeEtcd) -> None:
    """The unit restarts without etcd."""
    boot.write(boot.installed, agent_program())
    assert boot.run().returncode == 0
    assert etcd.requests == []


def test_a_boot_without_etcd_uses_the_copy(boot: Boot, etcd: FakeEtcd) -> None:
    """/run is empty after a reboot."""
    etcd.close()
    boot.write(boot.kept, agent_program())
    assert boot.run().returncode == 0
    assert boot.texts() == [agent_program(), agent_program()]


CHANGED = [encoded()[:-8], encoded().replace("A", "B"), "", "not base64!", "x" * 70000]


@pytest.mark.parametrize("value", CHANGED)
@pytest.mark.parametrize("place", ["installed", "kept"])
def test_a_changed_program_is_refused_and_the_old_one_goes_on(
    boot: Boot, etcd: FakeEtcd, value: str, place: str
) -> None:
    """Whatever stands in etcd. The journal says so."""
    etcd.put(KEY, value)
    boot.write(getattr(boot, place), OLD)
    done = boot.run()
    assert done.returncode == 0
    assert boot.installed.read_text() == OLD
    assert f"the program {program_hash()} is not in etcd, or was changed there" in done.stdout


@pytest.mark.parametrize("value", CHANGED)
def test_a_changed_program_alone_fails_the_start(boot: Boot, etcd: FakeEtcd, value: str) -> None:
    """systemd tries again each second."""
    etcd.put(KEY, value)
    assert boot.run().returncode != 0
    assert boot.texts() == [None, None]


def test_a_changed_copy_is_not_installed_as_the_new_program(boot: Boot, etcd: FakeEtcd) -> None:
    """It goes on only as an old one would, until etcd answers."""
    boot.write(boot.kept, OLD)
    assert boot.run().returncode == 0
    assert boot.texts() == [OLD, OLD]
    etcd.put(KEY, encoded())
    boot.run()
    assert boot.texts() == [agent_program(), agent_program()]


def test_the_deployment_offers_its_program_and_the_rights() -> None:
    """Before the unit is put; a second time changes nothing."""
    etcd = FakeEtcd()
    Access(etcd.store.request).enforce()
    for _ in range(2):
        with offered(etcd.store, APP):
            assert etcd.values == {KEY: encoded()}
            assert Access(etcd.store.request).registers(APP) is True


def test_other_programs_are_forgotten_afterwards() -> None:
    """Only this app's, and not while a machine may run them."""
    etcd = FakeEtcd()
    kept = {KEY: encoded(), agent_key("other", "0" * 64): "a", f"/fleetcaptain/{APP}/current": "v1"}
    for key, value in {**kept, agent_key(APP, "0" * 64): "b", f"{agents_dir(APP)}/x": "c"}.items():
        etcd.put(key, value)
    with pytest.raises(RuntimeError), offered(etcd.store, APP):
        raise RuntimeError
    assert etcd.values.keys() > kept.keys()
    with offered(etcd.store, APP):
        assert etcd.values.keys() > kept.keys()
    assert etcd.values == kept
