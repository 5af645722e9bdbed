"""docs/discovery.md: every line that can be run is run, and the examples are what the code reads and writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.documents import Registration, Release
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.errors import NotAvailable
from tests.unit.discovery_app.app_container import environment
from tests.unit.units.shell_machine import UNIT, PretendedMachine
from tests.unit.units.specs import SPECS

TEXT = (Path(__file__).parents[3] / "docs" / "discovery.md").read_text()


def blocks(language: str, heading: str = "") -> list[str]:
    """The blocks of *language*, below *heading* only; the indent of a list is taken away."""
    section = re.split(r"^## ", TEXT, flags=re.MULTILINE) if heading else [TEXT]
    (chosen,) = [part for part in section if part.startswith(heading)]
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", chosen, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


class App:
    """An app of its own in the real etcd: this process in a container of it, and one redis."""

    def __init__(self, name: str, etcd_url: str) -> None:
        told = {variable: value.replace("/shop/", f"/{name}/") for variable, value in environment(etcd_url).items()}
        told = {variable: value.replace("web", "app_server") for variable, value in told.items()}
        self.told = {**told, "FLEETCAPTAIN_APP": name}
        self.mine = Discovery(Identity.from_environment(self.told))
        other = {
            **self.told,
            "FLEETCAPTAIN_SERVICE": "redis",
            "FLEETCAPTAIN_UNIT": "redis@1.service",
            "FLEETCAPTAIN_KEY": f"/fleetcaptain/{name}/services/redis/redis@1.service",
        }
        self.redis = Discovery(Identity.from_environment(other))
        self.redis.announce("redis", {"host": "10.77.0.12", "port": 32768})

    def environ(self) -> dict[str, str]:
        """What its programs are told."""
        return {**os.environ, **self.told, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def sh(self, script: str) -> str:
        """What the shell *script* prints; it must succeed, line by line."""
        argv = ["sh", "-euc", script]
        result = subprocess.run(argv, env=self.environ(), capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, (script, result.stdout, result.stderr)
        return result.stdout

    def curl(self, number: int) -> str:
        """What the block *number* of the section on curl prints; the first one sets the variables of the others."""
        found = blocks("sh", "With curl")
        return self.sh(found[0] + found[number])

    def registered(self) -> list[str]:
        """The addresses at which the app itself is discovered."""
        try:
            return [instance.address for instance in self.mine.discover("app_server")]
        except NotAvailable:
            return []


@pytest.fixture
def app(etcd_url: str, request: pytest.FixtureRequest) -> App:
    """An app named after the test."""
    return App(re.sub(r"\W", "-", request.node.name), etcd_url)


def test_the_examples_are_what_is_read() -> None:
    """A registration and a manifest, with every field in its place."""
    entry, manifest = blocks("json")
    found = Registration.from_json(entry)
    assert found is not None
    assert (found.unit, found.connection["port"], found.versions) == ("redis-1f0c3a9@1.service", 32768, ("v1.0",))
    assert Release.from_json(manifest).services["redis"].unit_hash == found.unit_hash


def test_every_variable_is_listed(tmp_path: Path, etcd_url: str) -> None:
    """What a container gets is what the table says, no more and no less."""
    machine = PretendedMachine(tmp_path, etcd_url)
    machine.load(SPECS["redis"])
    machine.agent("starting", UNIT)
    listed = set(re.findall(r"^\| `(FLEETCAPTAIN_\w+)` \|", TEXT, flags=re.MULTILINE))
    assert listed == set(machine.variables())


def test_looking_up_with_curl(app: App) -> None:
    """The answer holds the registration."""
    (node,) = json.loads(app.curl(1))["node"]["nodes"]
    assert json.loads(node["value"])["connection"]["port"] == 32768
    app.curl(2)


def test_being_told_with_curl(app: App) -> None:
    """It returns with the change."""
    found = blocks("sh", "With curl")
    argv = ["timeout", "30", "sh", "-euc", found[0] + found[3]]
    with subprocess.Popen(argv, env=app.environ(), stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            app.redis.announce("redis", {"port": 1})
        assert process.stdout is not None
        assert "redis@1.service" in json.loads(process.stdout.read())["node"]["key"]


def test_registering_and_unregistering_with_curl(app: App) -> None:
    """Discovered, then not, and renewed when it renews itself."""
    app.curl(4)
    assert app.registered() == ["10.0.0.1:8080"]
    app.curl(5)
    assert app.registered() == []
    app.curl(6)
    assert app.registered() == ["10.0.0.1:8080"]


def test_the_commands(app: App) -> None:
    """Each line does what it says."""
    (block,) = blocks("sh", "From the shell")
    lines = block.splitlines()
    assert "10.77.0.12:32768" in app.sh("\n".join(lines[:2]))
    assert json.loads(app.sh(lines[2]))[0]["port"] == 32768
    app.sh(lines[3])
    assert app.registered() == ["10.0.0.1:8080"]
    app.sh(lines[4])
    assert app.registered() == []


def test_the_python(app: App) -> None:
    """Every block runs and prints what discovery knows."""
    printed = []
    for block in blocks("python", "From Python"):
        argv = [sys.executable, "-c", block]
        result = subprocess.run(argv, env=app.environ(), capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, result.stderr
        printed.append(result.stdout)
    assert "10.77.0.12 32768 10.77.0.12:32768" in printed[0]
    assert printed[1] == "['10.77.0.12:32768']\n"
    assert printed[2] == "True\n"
    assert app.registered() == []


def test_the_entry_point_of_an_app_that_is_not_touched(app: App) -> None:
    """It has the address in its environment."""
    (block,) = blocks("sh", "Migrate from hard-coded addresses")
    assert app.sh(block + "printenv REDIS_ADDRESS") == "10.77.0.12:32768\n"
