"""A cluster with data stays in its network and zones, which the state of its stack knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.aws.client_facts import ClientFacts
from components.aws.machine_programs import PROGRAMS
from components.aws.recorded_cluster import (
    RecordedCluster,
    joined_members,
    notices,
    pinned,
    recorded_in,
    refused_changes,
)
from components.aws.settings import DEFAULT_TYPE, Settings, read
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.schedule.window import WindowSpec
from tests.fakes.fake_engine import FakeEngine
from tests.unit.aws.declared import CONFIG, NEWEST, ZONES, declare

URN = "urn:pulumi:prod::fleetcaptain::fleetcaptain:cluster:CoreOSCluster$"


OLDER = "ami-0f1a7ca4000000000"
JANUARY, AUGUST = 1767225600, 1785542400
"""When the image was made, in seconds of the Unix clock, and seven months later."""


def state(*, network: str = Settings(3, 3, "ann").network, volumes: bool = True, key: str = "ann") -> Mapping[str, Any]:
    """What the state has of a cluster of three members in `ZONES`, with their *volumes* and the key pair *key*, and
    workers with an older image."""
    found: dict[str, Any] = {
        f"{URN}aws:ec2/vpc:Vpc::cluster": {"type": "aws:ec2/vpc:Vpc", "outputs": {"cidrBlock": network}}
    }
    for number, zone in enumerate(ZONES, 1):
        found[f"{URN}aws:ec2/subnet:Subnet::cluster-s{number}"] = {
            "type": "aws:ec2/subnet:Subnet",
            "outputs": {"availabilityZone": zone},
        }
    if volumes:
        for number, zone in enumerate(ZONES, 1):
            found[f"{URN}aws:ebs/volume:Volume::cluster-m{number}-etcd"] = {
                "type": "aws:ebs/volume:Volume",
                "outputs": {"availabilityZone": zone, "size": 10},
            }
            found[f"{URN}aws:ec2/instance:Instance::cluster-m{number}"] = {
                "type": "aws:ec2/instance:Instance",
                "outputs": {"ami": NEWEST, "instanceType": DEFAULT_TYPE, "keyName": key},
            }
        found[f"{URN}pulumi-python:dynamic/fleet:ClusterReady::cluster"] = {
            "type": "pulumi-python:dynamic/fleet:ClusterReady",
            "outputs": {"members": {f"m{number}": f"10.71.{number - 1}.11" for number in (1, 2, 3)}},
        }
        found[f"{URN}aws:ec2/launchTemplate:LaunchTemplate::cluster-worker"] = {
            "type": "aws:ec2/launchTemplate:LaunchTemplate",
            "outputs": {"imageId": OLDER},
        }
    return found


def parts(kept: Callable[[str], bool], *, key: str = "ann") -> dict[tuple[str, str], Mapping[str, Any]]:
    """(type, name) -> outputs of the resources in `state` whose name, as ``m1-etcd`` or ``""``, is *kept*."""
    found = ((entry["type"], urn.rpartition("::")[2], entry["outputs"]) for urn, entry in state(key=key).items())
    return {(type_, name): outputs for type_, name, outputs in found if kept(name.removeprefix("cluster").lstrip("-"))}


def refused(config: Mapping[str, str], **more: Any) -> str:
    """Why the settings *config* are refused. Nothing is declared then but the cluster itself."""
    with pytest.raises(ClusterRefused) as raised:
        declare(config, recorded=state(), **more)
    return str(raised.value)


def test_another_network_moves_no_member() -> None:
    """etcd's peers would look for each other at the old addresses. How to go back is said, and how to go on."""
    text = refused({"network": "10.72.0.0/16"})
    assert "`pulumi config set fleetcaptain:network 10.71.0.0/16`" in text
    assert "deploy a new stack" in text


@pytest.mark.parametrize("zones", ["eu-west-1a,eu-west-1b", "eu-west-1b,eu-west-1c,eu-west-1d"])
def test_other_zones_move_no_member(zones: str) -> None:
    """A volume cannot leave its zone."""
    text = refused({"zones": zones}, zones=(*ZONES, "eu-west-1d"))
    assert "`pulumi config set fleetcaptain:zones eu-west-1a,eu-west-1b,eu-west-1c`" in text


@pytest.mark.parametrize("today", [ZONES[1:], ("eu-west-1-new", *ZONES), ZONES[:1]])
def test_a_zone_that_comes_or_fails_changes_nothing(today: tuple[str, ...]) -> None:
    """AWS lists no zone that is impaired, and may have new ones; the cluster stays where its data is."""
    declared = declare({}, zones=today, recorded=state())
    assert {subnet["availabilityZone"] for subnet in declared.of("Subnet").values()} == set(ZONES)


