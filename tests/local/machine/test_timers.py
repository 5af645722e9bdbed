"""The timers of machines on AWS, booted by the systemd of Flatcar's version: by default it looks once a minute."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import pairwise
from uuid import uuid4

import pytest

from components.cluster.local import machine_image
from fleetcaptain.localcluster.docker_client import image_of
from fleetcaptain.localcluster.local_reconcile import IMAGE_FOLDER
from fleetcaptain.localcluster.rights import MACHINE_RIGHTS
from fleetcaptain.machine import ec2
from tests.programs import program
from tests.waits import until

LABEL = "fleetcaptain.test-timers"
_BOOT_SEC, _TICKS, _LATEST_SEC = 60.0, 4, 45.0
_UP = ("running", "degraded")
_TICK = "#!/bin/sh\ndate +%s.%N >> /run/ticks\n"
_PERIOD_SEC, _LATE_SEC = 5, 15


class Machine:
    """A container of the machines' image, called *name*, whose first process is systemd."""

    def __init__(self, name: str) -> None:
        self._name = name

    def run(self, *argv: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        return docker("exec", "--interactive", self._name, *argv, text=text)

    def write(self, path: str, text: str) -> None:
        """Make an executable file."""
        done = self.run(
            "sh", "-c", f"mkdir -p {path.rpartition('/')[0]} && cat > {path} && chmod 755 {path}", text=text
        )
        assert done.returncode == 0, done.stderr


def docker(*argv: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line of Docker."""
    argv = (str(program("docker")), *argv)
    return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine that is up."""
    image_of(IMAGE_FOLDER, machine_image())
    name = f"fleetcaptain-test-timers-{uuid4().hex[:12]}"
    rights = [f"--cap-add={name}" for name in MACHINE_RIGHTS["CapAdd"]]
    rights += [f"--security-opt={option}" for option in MACHINE_RIGHTS["SecurityOpt"]]
    mounts = [f"--tmpfs={path}" for path in MACHINE_RIGHTS["Tmpfs"]]
    own = ["--cgroupns=private", "--network=none", f"--env=FLEETCAPTAIN_GROUP={name}", f"--name={name}"]
    made = docker("run", "--detach", f"--label={LABEL}", *rights, *mounts, *own, machine_image())
    assert made.returncode == 0, made.stderr
    machine = Machine(name)
    try:
        until(
            lambda: machine.run("systemctl", "is-system-running").stdout.strip() in _UP,
            within_sec=_BOOT_SEC,
            pause_sec=0.2,
        )
        yield machine
    finally:
        docker("rm", "--force", "--volumes", name)


def test_a_worker_looks_every_five_seconds_whether_it_has_to_go(machine: Machine) -> None:
    """With the real units, whose script only writes down the time: a spot instance has 120 s for all of its drain."""
    (script,), units = ec2.drain("eu-west-1")
    machine.write(script.path, _TICK)
    for unit in units:
        machine.write(f"/etc/systemd/system/{unit.name}", unit.text)
    assert machine.run("systemctl", "daemon-reload").returncode == 0
    # The first look is a minute after the boot.
    assert machine.run("systemctl", "start", "drain.service", "drain.timer").returncode == 0

    def ticks() -> list[float]:
        return [float(line) for line in machine.run("cat", "/run/ticks").stdout.split()]

    until(lambda: len(ticks()) >= _TICKS, ticks, within_sec=_LATEST_SEC, pause_sec=0.2)
    pauses = [after - before for before, after in pairwise(ticks()[:_TICKS])]
    assert all(_PERIOD_SEC <= pause <= _LATE_SEC for pause in pauses), pauses
