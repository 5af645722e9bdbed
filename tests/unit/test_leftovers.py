"""What a run of tests leaves behind: its processes, clusters and files, and nothing of others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.localcluster.docker_client import LABEL
from tests.e2e import leftovers, prerequisites
from tests.e2e.leftovers import begin_run, clear, note, other_run
from tests.fakes.fake_docker import FakeDocker

RUN = "FLEETCAPTAIN_TEST_RUN"
OURS, THEIRS = "fleetcaptain/e2e-gw0/1", "fleetcaptain/dev/1"


@pytest.fixture(autouse=True)
def _run(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of its own, which waits for no process to end by itself."""
    monkeypatch.setattr(leftovers, "_GRACE_SEC", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("runs")))
    monkeypatch.setenv(RUN, "")
    begin_run()


@contextmanager
def sleeping(run: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of another run, or of this one."""
    with subprocess.Popen(["sleep", "60"], env={**os.environ, RUN: run}) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_processes_of_a_run_are_ended_and_named() -> None:
    """Those of another run go on."""
    with sleeping(os.environ[RUN]) as ours, sleeping("/another/run") as theirs:
        assert clear() == [f"the process {ours.pid} (sleep 60)"]
        assert ours.wait() < 0
        assert theirs.poll() is None


def test_the_cluster_of_a_worker_that_was_killed_is_removed_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its network and volumes too, and its files; another cluster stays."""
    docker = FakeDocker()
    for identity in (OURS, THEIRS):
        docker.networks.create(identity, driver="bridge", ipam={}, labels={LABEL: identity})
        docker.volumes.create(f"{identity}-etcd", labels={LABEL: identity})
    for module in (
        "fleetcaptain.localcluster.docker_client",
        "fleetcaptain.localcluster.machines",
        "tests.e2e.leftovers",
    ):
        monkeypatch.setattr(f"{module}.engine", lambda: docker)
    folder, file = tmp_path / "folder", tmp_path / "Pulumi.e2e.yaml"
    folder.mkdir()
    file.touch()
    note(OURS, folder, file, tmp_path / "never made")
    assert clear() == [f"{OURS}-etcd", OURS, str(folder), str(file)]
    assert set(docker.networks_made) == {THEIRS}
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_left_nothing_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its own notes are gone."""
    monkeypatch.setattr(leftovers, "engine", FakeDocker)
    run = Path(os.environ[RUN])
    note(OURS)
    assert clear() == []
    assert not run.exists()


def test_an_engine_that_went_away_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it keeps cannot be removed; files are."""
    monkeypatch.setattr(leftovers, "engine", _no_engine)
    note(OURS)
    (line,) = clear()
    assert f"the cluster {OURS}, which could not be removed: no engine" in line


def test_without_an_engine_the_run_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, instead of an error for each test."""
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/pulumi")
    monkeypatch.setattr(prerequisites, "engine", _no_engine)
    assert prerequisites.require(tmp_path) == "no engine"


def test_a_checkout_is_claimed_by_one_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By all its workers; a run that is over claims nothing."""
    assert other_run(tmp_path) == 0
    assert other_run(tmp_path) == 0
    mine = os.environ[RUN]
    begin_run()
    assert other_run(tmp_path) == os.getpid()
    monkeypatch.setenv(RUN, mine)
    clear()
    begin_run()
    assert other_run(tmp_path) == 0
    clear()


def _no_engine() -> FakeDocker:
    raise ClusterUnreachable("no engine")
