"""What machines print, however much that is."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.process_output import KEPT_BYTES, run
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.tunnel import Tunnel


def test_the_end_of_a_long_output_is_kept() -> None:
    """In memory of a limited size, on both streams."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    script = "head -c 300000000 /dev/zero; head -c 300000000 /dev/zero >&2; echo done; echo failed >&2; exit 3"
    finished = run(["sh", "-c", script], 60)
    assert finished.code == 3
    assert (finished.output[-5:], finished.errors[-7:]) == ("done\n", "failed\n")
    assert len(finished.output) == len(finished.errors) == KEPT_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_who_never_stops_talking_is_ended() -> None:
    """At the time-out."""
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sh", "-c", "exec yes"], 0.5)


def test_an_output_that_is_no_text_is_read_all_the_same() -> None:
    """What is no UTF-8 is replaced."""
    assert run(["printf", r"a\377b"], 10).output == "a\ufffdb"


def test_a_pipe_that_another_process_keeps_open_is_not_waited_for() -> None:
    """As a command through which ssh connects may."""
    finished = run(["sh", "-c", "sleep 30 & echo $!"], 10)
    subprocess.run(["kill", finished.output.strip()], check=True)


def test_a_machine_that_talks_without_end_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the machine and the command."""
    (tmp_path / "ssh").write_text("#!/bin/sh\nexec yes\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ClusterUnreachable, match=r"`docker` did not finish within 0\.5 s"):
        Tunnel(Endpoint(("core@10.0.0.1",))).run("core@10.0.0.1", ["docker", "pull", "x"], 0.5)
