"""Several stacks, apps and other people on one cluster: each deploys and removes its own units, and no others.

The worker's own stack, with the example on it, is the cluster; all others come to it as to an existing one.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from fleetcaptain.discovery.keys import images_key
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.release.kept_images import KeptImages
from fleetcaptain.units.unit_file import UnitFile
from tests.e2e.conftest import Guests
from tests.e2e.stack import Stack
from tests.faults.etcd_view import of_machine, registered
from tests.faults.machine_faults import killed, machine_id, machine_of, machines, run_on, until

_FLEETFILE = """\
from fleetcaptain import BlueGreen, Fleetfile, Rolling, Service

SLEEP = "/bin/sleep infinity"

fleet = Fleetfile(
    app="{app}",
    services=[
        Service("{service}", start=SLEEP, instances={instances}, rollout=Rolling(min_healthy_sec=1)),
        Service("{app}-green", start=SLEEP, rollout=BlueGreen(min_healthy_sec=1, keep_old_sec=1)),
    ],
)
"""
_UNMARKED = "[Service]\nExecStart=/bin/sleep infinity\n"


def _fleetfile(app: str, service: str, instances: int) -> str:
    return _FLEETFILE.format(app=app, service=service, instances=instances)


@pytest.fixture
def first(guests: Guests) -> Stack:
    """The stack that has the app `probe`: two instances, and one that is replaced blue/green."""
    made = guests("first", _fleetfile("probe", "probe", 2))
    made.up()
    return made


def _everything(stack: Stack) -> tuple[dict[str, Any], dict[str, str]]:
    """All that the cluster keeps: every unit with its text, and every key with its value. A registration says since
    when it is there, so one that is the same is of the same process. Heartbeats are without the time that they tell."""
    cluster = stack.cluster()
    units = {name: (unit.text, unit.desired) for name, unit in cluster.snapshot().units.items()}
    nodes = cluster.store.below("/fleetcaptain")
    keys = {node.key: re.sub(r',"clock":[0-9]+', "", node.value) for node in nodes}
    for app in ("behavioral", "probe", "blog"):
        keys |= {node.key: node.value for node in cluster.store.below(f"/fleetcaptain/{app}/_texts")}
    return units, keys


def _destroy(stack: Stack, name: str) -> None:
    """Destroy a unit by hand, and wait until no machine runs it."""
    stack.fleetctl("destroy", name)
    cluster = stack.cluster()
    until(lambda: all(state.name != name for state in cluster.snapshot().states), f"{name} is gone")


def _of(app: str, everything: tuple[dict[str, Any], dict[str, str]]) -> tuple[dict[str, Any], dict[str, str]]:
    """What of it is of one app."""
    units, keys = everything
    mine = {name: unit for name, unit in units.items() if f"\nApp={app}\n" in unit[0]}
    return mine, {key: value for key, value in keys.items() if key.startswith(f"/fleetcaptain/{app}/")}


def _but(app: str, everything: tuple[dict[str, Any], dict[str, str]]) -> tuple[dict[str, Any], dict[str, str]]:
    """What of it is of others."""
    mine, keys = _of(app, everything)
    units, values = everything
    return (
        {name: unit for name, unit in units.items() if name not in mine},
        {key: value for key, value in values.items() if key not in keys},
    )


def test_a_second_stack_of_an_app_is_refused_until_it_adopts(stack: Stack, first: Stack, guests: Guests) -> None:
    """Refused, and destroyed, it touches nothing. Once it has taken over, the first one's `destroy` touches nothing."""
    second = guests("second", _fleetfile("probe", "probe", 2))
    before = _everything(stack)
    for argv in (("preview",), ("up", "--yes"), ("up", "--yes", "--skip-preview")):
        error = second.fails(*argv).error
        assert f"deployed by the stack fleetcaptain/{first.name} of this app" in error
        assert f"pulumi config set fleetcaptain:adopt fleetcaptain/{first.name}" in error
    second.must("destroy", "--yes")
    assert _everything(stack) == before
    second.set("adopt", f"fleetcaptain/{first.name}")
    assert "probe@1.service, probe@2.service: adopted from" in second.preview().output
    second.up()
    second.must("config", "rm", "fleetcaptain:adopt")
    second.rests()
    taken = _everything(stack)
    assert all(f"Stack=fleetcaptain/{second.name}\n" in text for text, _ in _of("probe", taken)[0].values())
    assert _of("behavioral", taken) == _of("behavioral", before)
    first.must("destroy", "--yes")
    assert _everything(stack) == taken
    second.must("destroy", "--yes")
    after = _everything(stack)
    assert _of("probe", after) == ({}, {})
    assert _of("behavioral", after) == _of("behavioral", before)


