"""Whether every instance finds a machine, before the first one stops; and which rule and machine says no."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.fleet.entities import Machine
from fleetcaptain.fleetfile.values import Port
from fleetcaptain.rollout.placement import admits, apart, candidates, misplaced
from fleetcaptain.units.unit_file import Need, UnitFile
from tests.fakes.fake_cluster import text_of

SSD, HDD = (Machine(id_, ip, {"disk": disk}) for id_, ip, disk in (("a", "10.0.0.1", "ssd"), ("b", "10.0.0.2", "hdd")))
BARE = Machine("c", "10.0.0.3")
MACHINES = (SSD, HDD, BARE)
PORT = frozenset({"80/tcp"})


def test_a_units_needs_are_read_from_its_text() -> None:
    """Rules of fleet, and docker's fixed ports; a range is no fixed port."""
    text = text_of(
        "web",
        machine_metadata=("disk=ssd", "disk=nvme", "zone=a"),
        conflicts=("web@*.service",),
        machine_of=("db.service",),
    )
    need = UnitFile.parse(text).needs("web@1.service")
    assert need.metadata == {"disk": frozenset({"ssd", "nvme"}), "zone": frozenset({"a"})}
    assert need.conflicts == ("web@*.service",)
    assert need.machine_of == ("db.service",)
    assert UnitFile.parse("[Service]\nExecStart=docker run -p 80:80 -p 53:53/udp -p 8080-8089:81 i\n").needs(
        "x"
    ).ports == {
        "80/tcp",
        "53/udp",
    }
    assert UnitFile.parse("[X-Fleet]\nMachineID=%i\n").needs("web@abc.service").machine_id == "abc"
    old = UnitFile.parse("[X-Fleet]\nX-Conflicts=%p@*\nX-ConditionMachineMetadata=a=%i\n").needs("web@2.service")
    assert (old.conflicts, old.metadata) == (("web@*",), {"a": frozenset({"2"})})


@pytest.mark.parametrize("address", [None, "127.0.0.1", "::1", "::ffff:10.0.0.1"])
@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
def test_a_fixed_port_is_taken_at_any_address(address: str | None, protocol: str) -> None:
    """Of each protocol that docker publishes."""
    text = text_of("web", ports=(Port(80, 8080, protocol=protocol, address=address),))
    assert UnitFile.parse(text).needs("web@1.service").ports == {f"8080/{protocol}"}


def test_the_ports_of_a_container_in_the_machines_network_are_taken() -> None:
    """docker publishes none there; they are named. What is only exposed in another network is not taken."""
    ports = (Port(80, 80), Port(53, 53, protocol="udp"), Port(99, 99, protocol="sctp"))
    host = text_of("web", docker_args=("--net=host",), ports=ports)
    assert UnitFile.parse(host).needs("web@1.service").ports == {"80/tcp", "53/udp", "99/sctp"}
    named = text_of("web", docker_args=("--network", "name=host"), ports=ports)
    assert UnitFile.parse(named).needs("web@1.service").ports == {"80/tcp", "53/udp", "99/sctp"}
    other = text_of("web", command=("serve", "--net", "host"), ports=(Port(80, 8080),))
    assert UnitFile.parse(other).needs("web@1.service").ports == {"8080/tcp"}
    assert UnitFile.parse(text_of("web", docker_args=("--expose=80",))).needs("web@1.service").ports == frozenset()


def test_values_of_one_key_are_alternatives_and_keys_must_all_fit() -> None:
    """fleet's rule."""
    text = text_of("web", machine_metadata=("disk=ssd", "disk=hdd"))
    assert [admits("x@1.service", UnitFile.parse(text), machine) for machine in MACHINES] == [True, True, False]
    assert not admits("x@1.service", UnitFile.parse(text_of("web", machine_metadata=("disk=ssd", "zone=a"))), SSD)


@pytest.mark.parametrize(
    ("need", "says"),
    [
        (Need("w", metadata={"disk": frozenset({"nvme"})}), "10.0.0.1: .*disk=ssd"),
        (Need("w", machine_id="zzz"), "10.0.0.1: .*zzz"),
        (Need("w", machine_of=("db",)), "10.0.0.1: MachineOf requires the machine of db"),
    ],
)
def test_an_instance_that_fits_nowhere_is_named_with_each_machines_reason(need: Need, says: str) -> None:
    """fleet itself would wait for ever and say nothing."""
    why = misplaced([need], {"db": (Need("db"), "elsewhere")}, MACHINES)
    assert why.startswith("no machine can take w: ")
    assert re.search(says, why)


def test_more_instances_than_machines_with_a_port_of_their_own_do_not_fit() -> None:
    """Four on three."""
    needs = [Need(f"web@{number}", ports=PORT) for number in range(4)]
    assert misplaced(needs[:3], {}, MACHINES) == ""
    assert "4 instances do not fit on 3 machines" in misplaced(needs, {}, MACHINES)
    assert "a free port" in misplaced(needs, {}, MACHINES)


