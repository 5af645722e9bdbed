"""Which machines of a local cluster start at once, and which have to wait for etcd's members."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from fleetcaptain.errors import QuorumLost
from fleetcaptain.localcluster.layout import Layout, member_names
from fleetcaptain.localcluster.local_reconcile import BootPlan, boot
from fleetcaptain.localcluster.machines import machine_config
from tests.unit.components.deployed import LOCAL

THREE = ("m1", "m2", "m3")
LAYOUT = Layout("shop/dev/1", 4, "10.70.1.0/24", 25000, Path("/home"), "machine:1", Path("/tools"))
RUN = dict.fromkeys(("m1", "m2", "m3", "m4"), "running")


def test_a_new_cluster_starts_all_its_machines_at_once() -> None:
    """So do one that was killed while it was made, and one of which nothing is left."""
    everything = BootPlan(("m1", "m2", "m3", "m4"), (), fresh=True)
    assert boot(LAYOUT, {}, (), ()) == everything
    assert boot(LAYOUT, {"m1": "created"}, ("m1",), ()) == everything
    assert boot(LAYOUT, {}, (), THREE) == everything


def test_after_a_reboot_the_members_start_at_once() -> None:
    """The others when there is an etcd."""
    assert boot(LAYOUT, dict.fromkeys(RUN, "exited"), THREE, THREE) == BootPlan(THREE, (), fresh=False)


def test_a_member_without_its_data_waits_until_it_is_on_the_list_anew() -> None:
    """A container that is gone alone is made again at once."""
    status = dict.fromkeys(("m1", "m3"), "running")
    assert boot(LAYOUT, status, ("m1", "m3"), THREE) == BootPlan((), (), fresh=False)
    assert boot(LAYOUT, status, THREE, THREE) == BootPlan(("m2",), (), fresh=False)


def test_members_that_are_about_to_leave_start_as_they_are() -> None:
    """The others need them to decide that they may go."""
    small = replace(LAYOUT, size=2)
    assert boot(small, dict.fromkeys(THREE, "exited"), THREE, THREE) == BootPlan(("m1",), ("m2", "m3"), fresh=False)


def test_without_a_quorum_nothing_starts() -> None:
    """Nor is anything made."""
    with pytest.raises(QuorumLost):
        boot(LAYOUT, {"m1": "running"}, ("m1",), THREE)


def test_a_member_that_joins_knows_those_that_are_there() -> None:
    """And itself; the next one is not on the list yet."""
    joining = machine_config(LAYOUT, "m2", "key", {}, LAYOUT.members[:2])
    assert (joining.etcd_state, [member.name for member in joining.members]) == ("existing", ["m1", "m2"])
    assert machine_config(LAYOUT, "m2", "key", {}).etcd_state == "new"


@pytest.mark.parametrize(
    ("running", "size", "found"),
    [
        (None, 3, Presence.GONE),
        ((), 3, Presence.STOPPED),
        (("m1", "m4"), 4, Presence.STOPPED),
        (("m1", "m3"), 4, Presence.THERE),
        (("m1",), 2, Presence.THERE),
        (("m2",), 2, Presence.STOPPED),
    ],
)
def test_a_cluster_without_a_quorum_is_as_good_as_stopped(
    running: tuple[str, ...] | None, size: int, found: Presence, docker_machines: SimpleNamespace
) -> None:
    """Then an up starts it, instead of failing at the first question."""
    docker_machines.running = None if running is None else frozenset(running)
    assert handle_of({**LOCAL, "ssh": ["core@a"] * size}).presence() is found


def test_three_machines_or_one_are_members() -> None:
    """As in the layout."""
    assert {member.name for member in LAYOUT.members} == member_names(4)
    assert member_names(2) == {"m1"}
