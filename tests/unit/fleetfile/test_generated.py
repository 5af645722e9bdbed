"""Any Fleetfile is either refused, with file and line, or its units are what fleet and systemd read back."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from components.app import unit_texts
from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.units import canonical, instance_names, refusals
from tests.fleetfiles.sources import sources
from tests.unit.units.systemd import command, exec_values

EXAMPLES = int(os.environ.get("FLEETCAPTAIN_EXAMPLES", "150"))
_WHERE = re.compile(r"(Fleetfile\.py):[1-9][0-9]*: .*[^ ]", re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the Dockerfiles that a Fleetfile may name."""
    made = tmp_path_factory.mktemp("generated")
    for built in (made, made / "other"):
        built.mkdir(exist_ok=True)
        (built / "Dockerfile").touch()
    return made


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=sources())
def test_a_fleetfile_is_refused_where_it_is_wrong_or_its_units_are_right(folder: Path, source: str) -> None:
    """No other exception, and nothing that a unit says differently from the Fleetfile."""
    (folder / "Fleetfile.py").write_text(source, errors="surrogatepass")
    try:
        app = load(folder)
        texts = unit_texts(app, "project/stack")
    except FleetfileError as refused:
        assert refused.problems
        for problem in refused.problems:
            assert _WHERE.fullmatch(problem), problem
        return
    for spec in app.services:
        text = texts[spec.name]
        assert canonical(text) == text
        for name in instance_names(spec.name, spec.instances):
            assert refusals(name, text) == ()
        if spec.start is None:
            _assert_runs_as_written(spec, text)


def _assert_runs_as_written(spec: ServiceSpec, text: str) -> None:
    """docker gets every word of the Fleetfile, in its order, letters as letters."""
    (line,) = exec_values(text, "ExecStart")
    assert "${IMAGE}" in line
    assert command(line)
