"""The wheel in an app's image, installed by the lines of docs/discovery.md, against a real etcd."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

import fleetcaptain
from tests.local.etcd.etcd_process import running
from tests.local.package.wheels import ROOT, required, site_entries
from tests.programs import program
from tests.unit.discovery_app.app_container import environment
from tools.pins import BASE_IMAGE

LABEL = "fleetcaptain.test-package"
# Compiled for the Python that runs the tests: the image has Debian's.
COMPILED = ("pydantic", "pydantic-core")
# As python:slim is: `python3` and `pip` install for the whole image. What the extra requires is there already, so that
# pip needs no index for it.
BEGIN = f"""FROM {BASE_IMAGE}
RUN apt-get update
RUN DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-pip python3-pydantic
ENV PIP_BREAK_SYSTEM_PACKAGES=1
COPY site/ /site/
RUN cp -R /site/. "$(python3 -c 'import site; print(site.getsitepackages()[0])')"
"""
OF_THE_EXTRA = 'RUN pip install --no-index "$(echo /wheels/fleetcaptain-*.whl)[cli]"\n'


def documented() -> str:
    """What docs/discovery.md says to write into a Dockerfile."""
    (lines,) = re.findall(r"^```\n(COPY wheels/.*?)^```$", (ROOT / "docs/discovery.md").read_text(), re.DOTALL | re.M)
    return str(lines)


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line of Docker."""
    argv = [str(program("docker")), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture(scope="module")
def image(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with the wheel; it is removed at the end."""
    context = tmp_path_factory.mktemp("image")
    for folder in ("wheels", "site"):
        (context / folder).mkdir()
    shutil.copy(wheel, context / "wheels")
    packages = [package for package in required(wheel, ["cli"]) if package.name.replace("_", "-") not in COMPILED]
    for entry in site_entries(packages):
        copy = shutil.copytree if entry.is_dir() else shutil.copy
        copy(entry, context / "site" / entry.name)
    (context / "Dockerfile").write_text(BEGIN + documented() + OF_THE_EXTRA)
    name = f"fleetcaptain-test-package:{uuid4().hex[:12]}"
    done = docker("build", "--label", LABEL, "--tag", name, str(context))
    assert done.returncode == 0, done.stdout + done.stderr
    yield name
    docker("image", "rm", "--force", name)


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty etcd."""
    with running(tmp_path_factory.mktemp("etcd"), program("etcd")) as url:
        yield url


def captain(image: str, environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``captain`` in a container that has the variables of its unit."""
    variables = [word for pair in environ.items() for word in ("--env", "=".join(pair))]
    return docker("run", "--rm", "--label", LABEL, "--network", "host", *variables, image, "captain", *arguments)


def test_an_app_registers_is_discovered_and_unregisters(image: str, etcd: str) -> None:
    """In containers, each for one command; the exit codes are those that a unit acts on."""
    environ = environment(etcd)
    assert captain(image, environ, "--version").stdout == f"captain {fleetcaptain.__version__}\n"
    assert captain(image, environ, "discover", "web").returncode == 3
    registered = captain(image, environ, "register", "web", "port=8080", "--json")
    assert registered.returncode == 0, registered.stderr
    found = captain(image, environ, "discover", "web", "--json")
    assert found.returncode == 0, found.stderr
    (instance,) = json.loads(found.stdout)
    assert (instance["unit"], instance["address"]) == ("web@1.service", "10.0.0.1:8080")
    assert captain(image, environ, "unregister", "web").returncode == 0
    assert captain(image, environ, "discover", "web").returncode == 3
    away = {**environ, "FLEETCAPTAIN_ETCD": "http://127.0.0.1:1"}
    assert captain(image, away, "discover", "web").returncode == 10
