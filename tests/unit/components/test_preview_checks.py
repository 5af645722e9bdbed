"""What the program checks on the cluster before it declares anything, and how it ends when that is not right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components.preview_checks import Preflight as Found
from components.preview_checks import check_cluster, refuse_in_preview
from components.stray_units import StraysProvider
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import maintenance_key, release_key
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.fleetfile.values import HttpRoute, Port, PublicRoute
from fleetcaptain.mode import Mode
from fleetcaptain.release.service_release import Part
from fleetcaptain.rollout.strays import POLICIES, StrayPolicy
from fleetcaptain.units.data_anchor import DataAnchor
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.fake_site import APP, Site
from tests.unit.components.deployed import CONNECTION, LOCAL, STACK, full, text_of, unit_inputs, units_of
from tests.unit.tasks.test_periodic_pair import pair_of

WEB = unit_inputs()
STRAY = {"orphan@1.service": full(text_of("orphan"))}


class Preflight:
    """The preflight of a program that deploys *parts*, by the *policy* for strays."""

    def __init__(
        self,
        *parts: Part,
        policy: str = "error",
        adopt: frozenset[str] = frozenset(),
        connection: Mapping[str, Any] = CONNECTION,
        periodic: Mapping[str, UnitFile] | None = None,
        renames: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._periodic, self._renames = periodic or {}, renames
        self._parts, self._policy, self._connection = parts, StrayPolicy.parse(policy), connection
        self._ownership = Ownership(APP, STACK, adopt)
        self.engine = FakeEngine()
        self.found = Found()

    def _program(self) -> None:
        services = {part.service for part in self._parts}
        self.found = check_cluster(
            self._connection,
            self._ownership,
            self._parts,
            self._periodic,
            declared=services,
            policy=self._policy,
            renames=self._renames,
        )

    def strays(self) -> list[str]:
        """The strays that are to be removed."""
        self.engine.run(self._program)
        return list(self.found.strays)

    def refusal(self) -> str:
        """The error with which it ends the program."""
        return self.engine.refusal(self._program)


def part(service: str = "web", instances: int = 2, mode: Mode = Mode.ROLLING, **keywords: Any) -> Part:
    """A service that is about to be deployed."""
    return Part(
        service, UnitFile.parse(text_of(service, global_unit=mode is Mode.PER_MACHINE, **keywords)), instances, mode
    )


def test_a_cluster_with_room_for_everything_is_not_refused(site: Site) -> None:
    """Units of other apps are no strays."""
    site.start({**units_of(WEB), "theirs@1.service": full(text_of("theirs", app="other"))})
    preflight = Preflight(part(), part("redis", 1, Mode.BLUE_GREEN), part("agent", 1, Mode.PER_MACHINE))
    assert (preflight.strays(), preflight.engine.messages) == ([], [])


@pytest.mark.parametrize("policy", ["warn", "ignore", "remove"])
def test_units_that_no_fleetfile_declares(site: Site, policy: str) -> None:
    """By policy they are warned of, left alone, or named, to be removed later. Nothing is changed yet."""
    site.start({**units_of(WEB), **STRAY})
    preflight = Preflight(part(), policy=policy)
    assert preflight.strays() == (list(STRAY) if policy == "remove" else [])
    levels = [(level, "orphan@1.service" in text) for level, text in preflight.engine.messages]
    assert levels == ([("warning", True)] if policy == "warn" else [])
    assert set(site.texts) == {*units_of(WEB), *STRAY}


def test_units_that_no_fleetfile_declares_end_the_program(site: Site) -> None:
    """Unless another policy is configured; the error says how."""
    site.start({**units_of(WEB), **STRAY})
    message = Preflight(part()).refusal()
    assert "orphan@1.service" in message
    assert "`pulumi up -c fleetcaptain:strays=remove`, and afterwards `pulumi config rm fleetcaptain:strays`" in message


def recorded(site: Site, *services: str) -> None:
    """A release with these services was deployed."""
    site.etcd.put(release_key(APP, "v1"), Release("v1", {name: ServiceRelease("1", 1) for name in services}).to_json())


@pytest.mark.parametrize("policy", POLICIES)
def test_a_service_that_this_stack_deployed_may_leave(site: Site, policy: str) -> None:
    """It is no stray, whatever the policy: its units are removed after all others are up, and named before, as no
    resource may have them."""
    recorded(site, "web", "orphan")
    site.start({**units_of(WEB), **STRAY})
    preflight = Preflight(part(), policy=policy)
    assert preflight.strays() == []
    ((level, text),) = preflight.engine.messages
    assert level == "warning"
    assert text.startswith("orphan@1.service: removed at the end of this deployment")
    assert "To keep the units, declare the service again" in text


def test_a_service_of_another_stack_that_leaves_is_a_stray(site: Site) -> None:
    """No resource of this stack would remove it, adopted or not."""
    recorded(site, "web", "orphan")
    site.start({**units_of(WEB), "orphan@1.service": full(text_of("orphan", stack="shop/old"))})
    assert "orphan@1.service" in Preflight(part(), adopt=frozenset({"shop/old"})).refusal()


def test_a_service_that_finds_no_machine_ends_the_program(site: Site) -> None:
    """All of them are named, each with the reason for each machine."""
    ssd, wide = part("ssd", machine_metadata=("disk=ssd",)), part("wide", 4, conflicts=("wide@*",))
    message = Preflight(ssd, part(), wide).refusal()
    assert "Cannot place every instance. Nothing was changed:" in message
    assert "service 'ssd': no machine can take ssd@1.service: 10.0.0.1: MachineMetadata requires disk=ssd" in message
    assert "service 'wide': 4 instances do not fit on 3 machines" in message
    assert "'web'" not in message
    assert site.texts == {}


def nightly(**more: Any) -> dict[str, UnitFile]:
    """A periodic task that is about to be deployed."""
    return {"nightly": pair_of(stack=STACK, **more).service.without_image()[0]}


@pytest.mark.parametrize("name", ["nightly-task.service", "nightly-task.timer"])
def test_units_of_others_with_the_names_of_a_periodic_task_end_the_program(site: Site, name: str) -> None:
    """Before any service is rolled."""
    site.start({name: "[Service]\nExecStart=/bin/true\n[Timer]\nOnCalendar=daily\n"})
    message = Preflight(part(), periodic=nightly()).refusal()
    assert f"{name}: without FleetCaptain's mark" in message


def test_a_periodic_task_that_finds_no_machine_ends_the_program(site: Site) -> None:
    """One that is there may have another text, which counts for the services."""
    message = Preflight(part(), periodic=nightly(machine_metadata=("disk=ssd",))).refusal()
    assert "task 'nightly': no machine can take nightly-task.service: 10.0.0.1: MachineMetadata" in message
    old = pair_of(stack=STACK, ports=(Port(80, 8080),))
    site.start({"nightly-task.service": old.service.text, "nightly-task.timer": old.timer.text})
    wide = part("wide", 3, ports=(Port(80, 8080),))
    assert Preflight(wide, periodic=nightly()).strays() == []
    assert "no machine has a free port for wide@" in Preflight(wide).refusal()


WIDE = part("wide", 3, conflicts=("wide@*",))


def test_machines_of_windows_are_no_room(site: Site) -> None:
    """They go when the window closes, and the instances that always run would then find no other machine."""
    site.fleet.machines += (Machine("w1", "10.0.0.9", {"name": "w1", "group": "windows"}),)
    message = Preflight(part("wide", 4, conflicts=("wide@*",))).refusal()
    assert "service 'wide': 4 instances do not fit on 3 machines" in message
    assert Preflight(part("wide", 3, conflicts=("wide@*",))).strays() == []


@pytest.mark.parametrize("connection", [LOCAL, {**CONNECTION, "kind": "aws", "size": 3}])
@pytest.mark.usefixtures("docker_machines")
def test_a_cluster_that_lacks_machines_is_not_checked_for_room(site: Site, connection: Mapping[str, Any]) -> None:
    """It is about to grow, or a machine is away: the rollout itself checks again."""
    site.fleet.machines = site.fleet.machines[:2]
    assert Preflight(WIDE, connection=connection).strays() == []


def test_an_existing_cluster_has_the_machines_that_it_has(site: Site) -> None:
    """The stack does not know how many there should be."""
    site.fleet.machines = site.fleet.machines[:2]
    hosts = {**LOCAL, "kind": "existing"}
    assert "3 instances do not fit on 2 machines" in Preflight(WIDE, connection=hosts).refusal()


def test_a_blue_green_service_does_not_need_room_for_two_when_nothing_changes(site: Site) -> None:
    """Only its running generation is there then."""
    site.fleet.machines = site.fleet.machines[:1]
    site.start({"redis-1@1.service": full(text_of("redis", conflicts=("redis-*",)))})
    assert Preflight(part("redis", 1, Mode.BLUE_GREEN, conflicts=("redis-*",))).strays() == []


@pytest.mark.parametrize("policy", POLICIES)
def test_a_cluster_that_does_not_answer_ends_the_program(site: Site, policy: str) -> None:
    """Before anything is declared, whatever is done about strays."""
    site.unreachable = True
    assert "fleet does not answer" in Preflight(part(), policy=policy).refusal()


@pytest.mark.parametrize("running", [None, frozenset({"m1"})])
def test_of_a_local_cluster_that_does_not_run_nothing_is_asked(
    site: Site, docker_machines: SimpleNamespace, running: frozenset[str] | None
) -> None:
    """The deployment makes or starts it."""
    site.unreachable = True
    docker_machines.running = running
    assert Preflight(part(), connection=LOCAL).strays() == []


def deployment(tag: str, unit_hash: str = "new", connection: Mapping[str, Any] = CONNECTION) -> Callable[[], None]:
    """A program that deploys web with this content as the release *tag*."""

    def program() -> None:
        known = pulumi.Output.from_input(connection)
        entries = pulumi.Output.from_input(unit_hash).apply(lambda sha1: {"web": ServiceRelease(sha1, 1)})
        refuse_in_preview(known, APP, pulumi.Output.from_input(tag), entries)

    return program


@pytest.fixture
def released(site: Site) -> Site:
    """A cluster with the release v1 of web."""
    site.etcd.put(release_key(APP, "v1"), Release("v1", {"web": ServiceRelease("old", 1)}).to_json())
    return site


@pytest.mark.usefixtures("released")
def test_a_tag_of_another_release_ends_a_preview() -> None:
    """An update does not end here: the record of the release refuses it, before any unit."""
    message = FakeEngine().refusal(deployment("v1"), preview=True)
    assert "The release v1 already exists with other contents. Nothing was changed:" in message
    FakeEngine().run(deployment("v1"), preview=False)


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize(("tag", "unit_hash"), [("v1", "old"), ("v2", "new")])
def test_the_same_release_and_a_new_one_can_be_previewed(tag: str, unit_hash: str) -> None:
    """Without a word."""
    assert FakeEngine().run(deployment(tag, unit_hash), preview=True).messages == []


def test_a_cluster_that_is_not_there_has_no_releases(released: Site, docker_machines: SimpleNamespace) -> None:
    """A preview does not ask it."""
    released.unreachable = True
    docker_machines.running = None
    assert FakeEngine().run(deployment("v1", connection=LOCAL), preview=True).messages == []


def test_a_store_that_does_not_answer_ends_a_preview(site: Site) -> None:
    """With its own error."""
    site.etcd.failures = 1
    assert FakeEngine().refusal(deployment("v1"), preview=True).startswith("etcd did not read")


def test_strays_are_removed_with_their_registrations(site: Site) -> None:
    """By the resource that names them; what is declared stays. After that no stray is named any more."""
    site.start({**units_of(WEB), **STRAY, "unmarked.service": "[Service]\nExecStart=/bin/true\n"})
    for service in ("orphan", "web"):
        site.etcd.put(maintenance_key(APP, service), "{}")
    names = [*STRAY, "unmarked.service", "gone.service"]
    props = {"app": APP, "stack": STACK, "names": names, "adopt": [], "cluster": CONNECTION}
    StraysProvider().update(APP, {}, props)
    assert set(site.texts) == site.running == site.registered == set(units_of(WEB))
    assert maintenance_key(APP, "orphan") not in site.etcd.values
    assert maintenance_key(APP, "web") in site.etcd.values
    found = StraysProvider().read(APP, {**props, "__provider": "pickle"})
    assert found.inputs == {**props, "names": []}


def test_without_strays_the_cluster_is_not_asked(site: Site) -> None:
    """A deployment with `strays` set to `remove` works without any."""
    site.unreachable = True
    props = {"app": APP, "names": [], "cluster": CONNECTION}
    assert StraysProvider().create(props).outs == props


PORTS = (Port(80, 8080),)
ROUTES = (PublicRoute("web", HttpRoute(8080)),)


@pytest.mark.parametrize("known", [True, False])
def test_a_service_that_needs_the_ports_of_one_that_leaves(site: Site, known: bool) -> None:
    """The error says how: as a rename, or with an outage."""
    if known:
        recorded(site, "old")
    old = text_of("old", ports=PORTS)
    site.start({f"old@{number}.service": full(old) for number in (1, 2, 3)})
    renamed = part("new", 3, ports=PORTS)
    assert len(Preflight(renamed, policy="remove").strays()) == 3
    message = Preflight(renamed, policy="warn").refusal()
    assert "write renamed_from=" in message
    assert "port 8080/tcp is taken by old@1.service" in message
    going = "old@1.service, old@2.service, old@3.service"
    assert f"without {going} all fit, but these units are removed last" in message


def test_a_renamed_service_takes_over_the_ports_of_its_old_name(site: Site) -> None:
    """One instance at a time. Once the old name has no units, nothing is replaced."""
    recorded(site, "old")
    renames = {"new": ("old",)}
    site.start({f"old@{number}.service": full(text_of("old", ports=PORTS)) for number in (1, 2, 3)})
    preflight = Preflight(part("new", 3, ports=PORTS), renames=renames)
    assert preflight.strays() == []
    assert preflight.found.replaced == renames
    beside = Preflight(part("new", 1, Mode.BLUE_GREEN, ports=PORTS), renames=renames)
    message = beside.refusal()
    assert "port 8080/tcp is taken by old@" in message
    assert "service 'new' is replaced blue/green, so it starts beside old@1.service, old@2.service" in message
    assert "Rolling()" in message
    assert "write renamed_from=" not in message
    for name in site.texts:
        site.cluster().fleet.delete(name)
    site.rest()
    after = Preflight(part("new", 3, ports=PORTS), renames=renames)
    assert (after.strays(), after.found.replaced) == ([], {})


def test_a_renamed_service_is_not_said_to_leave(site: Site) -> None:
    """Its own update replaces its units."""
    recorded(site, "old")
    site.start({"old@1.service": full(text_of("old"))})
    for mode in (Mode.ROLLING, Mode.BLUE_GREEN):
        preflight = Preflight(part("new", 1, mode), renames={"new": ("old",)})
        assert (preflight.strays(), preflight.engine.messages) == ([], [])


def test_a_blue_green_rename_whose_volume_both_write_to_has_the_place_of_the_old_instance(site: Site) -> None:
    """It does not start beside it. A rollback over the rename has no other way."""
    recorded(site, "old")
    shared: dict[str, Any] = {"volumes": ("data:/data",), "ports": PORTS}
    site.start({f"old@{number}.service": full(text_of("old", **shared)) for number in (1, 2, 3)})
    assert Preflight(part("new", 1, Mode.BLUE_GREEN, **shared), renames={"new": ("old",)}).strays() == []


def test_only_the_departed_units_in_the_way_are_removed_first(site: Site) -> None:
    """All others are removed last."""
    recorded(site, "old", "other")
    old = {f"old@{number}.service": full(text_of("old", ports=PORTS)) for number in (1, 2, 3)}
    site.start({**old, "other@1.service": full(text_of("other"))})
    all_first = Preflight(part("new", 3, ports=PORTS), policy="remove")
    assert all_first.strays() == list(old)
    ((_, warning),) = all_first.engine.messages
    assert warning.startswith("other@1.service: removed at the end of this deployment")
    assert len(Preflight(part("new", 1, ports=PORTS), policy="remove").strays()) == 1
    message = Preflight(part("new", 3, ports=PORTS)).refusal()
    assert "without old@1.service, old@2.service, old@3.service all fit" in message


@pytest.mark.parametrize(
    "rules", [{"ports": PORTS}, {"conflicts": ("web@*",)}, {"x_fleet": (("X-Conflicts", "%p@*"),)}]
)
@pytest.mark.parametrize("back", [False, True])
def test_a_service_is_not_in_its_own_way(site: Site, rules: dict[str, Any], back: bool) -> None:
    """From so many instances to one on every machine, and back: the rollout removes the old ones first."""
    everywhere = {"ports": PORTS} if "ports" in rules else {}
    modes = [part("web", 3, **rules), part("web", 1, Mode.PER_MACHINE, **everywhere)]
    old, new = reversed(modes) if back else modes
    names = [f"web@m{number}.service" if back else f"web@{number}.service" for number in (1, 2, 3)]
    site.start(dict.fromkeys(names, full(old.unit.text)))
    assert site.running == set(names)
    assert Preflight(new).strays() == []


def test_a_service_may_take_what_another_gives_up(site: Site) -> None:
    """The text that a service is about to have counts, not the one that it has."""
    names = [f"web@{number}.service" for number in (1, 2, 3)]
    site.start(dict.fromkeys(names, full(text_of("web", ports=PORTS))))
    other = part("api", 3, ports=PORTS)
    assert Preflight(part("web", 3), other).strays() == []
    assert "port 8080/tcp is taken by web@" in Preflight(part("web", 3, ports=PORTS), other).refusal()


def test_a_service_of_every_machine_finds_each_taken_port(site: Site) -> None:
    """A unit of others stays where it is."""
    theirs = full(text_of("theirs", app="other", ports=PORTS))
    site.start({"theirs@1.service": theirs})
    assert (
        "port 8080/tcp is taken by theirs@1.service"
        in Preflight(part("agent", 1, Mode.PER_MACHINE, ports=PORTS)).refusal()
    )


@pytest.mark.parametrize("theirs", [{"ports": PORTS}, {"global_unit": True, "routes": ROUTES, "start": ("/bin/x",)}])
def test_a_proxy_finds_a_public_port_that_another_app_has(site: Site, theirs: Mapping[str, Any]) -> None:
    """Its own, or a public one too: each machine has it once. Another port of the other app's proxy is free."""
    machine = next(iter(site.fleet.machines)).id
    site.start({f"theirs@{machine}.service": full(text_of("theirs", app="other", **theirs))})
    mine = part(f"{APP}-proxy", 1, Mode.PER_MACHINE, routes=ROUTES, start=("/bin/x",))
    assert f"port 8080/tcp is taken by theirs@{machine}.service" in Preflight(mine).refusal()
    routes = (PublicRoute("web", HttpRoute(8081)),)
    assert Preflight(part(f"{APP}-proxy", 1, Mode.PER_MACHINE, routes=routes, start=("/bin/x",))).strays() == []