def test_more_zones_than_are_used_may_be_configured() -> None:
    """The first three get a subnet, in whatever order they are written."""
    declared = declare({"zones": ",".join(reversed([*ZONES, "eu-west-1d"]))}, recorded=state())
    assert len(declared.of("Subnet")) == 3


def test_what_has_no_data_may_move() -> None:
    """A first update that failed before it made a volume can be corrected."""
    declared = declare({"network": "10.72.0.0/16", "zones": ",".join(ZONES[:2])}, recorded=state(volumes=False))
    assert len(declared.of("Subnet")) == 2


@pytest.mark.parametrize(
    "lost", ["m1-etcd", "m2-etcd", "m3-etcd", "s1", "s2", "s3", "m1", "m2", "m3", "m1 m2 m3", "m1 m2 m3 m1-etcd"]
)
def test_what_is_lost_moves_nothing(lost: str) -> None:
    """A volume or a subnet of a made cluster, or machines: a refresh takes what is gone out of the state."""
    recorded = recorded_in(parts(lambda name: name not in lost.split()), "cluster")
    assert pinned(read(CONFIG.get), recorded).zones == ZONES
    (problem,) = refused_changes(read({**CONFIG, "zones": ",".join(ZONES[:2])}.get), recorded)[:-1]
    assert problem.startswith("fleetcaptain:zones: the cluster is in")


@pytest.mark.parametrize("made", ["s1 m1-etcd", "s1 s2 m1-etcd m2-etcd", "s2 s3 m2-etcd m3-etcd"])
def test_a_first_update_that_was_cut_off_pins_no_zone(made: str) -> None:
    """Without a machine nothing has data: all three zones get a member, whatever was made before."""
    recorded = recorded_in(parts(lambda name: name in made.split()), "cluster")
    assert pinned(read(CONFIG.get), recorded).zones == ()


def test_a_lost_network_is_no_other_one() -> None:
    """Nor is that of another cluster."""
    volume = ("aws:ebs/volume:Volume", "cluster-m1-etcd"), {"availabilityZone": "z1"}
    ready: tuple[tuple[str, str], Mapping[str, Any]]
    ready = ("pulumi-python:dynamic/fleet:ClusterReady", "cluster"), {"members": {}}
    found = recorded_in(dict([volume, ready]), "cluster")
    assert found is not None
    assert (found.network, found.zones) == ("", ("z1",))
    assert recorded_in(dict([volume]), "other") is None


def images(declared: FakeEngine) -> set[str]:
    """The images of the workers' templates."""
    return {template["imageId"] for template in declared.of("LaunchTemplate").values()}


def warnings(declared: FakeEngine) -> list[str]:
    """What the program warns of."""
    return [text for level, text in declared.messages if level == "warning"]


WINDOW = WindowSpec("rush", 6, 18 * 60, 20 * 60, tuple(range(7)), (), "UTC", machines=2)


def test_a_new_image_replaces_no_worker() -> None:
    """Workers keep theirs, also new ones, and those of windows; a deployment of the app rolls no machine."""
    declared = declare({"size": "5"}, recorded=state(), windows=[[WINDOW]], now=JANUARY)
    assert images(declared) == {OLDER}
    assert len(declared.of("LaunchTemplate")) == 2
    assert warnings(declared) == []


@pytest.mark.parametrize(
    ("config", "image"),
    [({"renewWorkers": "true"}, NEWEST), ({"amiId": "ami-0f1a7ca4000000009"}, "ami-0f1a7ca4000000009")],
)
def test_workers_get_the_image_that_is_asked_for(config: Mapping[str, str], image: str) -> None:
    """The newest by renewWorkers, or a certain one."""
    declared = declare({"size": "5", **config}, recorded=state(), now=AUGUST)
    assert images(declared) == {image}
    assert warnings(declared) == []


def test_the_first_workers_get_the_newest_image() -> None:
    """Nobody has one that could stay."""
    assert images(declare({"size": "5"})) == {NEWEST}


