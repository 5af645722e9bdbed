"""The history of a stack's rollouts, the preview's expectations, and deploy hooks, on a real cluster."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.history.record_retention import KEPT
from tests.e2e.stack import Stack
from tests.faults.running import running
from tests.faults.temporary_change import Change

_FAILING = {'command="python3 -m behavioral.server"': 'command="false"'}
_SECOND = r"app_server .*1/4 healthy"


def _history(stack: Stack) -> list[dict[str, Any]]:
    """All rollouts of app_server, the last one first."""
    shown = stack.captain("history", "--service", "app_server", "--limit", str(KEPT), "--json")
    assert shown.code == 0, shown.output
    return list(json.loads(shown.output))


def _adds_up(rollout: dict[str, Any]) -> None:
    """Each instance ends as done, in the order of time; and never were two of the four out of service."""
    assert len(rollout["instances"]) == rollout["wanted"] == 4
    for one in rollout["instances"].values():
        moments = [moment for moment, _ in one["states"]]
        assert moments == sorted(moments)
        assert 0 <= moments[-1] <= rollout["seconds"] + 1
        assert one["states"][-1][1] == "done"
        assert one["machine"].startswith("10.")
    numbers = [number for _, number in rollout["serving"]]
    assert min(numbers) >= 3
    assert numbers[-1] == 4


@pytest.fixture
def hooks(stack: Stack) -> Iterator[Path]:
    """The folder of the app's hooks; each hook writes a line to the file ``ran`` in it."""
    folder = stack.app / "hooks"
    folder.mkdir()
    for name in ("pre-deploy", "post-deploy", "on-failure"):
        line = f'"$FLEETCAPTAIN_HOOK $FLEETCAPTAIN_RELEASE $FLEETCAPTAIN_RESULT" >> "{folder}/ran"'
        (folder / name).write_text(f"#!/bin/sh\necho {line}\ntest ! -e {folder}/broken || exit 3\n")
        (folder / name).chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _ran(hooks: Path) -> list[str]:
    """The hooks that ran, and the release and the result that each of them got."""
    ran = hooks / "ran"
    return ran.read_text().splitlines() if ran.exists() else []


def test_what_fails_is_in_the_history_and_tells_its_hook(stack: Stack, hooks: Path) -> None:
    """A failing pre-deploy touches neither units nor etcd; a failing release is rolled back, and recorded."""
    before, kept = stack.unit_hashes(), _history(stack)
    with stack.edited("Fleetfile.py", _FAILING):
        (hooks / "broken").touch()
        error = stack.fails("up", "--yes", "--skip-preview").error
        assert "hooks/pre-deploy failed: exit code 3. Nothing was deployed." in error
        assert stack.unit_hashes() == before
        assert _history(stack) == kept
        (hooks / "broken").unlink()
        stack.fails("up", "--yes", "--skip-preview")
    failed, *others = _history(stack)
    assert others == kept[: KEPT - 1]
    assert (failed["state"], failed["strategy"], failed["wanted"]) == ("rolled back", "rolling", 4)
    assert "does not stay up" in failed["error"]
    assert [one["states"][-1][1] for one in failed["instances"].values()] == ["old"] * 4
    release = failed["release"]
    failures = [f"pre-deploy {release} ", f"on-failure {release} failed"]
    assert _ran(hooks) == failures * 2


def test_a_killed_rollout_is_in_the_history_beside_the_one_that_finished_it(
    stack: Stack, hooks: Path, tmp_path: Path
) -> None:
    """With the states of each instance over time; the next preview goes by them."""
    change = Change(stack)
    stack.edit("Fleetfile.py", change.edits)
    with running(stack) as run:
        run.until(_SECOND)
        run.kill("pulumi")
        run.end()
    stack.free()
    stack.up()
    done, killed, *_ = _history(stack)
    release = stack.outputs()["release"]
    assert [(one["state"], one["release"]) for one in (done, killed)] == [("done", release), ("interrupted", release)]
    _adds_up(done)
    assert _ran(hooks) == [f"pre-deploy {release} "] * 2 + [f"post-deploy {release} done"]
    table = stack.captain("history", "--limit", "3").output
    assert release in table
    page = tmp_path / "release.html"
    assert "at least 3 of 4" in stack.captain("timeline", release).output
    assert stack.captain("timeline", release, "--html", str(page)).code == 0
    assert "app_server@4" in page.read_text()
    with stack.edited("Fleetfile.py", Change(stack).edits):
        shown = stack.preview().output
    assert shown.count("app_server: 4 instances, one at a time, never fewer than 3 of 4 serve; about ") == 1
    assert "redis: " not in shown
    assert len(_ran(hooks)) == 3
