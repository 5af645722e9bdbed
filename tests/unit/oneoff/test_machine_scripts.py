"""The scripts of one-offs on a machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fleetcaptain.oneoff.machine_scripts import attach_script, client_script, detach_argv, guard_argv
from fleetcaptain.oneoff.one_off import Environment
from tests.programs import program
from tests.unit.oneoff.pretended_ssh import pretend
from tests.waits import until

SCRIPTS = {
    "client": client_script(("docker", "run", "\0A\0", "a b"), Environment(("EnvironmentFile=-/etc/x",)), "1f2e"),
    "attach": attach_script("fc.shop.web.1", ["sh", "-c", "a b"], "1f2e", terminal=True),
    "guard": guard_argv("1f2e", "x", "fc.shop.web.run-1f2e", 10)[6],
    "detach": detach_argv("1f2e", "x", "fc.shop.web.run-1f2e", "shop-web-run-1f2e.service", 60)[6],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_finds_nothing(name: str, tmp_path: Path) -> None:
    """They are POSIX sh."""
    (tmp_path / name).write_text(f"#!/bin/sh\n{SCRIPTS[name]}")
    argv = [str(program("shellcheck")), "-s", "sh", str(tmp_path / name)]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert done.stdout.decode() == ""


def test_a_console_that_lost_its_client_ends_with_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docker leaves what it started in a container; only processes with the console's id are ended."""
    machine = pretend(tmp_path, monkeypatch)
    programs = tmp_path / "bin" / "docker"
    with (
        subprocess.Popen(["sleep", "1000"], env={"FLEETCAPTAIN_CONSOLE": "1f2e", "PATH": "/usr/bin:/bin"}) as own,
        subprocess.Popen(["sleep", "1000"], env={"FLEETCAPTAIN_CONSOLE": "1f2", "PATH": "/usr/bin:/bin"}) as other,
    ):
        programs.write_text(f"#!/bin/sh\n[ \"$1\" != top ] || printf 'PID\\n{own.pid}\\n{other.pid}\\n'\n")
        argv = guard_argv("1f2e", "true", "fc.shop.web.1", 1, attached=True)
        subprocess.run(argv, input=b"true", check=True, capture_output=True)
        until(lambda: own.poll() is not None)
        assert other.poll() is None
        other.kill()
    assert machine.left == []
