"""Ignition's own validator accepts the machines' definitions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.aws.userdata import pointer
from fleetcaptain.machine.ignition import ignition
from tests.programs import program
from tests.unit.aws.definitions import MACHINES as AWS_MACHINES
from tests.unit.machine.example_machines import MACHINES, MEMBER

DEFINITIONS: dict[str, dict[str, Any]] = {
    **{name: ignition(machine) for name, machine in MACHINES.items()},
    **{f"aws-{name}": definition for name, definition in AWS_MACHINES.items()},
    "aws-pointer": json.loads(pointer("bucket", "config/m1.json", "{}")),
}


def validated(folder: Path, definition: dict[str, Any]) -> tuple[int, str]:
    """The exit code and the output of the validator for *definition*."""
    config = folder / "config.json"
    config.write_text(json.dumps(definition))
    argv = [str(program("ignition-validate")), str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", DEFINITIONS)
def test_ignition_accepts_each_definition(name: str, tmp_path: Path) -> None:
    """The validator finds neither an error nor a warning."""
    assert validated(tmp_path, DEFINITIONS[name]) == (0, "")


def test_ignition_refuses_a_broken_definition(tmp_path: Path) -> None:
    """So the validator does read what the other tests give it."""
    config = ignition(MEMBER)
    config["storage"]["files"][0]["path"] = "not/absolute"
    assert validated(tmp_path, config)[0] != 0