def test_an_image_that_soon_cannot_be_launched_is_announced() -> None:
    """Flatcar unpublishes its images after nine months; then the group cannot replace a machine."""
    declared = declare({"size": "5"}, recorded=state(), now=AUGUST)
    (old,) = warnings(declared)
    newest, present = [args for token, args in declared.calls if token.endswith(":getAmi")]
    assert (newest.get("includeDeprecated"), present.get("includeDeprecated")) == (None, True)
    assert f"the workers' image {OLDER} is 212 days old" in old
    assert "`pulumi config set fleetcaptain:renewWorkers true`" in old
    (gone,) = warnings(declare({"size": "5"}, recorded=state(), now=AUGUST, published=False))
    assert f"the workers' image {OLDER} is not published any more" in gone


def test_no_volume_shrinks() -> None:
    """EC2 would refuse it in the middle of the update."""
    assert "`pulumi config set fleetcaptain:etcdVolumeGib 10`" in refused({"etcdVolumeGib": "9"})
    assert len(declare({"etcdVolumeGib": "11"}, recorded=state()).of("Volume")) == 3


def test_all_that_cannot_be_is_in_one_report() -> None:
    """Network, zones, volumes and members; what the app or the stack lacks; and what this computer lacks."""
    config = {"etcdVolumeGib": "9", "network": "10.72.0.0/16", "zones": "eu-west-1a,eu-west-1b", "allowSshFrom": ""}
    with pytest.raises(ClusterRefused, match="Cannot update the cluster") as raised:
        declare(
            {**config, "size": "5", "members": "3"},
            recorded=joining(m4="JoinedMember"),
            ask_client=lambda _settings: ClientFacts(missing=("aws",)),
            tools=Path("none"),
            programs={"etcd": PROGRAMS["etcd"]},
            unmet=["service 'web' has the port 22"],
        )
    assert [line.split(" ")[0] for line in raised.value.problems] == [
        "service",
        "fleetcaptain:network:",
        "fleetcaptain:zones:",
        "Another",
        "fleetcaptain:etcdVolumeGib:",
        "fleetcaptain:members:",
        "etcd:",
        "aws",
    ]


def notes(key: str = "ann", **config: str) -> list[str]:
    """What is said of the settings *config* when members have the key pair *key*."""
    recorded = recorded_in(parts(lambda _: True, key=key), "cluster")
    return notices(read({**CONFIG, **config}.get), recorded, NEWEST)


def test_members_keep_their_key_until_they_are_renewed() -> None:
    """ssh needs both keys then."""
    (text,) = notes(key="bob", renewMember="m2")
    assert "fleetcaptain:keyPair: m1, m3 keep their old key" in text
    assert notes() == []


def test_a_member_that_is_renewed_is_not_to_be_renewed_for_good() -> None:
    """Each new image would replace it."""
    (text,) = notes(renewMember="m2")
    assert "`pulumi config rm fleetcaptain:renewMember`" in text
    assert notes(renewMember="m2", instanceType="m6i.large") == []


FIVE = {"size": "8", "members": "5"}


def joining(**kinds: str) -> Mapping[str, Any]:
    """The state after members of these kinds were made: ``m4="JoinedMember"``."""
    type_ = "pulumi-python:dynamic/fleet:{}"
    more = {
        f"{URN}{type_.format(kind)}::cluster-{member}": {"type": type_.format(kind), "outputs": {}}
        for member, kind in kinds.items()
    }
    volumes = {
        f"{URN}aws:ebs/volume:Volume::cluster-m{number}-etcd": {
            "type": "aws:ebs/volume:Volume",
            "outputs": {"availabilityZone": ZONES[(number - 1) % 3], "size": 10},
        }
        for number in (4, 5)
    }
    return {**state(), **volumes, **more}


WORKERS = ("aws:autoscaling/group:Group", "cluster-workers")


def ready_members(resources: Mapping[str, Any], count: int) -> Mapping[str, Any]:
    """The state *resources*, in which *count* members are ready."""
    kind = "pulumi-python:dynamic/fleet:ClusterReady"
    members = {f"m{number}": "" for number in range(1, count + 1)}
    return {**resources, f"{URN}{kind}::cluster": {"type": kind, "outputs": {"members": members}}}


def depends(declared: FakeEngine, kind: str, member: str) -> set[str]:
    """The resources that the *kind* of *member* waits for, as ``JoinedMember cluster-m4``."""
    urns = [urn.split("::") for urn in declared.requests[kind, f"cluster-{member}"].dependencies]
    return {f"{type_.rpartition(':')[2]} {name}" for *_, type_, name in urns}