def test_an_app_comes_rolls_goes_back_and_goes_beside_others(stack: Stack, first: Stack, guests: Guests) -> None:
    """After each step all units and keys of others, marked or not, are what they were."""
    fleet = stack.cluster().fleet
    fleet.put("backup.service", UnitFile.parse(_UNMARKED), DesiredState.LAUNCHED)
    try:
        before = _everything(stack)
        assert _of("probe", before) != ({}, {})
        blog = guests("blog", _fleetfile("blog", "blog", 2))
        blog.up()
        release = str(blog.outputs()["release"])
        assert _but("blog", _everything(stack)) == before
        with blog.edited("Fleetfile.py", {"infinity": "9999999"}):
            blog.up()
            assert _but("blog", _everything(stack)) == before
            blog.must("up", "--yes", "--config", f"fleetcaptain:rollbackTo={release}")
        assert blog.outputs()["release"] == release
        assert _but("blog", _everything(stack)) == before
        blog.must("destroy", "--yes")
        assert _everything(stack) == before
        first.rests()
    finally:
        fleet.delete("backup.service")


def test_a_name_that_another_app_has_now_is_left(stack: Stack, first: Stack, guests: Guests) -> None:
    """The first app's state names it still."""
    _destroy(stack, "probe@1.service")
    blog = guests("blog", _fleetfile("blog", "probe", 1))
    blog.up()
    theirs = _of("blog", _everything(stack))
    assert "probe@1.service" in theirs[0]
    for argv in (("preview",), ("up", "--yes")):
        assert "probe@1.service: of the app 'blog'" in first.fails(*argv).error
    assert _of("blog", _everything(stack)) == theirs
    first.must("destroy", "--yes")
    after = _everything(stack)
    assert _of("blog", after) == theirs
    assert _of("probe", after) == ({}, {})
    blog.rests()


def test_units_of_other_people_stay_unless_they_are_named(stack: Stack, first: Stack) -> None:
    """One that is named after a service of the app ends a deployment; others are warned of. Under a name of ours one is
    taken over only by name."""
    fleet = stack.cluster().fleet
    try:
        for name in ("backup.service", "probe@9.service"):
            fleet.put(name, UnitFile.parse(_UNMARKED), DesiredState.LAUNCHED)
        before = _everything(stack)
        refused = first.fails("up", "--yes")
        assert "probe@9.service (without a mark)" in refused.error
        first.set("strays", "remove")
        assert "probe@9.service" in first.up().output
        assert _everything(stack)[0] == before[0]
        first.set("strays", "remove:probe@9.service")
        first.up()
        assert set(before[0]) - set(_everything(stack)[0]) == {"probe@9.service"}
        _destroy(stack, "probe@2.service")
        fleet.put("probe@2.service", UnitFile.parse(_UNMARKED), DesiredState.LAUNCHED)
        assert "probe@2.service: without FleetCaptain's mark" in first.fails("preview").error
        first.set("adopt", "probe@2.service")
        first.up()
        assert _everything(stack)[0]["probe@2.service"] == before[0]["probe@2.service"]
        first.must("destroy", "--yes")
        assert "backup.service" in _everything(stack)[0]
    finally:
        for name in ("backup.service", "probe@9.service"):
            fleet.delete(name)


def test_a_renamed_app_is_refused(stack: Stack, first: Stack) -> None:
    """Nothing is changed; under its old name it goes on."""
    before = _everything(stack)
    with first.edited("Fleetfile.py", {'app="probe"': 'app="store"'}):
        for argv in (("preview",), ("up", "--yes")):
            assert "An app cannot be renamed in place" in first.fails(*argv).output
    assert _everything(stack) == before
    first.rests()


def test_a_stack_whose_state_was_lost_takes_its_units_over(stack: Stack, first: Stack) -> None:
    """The preview says which; none of them restarts."""
    before = _everything(stack)
    for urn in reversed(first.urns()):
        if "dynamic" in urn:
            first.must("state", "delete", urn, "--yes", "--force")
    assert "probe@1.service, probe@2.service: on the cluster already" in first.preview().output
    first.up()
    after = _everything(stack)
    assert after[0] == before[0]
    registrations = {key: value for key, value in before[1].items() if "/services/" in key}
    assert {key: value for key, value in after[1].items() if "/services/" in key} == registrations
    first.rests()


def _containers(stack: Stack) -> set[str]:
    """The names of all containers on all machines, also of those that do not run."""
    listed = [run_on(machine, "docker", "ps", "-a", "--format", "{{.Names}}") for machine in machines(stack).values()]
    return {name for names in listed for name in names.split()}