def test_a_rule_that_parts_a_service_and_its_data_is_refused(site: Site) -> None:
    """Also when its unit was deployed before services stayed with their data: they are where it runs."""
    volumes = ("data:/data",)
    before = text_of("db", volumes=volumes).replace(f"MachineOf={APP}.data-db.service\n", "")
    site.start({"db@1.service": full(before)})
    home = site.fleet.units["db@1.service"].machine_id
    for machine in site.fleet.machines:
        preflight = Preflight(part("db", 1, volumes=volumes, machine_metadata=(f"name={machine.id}",)))
        if machine.id == home:
            assert preflight.strays() == []
        else:
            assert "its data is on another machine" in preflight.refusal()


@pytest.mark.parametrize(("kind", "size"), [("aws", 9), ("aws", 3), ("existing", 0)])
def test_a_preview_warns_of_a_service_whose_data_is_away(site: Site, kind: str, size: int) -> None:
    """What else changes can still be deployed, however many machines the cluster should have."""
    anchor = DataAnchor("db", "gone", "m9 (10.0.0.9)", ("data",)).file(APP, STACK).text
    site.start({f"{APP}.data-db.service": anchor})
    connection = {**CONNECTION, "kind": kind, "size": size}
    preflight = Preflight(part("db", 1, volumes=("data:/data",)), part("web"), connection=connection)
    assert preflight.strays() == []
    ((level, message),) = preflight.engine.messages
    assert level == "warning"
    assert "on m9 (10.0.0.9), which is not in the cluster" in message


