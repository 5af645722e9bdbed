"""``captain history`` and ``captain timeline``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.etcd_node import Node
from fleetcaptain.discovery.keys import app_dir, history_key, lock_key, rollout_key
from fleetcaptain.rollout.journal import JournalEntry, under_way
from fleetcaptain.rollout.lock import this_process
from tests.fakes.fake_cluster import APP, FakeCluster
from tests.unit.history.example_records import DONE, FAILED, KILLED

SSH = ["--app", APP, "--ssh", "core@10.0.0.1"]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster that captain reaches, with three records."""
    cluster = FakeCluster()
    for number, record in enumerate((DONE, FAILED, KILLED)):
        cluster.etcd.put(history_key(APP, record.service, f"2030-{number}"), record.to_json())
    monkeypatch.setattr("fleetcaptain.rollout.connect.open_cluster", lambda *_: cluster)
    return cluster


def first_words(output: str) -> list[str]:
    """Service and result of each line of the table."""
    return [line.split()[2] for line in output.splitlines()[1:] if not line.startswith("  ")]


@pytest.mark.usefixtures("cluster")
def test_the_last_rollout_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Of all services, or of one."""
    assert main(["history", *SSH]) == 0
    assert first_words(capsys.readouterr().out) == ["db", "web", "web"]
    assert main(["history", "--service", "web", "--limit", "1", *SSH]) == 0
    assert first_words(capsys.readouterr().out) == ["web"]
    assert main(["history", "--json", *SSH]) == 0
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["rolled back", "done", "interrupted"]


def test_a_pipe_gets_whole_lines(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is no terminal here."""
    who = f"{'w' * 200}@ci"
    cluster.etcd.put(history_key(APP, "web", "2030-1"), replace(DONE, who=who).to_json())
    assert main(["history", "--service", "web", *SSH]) == 0
    assert f"  done         {who}\n" in capsys.readouterr().out


def test_a_rollout_that_has_not_ended_is_listed(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Without its lock its process was killed."""
    entry = JournalEntry("eve@laptop", "2031-01-01T00:00:00+00:00", (), "f" * 40, "rolling", release="v3")
    cluster.etcd.put(rollout_key(APP, "web"), entry.to_json())
    cluster.etcd.put(lock_key(APP, "web"), this_process().to_json())
    assert main(["history", "--limit", "1", *SSH]) == 0
    assert "web      v3    -     rolling  eve@laptop" in capsys.readouterr().out
    cluster.etcd.remove(lock_key(APP, "web"))
    assert main(["history", "--limit", "1", *SSH]) == 0
    assert "web      v3    -     interrupted  eve@laptop" in capsys.readouterr().out


def test_a_rollout_that_ends_between_two_readings_is_not_interrupted(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its journal is read first, then its lock."""
    entry = JournalEntry("eve@laptop", "2031-01-01T00:00:00+00:00", (), "f" * 40, "rolling", release="v3")
    cluster.etcd.put(rollout_key(APP, "web"), entry.to_json())
    read = cluster.store.read

    def ended(key: str) -> Node | None:
        cluster.etcd.put(rollout_key(APP, "web"), replace(entry, state="done").to_json())
        return read(key)

    monkeypatch.setattr(cluster.store, "read", ended)
    assert [record.state for record in under_way(cluster)] == ["done"]


def test_what_is_no_record_is_left_out(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """And named, on standard error."""
    cluster.etcd.put(history_key(APP, "db", "odd"), DONE.to_json())
    assert main(["history", "--json", *SSH]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 3
    assert captured.err == "left out: /fleetcaptain/shop/_history/db/odd: it is the record of a rollout of web\n"


def test_without_rollouts_it_says_so(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error: there is no data."""
    cluster.store.delete(app_dir(APP), recursive=True)
    assert main(["history", *SSH]) == 0
    assert capsys.readouterr() == ("", "No rollouts are recorded. Deploy with `pulumi up`.\n")


@pytest.mark.usefixtures("cluster")
def test_the_timeline_of_a_release(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """On the terminal, as JSON, and as a file."""
    assert main(["timeline", "v2", *SSH]) == 0
    shown = capsys.readouterr().out
    assert "web v2: done in 40 s" in shown
    assert "db v2: rolled back" in shown
    assert main(["timeline", "v2", "--service", "db", "--json", *SSH]) == 0
    assert [one["service"] for one in json.loads(capsys.readouterr().out)] == ["db"]
    page = tmp_path / "v2.html"
    assert main(["timeline", "v2", "--html", str(page), *SSH]) == 0
    assert capsys.readouterr() == ("", f"Wrote {page}.\n")
    assert "<title>Release v2 of shop</title>" in page.read_text()


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("options", "said"),
    [(["v9"], "No rollout is recorded for the release v9"), (["v2", "--html", "/nowhere/x.html"], "Could not write")],
)
def test_a_timeline_that_cannot_be_shown(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It exits with 1 and says what to do."""
    assert main(["timeline", *options, *SSH]) == 1
    assert said in capsys.readouterr().err
