"""`agent starting`: what a unit's first line does before its main process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.discovery.identity import Identity
from tests.fakes.fake_etcd import FakeEtcd
from tests.fakes.unit_texts import unit_hash
from tests.unit.discovery_app.app_container import environment
from tests.unit.units.shell_machine import ADDRESS, APP, IMAGE, MACHINE_ID, RUN, SHELLS, UNIT, PretendedMachine
from tests.unit.units.specs import SPECS

pytestmark = pytest.mark.parametrize("machine", SHELLS, indirect=True)
SPEC = SPECS["app_server"]
OWN_START = replace(SPEC, start=("/bin/x ${IMAGE}",), ready=None)


def test_the_variables_say_who_the_instance_is(machine: PretendedMachine) -> None:
    """Each has its place in the identity that an app reads; the content is the hash by which fleet knows the unit."""
    text = machine.load(SPEC)
    done = machine.agent("starting", UNIT)
    assert done.returncode == 0, done.stderr
    found = machine.variables()
    assert found == {
        "FLEETCAPTAIN_APP": APP,
        "FLEETCAPTAIN_SERVICE": "app_server",
        "FLEETCAPTAIN_UNIT": UNIT,
        "FLEETCAPTAIN_MACHINE": MACHINE_ID,
        "FLEETCAPTAIN_KEY": machine.key(),
        "FLEETCAPTAIN_CONTENT": unit_hash(text),
        "FLEETCAPTAIN_RUN": RUN,
        "FLEETCAPTAIN_HOST": ADDRESS,
        "FLEETCAPTAIN_ETCD": f"http://{ADDRESS}:2379",
    }
    assert Identity.from_environment(found).key("app_server") == machine.key()
    assert found.keys() == environment("").keys()


def test_versions_are_passed_on(machine: PretendedMachine) -> None:
    """A registration by the app replaces its unit's, so the app has to know them."""
    machine.load(replace(SPEC, versions=("v1.0", 'odd "%s" \\ é')))
    machine.agent("starting", UNIT)
    assert Identity.from_environment(machine.variables()).versions == ("v1.0", 'odd "%s" \\ é')


def test_another_start_replaces_the_variables(machine: PretendedMachine) -> None:
    """The run is another one."""
    machine.load(SPEC)
    machine.agent("starting", UNIT)
    machine.agent("starting", UNIT, INVOCATION_ID="next")
    assert machine.variables()["FLEETCAPTAIN_RUN"] == "next"
    assert [path.name for path in (machine.home / "env").iterdir()] == [UNIT]


@pytest.mark.parametrize(("unit", "container"), [(UNIT, "app_server.1"), ("app_server-1f0c3a9@1.service", "")])
def test_a_container_that_is_left_is_removed(machine: PretendedMachine, unit: str, container: str) -> None:
    """By the name that the unit's own docker lines use; that there is none is no failure."""
    machine.stub("docker", f'echo "$*" >>{machine.folder}/asked; exit 1')
    machine.load(SPEC, unit)
    assert machine.agent("starting", unit).returncode == 0
    name = container or "app_server-1f0c3a9.1"
    assert (machine.folder / "asked").read_text() == f"rm -fv fc.{APP}.{name}\n"


def test_without_a_container_docker_is_not_called(machine: PretendedMachine) -> None:
    """The machine need not have it."""
    machine.stub("docker", f"touch {machine.folder}/asked")
    machine.load(OWN_START)
    assert machine.agent("starting", UNIT).returncode == 0
    assert not (machine.folder / "asked").exists()


@pytest.mark.parametrize("spec", [SPEC, OWN_START])
@pytest.mark.parametrize("image", ["other:1", "", f"{IMAGE} ", f"{IMAGE}\nX"])
def test_no_file_of_variables_makes_another_image_run(machine: PretendedMachine, spec: object, image: str) -> None:
    """In systemd EnvironmentFile= overrides Environment=. The journal says which file to look for."""
    assert spec in (SPEC, OWN_START)
    machine.load(SPEC if spec is SPEC else OWN_START)
    done = machine.agent("starting", UNIT, IMAGE=image)
    assert (done.returncode, "remove it from /etc/environment" in done.stdout) == (1, True)
    assert not (machine.home / "env").exists()


def test_a_missing_image_is_refused_too(machine: PretendedMachine) -> None:
    """As one that another file emptied."""
    machine.load(SPEC)
    assert machine.agent("starting", UNIT, without="IMAGE").returncode == 1


@pytest.mark.parametrize("verb", ["starting", "started"])
def test_a_machine_without_its_address_says_so(machine: PretendedMachine, verb: str) -> None:
    """The journal names the variable and the file."""
    machine.load(SPEC)
    for done in (
        machine.agent(verb, UNIT, COREOS_PRIVATE_IPV4=""),
        machine.agent(verb, UNIT, without="COREOS_PRIVATE_IPV4"),
    ):
        assert done.returncode != 0
        assert "COREOS_PRIVATE_IPV4: is not set in /etc/environment" in done.stderr


@pytest.mark.parametrize("verb", ["starting", "started"])
def test_a_unit_that_fleet_does_not_know_is_not_started(machine: PretendedMachine, etcd: FakeEtcd, verb: str) -> None:
    """Without its file nothing is known of it; the journal says which file."""
    done = machine.agent(verb, UNIT)
    assert (done.returncode, f"{machine.units}/{UNIT}" in done.stdout) == (1, True)
    assert etcd.requests == []
    assert not (machine.home / "env").exists()


def test_an_old_systemd_without_ids_of_runs_starts_units(machine: PretendedMachine) -> None:
    """INVOCATION_ID came with systemd 232."""
    machine.load(SPEC)
    assert machine.agent("starting", UNIT, without="INVOCATION_ID").returncode == 0
    assert machine.variables()["FLEETCAPTAIN_RUN"] == ""


def test_a_newer_units_keys_are_ignored(machine: PretendedMachine) -> None:
    """While the agent's own unit is being replaced, an older agent serves a newer unit."""
    text = machine.load(SPEC)
    machine.write(f"{text.rstrip()}\nNovel=80 /x\nPortsX=9\n# Service=other\n\n[X-Other]\nService=other\n")
    assert machine.agent("starting", UNIT).returncode == 0
    assert machine.variables()["FLEETCAPTAIN_SERVICE"] == "app_server"


def test_other_sections_are_not_read(machine: PretendedMachine) -> None:
    """A key of another section, and a continued line, may look like one of the agent's."""
    text = machine.load(SPEC)
    machine.write(
        text.replace(
            "[Service]\n",
            "[Service]\nService=other\nContainer=no\nExecReload=/bin/echo a \\\n[X-FleetCaptain]\\\nService=third\n",
        )
    )
    machine.agent("starting", UNIT)
    assert machine.variables()["FLEETCAPTAIN_SERVICE"] == "app_server"


@pytest.mark.parametrize("arguments", [(), ("bogus",), ("section", "/etc/passwd"), ("ask", "5")])
def test_what_is_no_command_prints_the_usage(machine: PretendedMachine, arguments: tuple[str, ...]) -> None:
    """The program's functions are not commands."""
    done = machine.agent(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ")
