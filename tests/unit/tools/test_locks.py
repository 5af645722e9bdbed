"""Locks that a killed Pulumi left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.locks import drop_dead_locks


@pytest.mark.parametrize(
    ("host", "runs", "freed"), [("here", False, ("dev",)), ("here", True, ()), ("elsewhere", False, ())]
)
def test_only_locks_of_dead_processes_of_this_computer_go(
    tmp_path: Path, host: str, runs: bool, freed: tuple[str, ...]
) -> None:
    """A run that may still be under way, here or elsewhere, keeps its lock."""
    lock = tmp_path / ".pulumi/locks/organization/fleetcaptain/dev/0.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"pid": 7, "hostname": host}))
    assert drop_dead_locks(tmp_path, lambda pid: runs and pid == 7, "here") == freed
    assert lock.exists() is not bool(freed)