def test_what_others_hold_is_held() -> None:
    """A port that another service has, and a conflict that another service declares."""
    held = {"old": (Need("old", ports=PORT), "a"), "lone": (Need("lone", conflicts=("web@*",)), "b")}
    why = misplaced([Need("web@1", ports=PORT), Need("web@2", ports=PORT)], held, MACHINES)
    assert "do not fit" in why
    assert misplaced([Need("web@1", ports=PORT)], held, MACHINES) == ""


def test_a_cluster_that_shows_no_machines_refuses_nothing() -> None:
    """That is a fault of the cluster, not of the release."""
    assert misplaced([Need("w", machine_id="z")], {}, ()) == ""


def test_images_are_fetched_only_where_an_instance_may_come() -> None:
    """By metadata and id."""
    assert candidates([Need("w", metadata={"disk": frozenset({"ssd"})}), Need("v", machine_id="b")], MACHINES) == (
        SSD,
        HDD,
    )


@given(
    ports=st.lists(st.sets(st.sampled_from(["1/tcp", "2/tcp", "3/tcp"]), max_size=2), max_size=6),
    pinned=st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=6, max_size=6),
)
def test_it_says_no_exactly_when_no_way_of_placing_them_works(ports: list[set[str]], pinned: list[str]) -> None:
    """Against trying every way."""
    needs = [Need(f"n{i}", machine_id=pinned[i], ports=frozenset(some)) for i, some in enumerate(ports)]

    def fits(index: int, taken: dict[str, frozenset[str]]) -> bool:
        if index == len(needs):
            return True
        need = needs[index]
        return any(
            fits(index + 1, {**taken, machine.id: taken.get(machine.id, frozenset()) | need.ports})
            for machine in MACHINES
            if need.machine_id in ("", machine.id) and not taken.get(machine.id, frozenset()) & need.ports
        )

    assert (misplaced(needs, {}, MACHINES) == "") == fits(0, {})


LONG = tuple(Machine(f"{head}{'0' * 24}", f"10.0.1.{number}") for number, head in enumerate(("75d3f2e8", "0a1b2c3d")))


@pytest.mark.parametrize(
    ("machine_id", "fits"),
    [
        ("75d3f2e8", True),
        (LONG[0].id, True),
        ("75d3f2", False),
        ("75d3f2e80", False),
        ("75D3F2E8", False),
    ],
)
def test_a_machine_is_called_by_its_id_or_the_first_eight_digits(machine_id: str, fits: bool) -> None:
    """As fleet compares them, and fleetctl shows them; the error shows both."""
    why = misplaced([Need("w", machine_id=machine_id)], {}, LONG)
    assert (why == "") == fits
    assert fits or f"MachineID requires {machine_id}, not {LONG[0].id}" in why


def test_a_short_id_of_two_machines_is_refused() -> None:
    """fleet would take either."""
    twin = Machine(f"75d3f2e8{'1' * 24}", "10.0.1.9")
    why = misplaced([Need("w", machine_id="75d3f2e8")], {}, (*LONG, twin))
    assert f"which matches {LONG[0].id} and {twin.id}. Write the whole id" in why
    assert misplaced([Need("w", machine_id=twin.id)], {}, (*LONG, twin)) == ""


@pytest.mark.parametrize(
    ("glob", "name", "conflict"),
    [
        ("db@[^2].service", "db@1.service", True),
        ("db@[^2].service", "db@2.service", False),
        ("db@[!2].service", "db@2.service", True),
        ("db@[!2].service", "db@1.service", False),
        ("dev-a\\\\x2db.service", "dev-a\\x2db.service", True),
        ("dev-a\\x2db.service", "dev-a\\x2db.service", False),
        ("db@[a-", "db@[a-", False),
        ("db@?.service", "db@1.service", True),
        ("DB@*", "db@1.service", False),
    ],
)
def test_conflicts_are_matched_as_fleet_matches_them(glob: str, name: str, conflict: bool) -> None:
    """By Go's path.Match, whose sets, escapes and mistakes differ from a shell's."""
    assert apart(Need("web@1.service", conflicts=(glob,)), Need(name)) is conflict


def test_a_machine_that_lacks_metadata_is_shown_with_what_it_has() -> None:
    """So that a misspelled key, or a machine without metadata, shows."""
    needs = [UnitFile.parse("[X-Fleet]\nMachineMetadata=name=m1\n").needs("db@1.service")]
    machines = (Machine("a" * 32, "10.0.0.1", {"zone": "a", "disk": "ssd"}), Machine("b" * 32, "10.0.0.2", {}))
    assert misplaced(needs, {}, machines) == (
        "no machine can take db@1.service: "
        "10.0.0.1: MachineMetadata requires name=m1, it has no name, but disk=ssd, zone=a; "
        "10.0.0.2: MachineMetadata requires name=m1, it has no name"
    )
