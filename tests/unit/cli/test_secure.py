"""``captain secure``: what it asks, prints and exits with."""

from __future__ import annotations

import io
import json

import pytest

from fleetcaptain.cli import main
from tests.unit.securing.test_securing import World, is_open, is_secured, world

SSH = ["--ssh", "core@10.0.0.1"]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> World:
    """The machines that captain reaches."""
    there = world(2)
    monkeypatch.setattr(
        "fleetcaptain.securing.securing.open_operator", lambda endpoint: there.operator(*endpoint.hosts)
    )
    return there


def test_it_shows_does_and_takes_back(there: World, capsys: pytest.CaptureFixture[str]) -> None:
    """No app has to be named."""
    assert main(["secure", *SSH]) == 0
    assert "v2 API off" in capsys.readouterr().out
    assert is_open(there)
    assert main(["secure", "--apply", "--yes", *SSH]) == 0
    assert "etcd is secured." in capsys.readouterr().out
    assert is_secured(there)
    assert main(["secure", "--undo", "--yes", *SSH]) == 0
    assert is_open(there)


def test_programs_get_json_and_people_the_steps(there: World, capsys: pytest.CaptureFixture[str]) -> None:
    """One object on standard output."""
    assert main(["secure", "--json", *SSH]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["v2"], found["v3"], found["refused"]["apply"]) == (False, False, [])
    assert [step["host"] for step in found["steps"]["apply"]] == ["core@10.0.0.1", "core@10.0.0.2"]
    assert main(["secure", "--json", "--apply", "--yes", *SSH]) == 0
    captured = capsys.readouterr()
    assert [machine["ready"] for machine in json.loads(captured.out)["machines"]] == [True, True]
    assert "turning etcd's authentication on" in captured.err
    assert there.passwords[-1] not in captured.out + captured.err


def test_without_a_yes_nothing_is_done(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is closed is no yes either."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["secure", "--apply", *SSH]) == 1
    assert is_open(there)


def test_refusals_exit_with_2(there: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is asked."""
    there.machines["core@10.0.0.2"].down = True
    for yes in ([], ["--yes"]):
        assert main(["secure", "--apply", *yes, *SSH]) == 2
        assert "Nothing was changed:" in capsys.readouterr().err
    assert main(["secure", "--apply", "--undo", *SSH]) == 2
    assert main(["secure", "--apply", "--yes", "--open", "/_coreos.com", *SSH]) == 2
    assert is_open(there)
