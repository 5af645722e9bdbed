"""``captain bind``: a service leaves its data, and nothing else is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fleetcaptain.data.rebinding import rebind
from fleetcaptain.errors import DeadlineExceeded, NotAvailable, RolloutFailed, UnitRefused
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.fleetfile.values import Port
from fleetcaptain.rollout.data_anchors import anchors_on
from fleetcaptain.schedule.window_machines import WINDOWS_GROUP
from tests.fakes.fake_cluster import APP, MACHINES, FakeCluster, text_of
from tests.unit.rollout.test_data_anchors import deploy

DB, ANCHOR = "db@1.service", f"{APP}.data-db.service"
M1, M2, M3 = MACHINES
Volumes = dict[str, tuple[str, ...] | None]


@pytest.fixture
def volumes() -> Volumes:
    """Machine -> its volumes; None if docker fails there."""
    return {}


@pytest.fixture
def cluster(volumes: Volumes) -> FakeCluster:
    """db runs on the first machine; each machine is its own zone."""

    def run(address: str, *_: object) -> str:
        found = volumes.get(address, ())
        return "" if found is None else "".join(f"{name}\n" for name in (*found, "fleetcaptain: these are all"))

    cluster = FakeCluster(zones=True, run=run)
    deploy(cluster)
    bind(cluster, M1)
    cluster.history.clear()
    return cluster


def bind(cluster: FakeCluster, machine: str, *, metadata: dict[str, str] | None = None) -> str:
    """What is said."""
    target = Machine(machine, machine, metadata or {"zone": machine})
    return rebind(cluster, "db", target, lambda _line: None, without_data=True)


def placed(cluster: FakeCluster) -> tuple[str | None, str | None, str]:
    """The machines of the service and of its anchor, and the one that the anchor names."""
    named = anchors_on(cluster.ownership, cluster.snapshot())["db"].machine
    return cluster.units[DB].machine_id, cluster.units[ANCHOR].machine_id, named


def test_the_service_moves_with_its_anchor(cluster: FakeCluster) -> None:
    """The anchor is never gone: without one the next deployment would take any machine."""
    assert f"db stays on {M2} now, with empty volumes" in bind(cluster, M2)
    assert placed(cluster) == (M2, M2, M2)
    assert DB in cluster.runs
    assert f"delete {ANCHOR}" not in cluster.history
    assert "already" in bind(cluster, M2)


@pytest.mark.parametrize("again", [bind, lambda cluster, _machine: deploy(cluster)], ids=["bind", "deploy"])
def test_what_was_interrupted_goes_on(
    cluster: FakeCluster, again: Callable[[FakeCluster, str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the machine that was chosen, by the same command or by the next deployment."""
    plain, waits = cluster._ask, list[str]()

    def ask(name: str, desired: str) -> None:
        if name == ANCHOR and not waits:
            waits.append(desired)
            raise KeyboardInterrupt
        plain(name, desired)  # type: ignore[arg-type]

    monkeypatch.setattr(cluster, "_ask", ask)
    with pytest.raises(KeyboardInterrupt):
        bind(cluster, M2)
    assert waits
    again(cluster, M2)
    assert placed(cluster) == (M2, M2, M2)
    assert DB in cluster.runs


def test_a_machine_that_fleet_does_not_use_is_named(cluster: FakeCluster) -> None:
    """And which machine the service has from now on."""
    cluster.homeless = frozenset({ANCHOR})
    with pytest.raises(DeadlineExceeded, match=rf"(?s)did not .*db is bound to {M2} now"):
        bind(cluster, M2)
    cluster.homeless = frozenset()
    bind(cluster, M2)
    assert placed(cluster) == (M2, M2, M2)


def test_a_machine_without_room_is_refused(cluster: FakeCluster) -> None:
    """Whatever is in the way: a port, a conflict, a rule, a window or older data."""
    deploy(cluster, ports=(Port(5432, 5432),), machine_metadata=(f"zone={M1}", f"zone={M2}"))
    cluster.launch("web@1.service", text_of("web", ports=(Port(5432, 5432),), machine_metadata=(f"zone={M2}",)))
    for machine, metadata, why in (
        (M2, None, "port 5432/tcp is taken by web@1.service"),
        (M3, None, "the rules of db exclude that machine. Remove `machine=`"),
        (M3, dict([WINDOWS_GROUP]), "leaves, with its disk"),
    ):
        with pytest.raises(UnitRefused, match=r"Nothing was changed") as refused:
            bind(cluster, machine, metadata=metadata)
        assert why in str(refused.value)
    assert cluster.history == []


@pytest.mark.parametrize(("found", "why"), [(("data", "other"), "docker volume rm data"), (None, "captain doctor")])
def test_older_data_is_not_started_with(
    cluster: FakeCluster, volumes: Volumes, found: tuple[str, ...] | None, why: str
) -> None:
    """Docker keeps the volumes of a machine on which the service was before."""
    volumes[M2] = found
    with pytest.raises(UnitRefused, match=why):
        bind(cluster, M2)
    assert cluster.history == []
    volumes[M2] = ("other",)
    bind(cluster, M2)
    assert placed(cluster) == (M2, M2, M2)


def test_a_service_with_rules_leaves_a_machine_that_is_lost(cluster: FakeCluster) -> None:
    """No deployment can change the rules before, because its data is away; so it starts with the next one."""
    deploy(cluster, machine_metadata=(f"zone={M1}",))
    cluster._kill(M1)
    for name in (DB, ANCHOR):
        cluster.units[name] = replace(cluster.units[name], machine_id=None)
    with pytest.raises(RolloutFailed, match="captain bind db"):
        deploy(cluster, machine_metadata=(f"zone={M3}",))
    assert "its present rules exclude that machine, so it is down" in bind(cluster, M3)
    deploy(cluster, machine_metadata=(f"zone={M3}",))
    assert placed(cluster) == (M3, M3, M3)
    assert DB in cluster.runs


def test_a_service_without_data_is_bound_to_nothing(cluster: FakeCluster) -> None:
    """The error lists those that are."""
    with pytest.raises(NotAvailable, match=r"'web' has no named volume, and is bound to no machine.*: db\."):
        rebind(cluster, "web", Machine(M2, M2), lambda _line: None, without_data=True)