def test_members_join_one_after_the_other() -> None:
    """etcd lists each before its machine is launched, and only when the one before it is there."""
    declared = declare(FIVE, recorded=state())
    assert set(declared.of("JoinedMember")) == {"cluster-m4", "cluster-m5"}
    fourth, fifth = (declared.one("JoinedMember", f"cluster-m{number}") for number in (4, 5))
    assert [name for name, _ in fourth["members"]] == ["m1", "m2", "m3", "m4"]
    assert [name for name, _ in fifth["members"]] == ["m1", "m2", "m3", "m4", "m5"]
    assert fifth["connection"]["ssh"] == [f"core@cluster-m{number}.publicIp" for number in (1, 2, 3)]
    assert "JoinedMember cluster-m4" in depends(declared, "Instance", "m4")
    assert "Instance cluster-m4" in depends(declared, "JoinedMember", "m5")
    assert "JoinedMember cluster-m5" in depends(declared, "Instance", "m5")
    states = [declared.one("Instance", f"cluster-m{number}")["userData"] for number in (3, 4)]
    assert ["ETCD_INITIAL_CLUSTER_STATE=existing" in user_data for user_data in states] == [False, True]


@pytest.mark.parametrize("recorded", ["state()", "joining(m4)"])
def test_no_worker_ends_before_the_members_run_that_count_instead(recorded: str) -> None:
    """Size seven has fewer workers than six; also when an update goes on after m4. Later ones need no order."""
    before = {"Instance cluster-m4", "Instance cluster-m5"}
    declared = declare({"size": "7"}, recorded=state() if recorded == "state()" else joining(m4="JoinedMember"))
    assert before <= depends(declared, "Group", "workers")
    five = ready_members(joining(m4="JoinedMember", m5="JoinedMember"), 5)
    assert not before & depends(declare({"size": "7"}, recorded=five), "Group", "workers")


@pytest.mark.parametrize(
    ("workers", "size", "wanted"),
    [
        (3, "7", "the workers go from 3 to 2, because m4, m5 join etcd and count in the size.*from 8 on"),
        (5, "6", "the workers go from 5 to 3. Those that end.*from 7 on"),
        (9, "12", "the workers go from 9 to 7, because.*before members join"),
        (3, "8", ""),
        (3, "5", ""),
        (0, "3", ""),
    ],
)
def test_workers_that_end_at_once_are_announced(workers: int, size: str, wanted: str) -> None:
    """One that ends alone is what was asked for; new members that need no worker's place end none."""
    recorded = recorded_in({**parts(lambda _: True), WORKERS: {"desiredCapacity": workers}}, "cluster")
    found = notices(read({**CONFIG, "size": size}.get), recorded, NEWEST)
    assert len(found) == bool(wanted)
    assert re.search(wanted, "".join(found))


def test_an_update_that_was_cut_off_goes_on() -> None:
    """m4 has joined, m5 has only its volume."""
    assert set(declare(FIVE, recorded=joining(m4="JoinedMember")).of("JoinedMember")) == {"cluster-m4", "cluster-m5"}


@pytest.mark.parametrize("joined", [(), ("m4", "m5")])
def test_members_that_joined_stay_so(joined: tuple[str, ...]) -> None:
    """Later updates keep their place on etcd's list in the state; five that started together have none."""
    names = [f"m{number}" for number in range(1, 6)]
    recorded = RecordedCluster("10.71.0.0/16", ZONES, members=frozenset(names), joined=frozenset(joined))
    assert joined_members(read({**CONFIG, **FIVE}.get), recorded) == joined


def test_members_that_start_together_do_not_join() -> None:
    """A new cluster, and one whose first update was cut off after some volumes."""
    assert declare(FIVE).of("JoinedMember") == {}
    began = {urn: entry for urn, entry in state().items() if "ClusterReady" not in urn}
    assert declare(FIVE, recorded=began).of("JoinedMember") == {}


def test_etcd_does_not_shrink() -> None:
    """How the number of workers changes without it is said."""
    with pytest.raises(ClusterRefused, match="`pulumi config set fleetcaptain:members 5`"):
        declare({"size": "4"}, recorded=ready_members(state(), 5))


def test_a_member_that_joined_stays_also_after_an_update_that_was_cut_off() -> None:
    """etcd lists it: without its machine one more loss would cost the quorum."""
    with pytest.raises(ClusterRefused, match="etcd has 4 members"):
        declare({"size": "8", "members": "3"}, recorded=joining(m4="JoinedMember"))


def test_none_is_renewed_while_others_join() -> None:
    """Two members would be away at once."""
    assert "m4, m5 join etcd" in refused({**FIVE, "renewMember": "m2"})