def test_a_container_that_is_called_like_a_unit_stays(stack: Stack) -> None:
    """compose names containers ``<project>-<service>-<number>``. Deploying, rolling and removing leave them alone."""
    foreign = "app_server-1"
    for machine in machines(stack).values():
        image = run_on(machine, "docker", "images", "--no-trunc", "--quiet").split()[0]
        run_on(machine, "docker", "run", "-d", "--name", foreign, "--entrypoint", "sleep", image, "infinity")
    ids = ["docker", "ps", "--no-trunc", "--quiet", "--filter", f"name=^{foreign}$"]
    before = {name: run_on(machine, *ids) for name, machine in machines(stack).items()}
    try:
        with stack.edited("Fleetfile.py", {"restart_sec=5,": "restart_sec=6,"}):
            stack.up()
            named = [name for name in _containers(stack) if name.startswith("fc.behavioral.app_server.")]
            assert sorted(named) == [f"fc.behavioral.app_server.{number}" for number in range(1, 5)]
        stack.up()
        assert all(before.values())
        assert {name: run_on(machine, *ids) for name, machine in machines(stack).items()} == before
    finally:
        for machine in machines(stack).values():
            run_on(machine, "docker", "rm", "-fv", foreign)


def test_a_unit_that_names_its_container_otherwise_is_rolled(stack: Stack) -> None:
    """As earlier texts did, which called no agent. The unit that runs stops its own container, and the new one has the
    new name."""
    cluster = stack.cluster()
    unit = cluster.snapshot().units["app_server@1.service"]
    text = unit.text.replace("fc.behavioral.%p.%i", "%p-%i")
    text = re.sub(r"ExecStartPost=.* started %n\n", "", text)
    text = re.sub(r"/bin/sh \S+ stopping %n ", "", text)
    assert text.count("/agent ") == 1
    cluster.fleet.put(unit.name, UnitFile.parse(text), DesiredState.LAUNCHED)
    until(lambda: "app_server-1" in _containers(stack), "the unit runs under the other name")
    stack.up()
    names = _containers(stack)
    assert "app_server-1" not in names
    assert "fc.behavioral.app_server.1" in names
    stack.rests()


@pytest.mark.faults
@pytest.mark.usefixtures("first")
def test_agents_of_two_apps_on_a_machine_are_independent(stack: Stack) -> None:
    """A machine without the agent of one app is silent for that app alone. One that dies is so for both."""
    apps = ("behavioral", "probe")
    victim = machine_of(stack, "probe@1.service")
    witness = next(machine for machine in machines(stack).values() if machine != victim)
    lost_id = machine_id(victim)
    before = {app: registered(witness, app) for app in apps}
    others = {app: before[app].keys() - of_machine(before[app], lost_id) for app in apps}
    assert all(others[app] != before[app].keys() for app in apps)

    def states() -> dict[str, dict[str, Any]]:
        return {app: registered(witness, app) for app in apps}

    run_on(victim, "systemctl", "stop", "probe-agent.service")
    until(lambda: states()["probe"].keys() == others["probe"], "the registrations of the one app are gone")
    assert states()["behavioral"] == before["behavioral"]
    run_on(victim, "systemctl", "start", "probe-agent.service")
    until(lambda: states() == before, "they are there again")
    with killed(victim):
        # An agent that ends, and is started again, hinders that of no other app.
        run_on(witness, "systemctl", "kill", "--signal=SIGKILL", "probe-agent.service")
        until(
            lambda: {app: entries.keys() for app, entries in states().items()} == others, "both apps left the machine"
        )
    clusters = {app: stack.cluster(app) for app in apps}

    def whole() -> bool:
        looks = {app: cluster.snapshot() for app, cluster in clusters.items()}
        return all(
            len(look.machines) == 3 and {entry.unit for entry in look.live} == before[app].keys()
            for app, look in looks.items()
        )

    until(whole, "all is registered where it runs")


@pytest.mark.usefixtures("first")
def test_an_app_removes_no_image_that_another_app_keeps(stack: Stack) -> None:
    """Even if no container on the machine uses it. One that no app keeps is removed."""
    units = stack.cluster().snapshot().units
    name = next(name for name in units if name.startswith("redis-"))
    kept = units[name].text.partition("Environment=IMAGE=")[2].partition("\n")[0]
    used_on = machine_of(stack, name)
    machine = next(machine for machine in machines(stack).values() if machine != used_on)
    run_on(machine, "docker", "pull", kept)
    tag = f"{kept.partition('/')[0]}/probe/unused:1"
    run_on(machine, "docker", "create", "--name", "unused", kept)
    run_on(machine, "docker", "commit", "unused", tag)
    run_on(machine, "docker", "rm", "unused")
    run_on(machine, "docker", "push", tag)
    unused = run_on(machine, "docker", "inspect", "--format", "{{index .RepoDigests 0}}", tag).strip()
    run_on(machine, "docker", "rmi", tag)
    run_on(machine, "docker", "pull", unused)
    stack.cluster().store.write(images_key("probe"), KeptImages(drop=(kept, unused)).text)
    said = run_on(machine, "/bin/sh", "/run/fleetcaptain/probe/agent", "clean")
    assert f"removed the image {unused}: no kept release of probe names it" in said
    assert kept not in said
    listed = run_on(machine, "docker", "images", "--digests", "--format", "{{.Repository}}@{{.Digest}}").split()
    assert kept in listed
    assert unused not in listed
