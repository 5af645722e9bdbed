"""The units of any Fleetfile: fleet keeps them as they are, and systemd reads all that they say."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.localcluster.docker_client import exec_in, find, put
from tests.contract.sites import RealSite, Site
from tests.fleetfiles.loaded import folder_for, loaded
from tests.fleetfiles.sources import sources

_CHECKS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much)
_FOLDER = "var/tmp/generated"
_IMAGE = "registry:5000/a@sha256:" + "0" * 64
# What no Fleetfile is refused for: programs and units that are not on the machine, names that a newer systemd may know,
# and the values of options, which are systemd's to read.
_OF_OTHERS = re.compile(r"is not executable|(?:parse|range|absolute).*, ignoring|Failed to (?:add|create)|Unknown key")


@given(source=sources())
@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=_CHECKS)
def test_fleet_keeps_the_units_of_any_fleetfile(site: Site, tmp_path: Path, source: str) -> None:
    """Byte for byte, and under the hash that we computed."""
    found = loaded(source, folder_for(tmp_path))
    for service, file in found[1].items() if found else ():
        name, whole = f"{service}@1.service", file.with_image(_IMAGE)
        site.client.put(name, whole, DesiredState.INACTIVE)
        unit = site.client.unit(name)
        assert unit is not None
        assert (unit.text, unit.unit_hash) == (whole.text, whole.unit_hash)


@pytest.mark.e2e
def test_systemd_reads_the_units_of_any_fleetfile(real_site: RealSite, tmp_path: Path) -> None:
    """It complains of nothing that it would drop or ignore."""
    units: dict[str, str] = {}

    @given(source=sources())
    @settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=_CHECKS, database=None)
    def collect(source: str) -> None:
        found = loaded(source, folder_for(tmp_path))
        for service, file in found[1].items() if found else ():
            units[f"{service}-{len(units)}@1.service"] = file.with_image(_IMAGE).text

    collect()
    (machine,) = find(real_site.identity, "machine")
    put(machine, _tar(units))
    _, said = exec_in(machine, "systemd-analyze", "verify", "--man=no", *(f"/{_FOLDER}/{name}" for name in units))
    assert [name for name in units if f"Unit {name} not found" in said] == []
    assert [line for line in said.splitlines() if _FOLDER in line and not _OF_OTHERS.search(line)] == []


def _tar(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{_FOLDER}/{name}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
