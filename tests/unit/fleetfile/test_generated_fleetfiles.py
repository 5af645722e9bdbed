"""Any Fleetfile is either refused, with file and line, or its units are what fleet and systemd read back."""

from __future__ import annotations

import os
import re
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from fleetcaptain.fleetfile.values import Expand, ServiceSpec
from fleetcaptain.units.names import instance_names, task_unit
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.validate import refusals
from tests.fleetfiles.loaded import folder_for, loaded
from tests.fleetfiles.sources import sources
from tests.unit.units.systemd import command, exec_values

# The same ones each time, unless more are asked for.
EXAMPLES = os.environ.get("FLEETCAPTAIN_EXAMPLES", "")
_SPECIFIERS = {letter: f"<{letter}>" for letter in string.ascii_letters}
_ENV = {"IMAGE": "an-image", "COREOS_PRIVATE_IPV4": "10.0.0.1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the Fleetfile."""
    return folder_for(tmp_path_factory.mktemp("generated"))


@settings(
    max_examples=int(EXAMPLES or 150), derandomize=not EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(source=sources())
def test_a_fleetfile_is_refused_where_it_is_wrong_or_its_units_are_right(folder: Path, source: str) -> None:
    """No other exception, and nothing that a unit says differently from the Fleetfile."""
    found = loaded(source, folder)
    if found is None:
        return
    app, files = found
    for spec in app.services:
        file = files[spec.name]
        assert UnitFile.parse(file.text) == file
        for name in instance_names(spec.name, spec.instances):
            assert refusals(name, file) == ()
        if spec.start is None:
            _assert_runs_as_written(spec, file.text)

    for task in app.tasks:
        file = files[task.name]
        assert UnitFile.parse(file.text) == file
        assert refusals(task_unit(task.name, "0badc0de"), file) == ()
        _assert_runs_as_written(task.container, file.text)


def _assert_runs_as_written(spec: ServiceSpec, text: str) -> None:
    """docker gets every word of the Fleetfile: letters as letters, the others as systemd replaces them."""
    (line,) = exec_values(text, "ExecStart")
    words = command(line, _SPECIFIERS, _ENV)
    behind = [_on_machine(word) for word in spec.command]
    at = len(words) - len(behind) - 1
    assert words[at:] == ["an-image", *behind]
    options = words[:at]
    given = [_on_machine(word) for word in spec.docker_args]
    assert options[len(options) - len(given) :] == given
    for name, value in spec.env:
        assert f"{name}={_on_machine(value)}" in options
    for volume in spec.volumes:
        assert _on_machine(volume) in options


def _on_machine(text: str) -> str:
    """What *text* is in the container of ``web@1``."""
    if not isinstance(text, Expand):
        return str(text)

    def replaced(found: re.Match[str]) -> str:
        if found[0] in ("%%", "$$"):
            return found[0][0]
        return _SPECIFIERS[found[1]] if found[1] else _ENV.get(found[2], "")

    return re.sub(r"%(.)|\$\$|\$\{(\w+)\}", replaced, str.__str__(text))