def test_a_preview_refuses_a_service_with_the_data_of_one_that_leaves(site: Site) -> None:
    """As after a rename without `renamed_from`: the data would be on another machine, or have two writers."""
    volumes = ("data:/data",)
    machine = sorted(site.fleet.machines, key=lambda one: one.id)[0].id
    anchor = DataAnchor("db", machine, machine, ("data",)).file(APP, STACK).text
    site.start({f"{APP}.data-db.service": anchor, "db@1.service": full(text_of("db", volumes=volumes))})
    site.etcd.put(release_key(APP, "v1"), Release("v1", {"db": ServiceRelease("1", 1, "db:1")}).to_json())
    preflight = Preflight(part("store", 1, volumes=volumes))
    assert "store has the volume data of db, which is removed only at the end" in preflight.refusal()


def test_a_preview_warns_of_a_service_that_leaves_its_data(site: Site) -> None:
    """As it gets a rule with which it no longer stays there."""
    volumes = ("data:/data",)
    machine = sorted(site.fleet.machines, key=lambda one: one.id)[0].id
    anchor = DataAnchor("db", machine, machine, ("data",)).file(APP, STACK).text
    site.start({f"{APP}.data-db.service": anchor, "db@1.service": full(text_of("db", volumes=volumes))})
    same, preflight = (Preflight(part("db", 1, volumes=volumes, machine_id=id_)) for id_ in ("", machine))
    assert (same.strays(), preflight.strays()) == ([], [])
    assert same.engine.messages == []
    ((level, message),) = preflight.engine.messages
    assert level == "warning"
    assert f"The data of db (volumes data) is on {machine}. With this change db no longer stays there" in message
