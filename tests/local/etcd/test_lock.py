"""One rollout of a service at a time, and the journal that says who does what, in a real etcd."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import lock_key, rollout_key
from fleetcaptain.errors import Interrupted, Locked, RolloutFailed
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.journal import JournalEntry, ensure_free, guarded, journal_of
from fleetcaptain.rollout.lock import AGENT, LOCK_TTL_SEC, Lock, Owner, is_dead, this_process
from fleetcaptain.units.mark import Mark, mark_options
from fleetcaptain.units.unit_text import serialize
from fleetcaptain.untrusted import readable
from tests.fakes.fake_cluster import STACK, FakeCluster
from tests.programs import program


@pytest.fixture
def cluster(etcd_url: str, request: pytest.FixtureRequest) -> FakeCluster:
    """A cluster of which only etcd is real; each test uses an app of its own in it."""
    cluster = FakeCluster(app=request.node.name)
    cluster.store = EtcdStore(lambda: etcd_url)
    return cluster


def elsewhere() -> Owner:
    """A process of another computer."""
    return replace(this_process(), who="ann@laptop", place="another boot")


def lock(cluster: Cluster, owner: Owner) -> Lock:
    """The lock of the service web, for *owner*."""
    return Lock(cluster.store, lock_key(cluster.app, "web"), owner, "web")


def mute(_line: str) -> None:
    """Nobody listens."""


def test_a_second_rollout_is_refused_while_the_first_renews(cluster: Cluster) -> None:
    """It is told who, and touches nothing."""
    first = lock(cluster, elsewhere())
    first.acquire(lambda _seconds: None, mute)
    with pytest.raises(Locked, match=r"web is being rolled out by ann@laptop since .* Nothing was changed"):
        lock(cluster, this_process()).acquire(lambda _seconds: first.renew(), mute)
    first.release()
    lock(cluster, this_process()).acquire(lambda _seconds: None, mute)


def test_who_only_asks_is_told_too_and_keeps_nothing(cluster: Cluster) -> None:
    """Before it judges what a service looks like."""
    ensure_free(cluster, "web", mute)
    assert cluster.store.read(lock_key(cluster.app, "web")) is None
    first = lock(cluster, elsewhere())
    first.acquire(_no_wait, mute)
    cluster.sleep = lambda _seconds: first.renew()
    with pytest.raises(Locked, match="ann@laptop"):
        ensure_free(cluster, "web", mute)


def test_a_lock_that_nobody_renews_is_waited_for(cluster: Cluster) -> None:
    """Of a process elsewhere nothing is known, so its time has to pass."""
    cluster.store.write(lock_key(cluster.app, "web"), elsewhere().to_json())
    said: list[str] = []
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            cluster.store.delete(lock_key(cluster.app, "web"))

    lock(cluster, this_process()).acquire(sleep, said.append)
    assert said == ["ann@laptop seems to have stopped during a rollout; waiting for its lock to expire"]


def test_a_lock_without_a_lifetime_is_not_waited_for_without_end(cluster: Cluster, etcd_url: str) -> None:
    """After two lifetimes the error names the key, and a command that removes this very lock."""
    key = lock_key(cluster.app, "web")
    cluster.store.write(key, elsewhere().to_json())
    pauses: list[float] = []
    with pytest.raises(Locked, match=f"the lock {re.escape(key)} of ann@laptop .* Nothing was changed") as refused:
        lock(cluster, this_process()).acquire(pauses.append, mute)
    assert sum(pauses) == 2 * LOCK_TTL_SEC
    command = str(refused.value).split("`")[1].replace("http://127.0.0.1:2379", etcd_url)
    subprocess.run(["sh", "-c", command.replace("curl", f"{program('curl')} -fsS", 1)], check=True, capture_output=True)
    assert cluster.store.read(key) is None


def agent(address: str) -> Owner:
    """The machine agent of another machine."""
    return replace(this_process(), who=f"{AGENT}{address}", place="another boot")


def test_agents_that_set_the_units_of_a_window_are_waited_for(cluster: Cluster) -> None:
    """One that renews its lock, and another that has it then. It is said once."""
    first, second = lock(cluster, agent("10.0.0.1")), lock(cluster, agent("10.0.0.2"))
    first.acquire(_no_wait, mute)
    said: list[str] = []
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) < 20:
            first.renew()
        elif len(pauses) == 20:
            first.release()
            second.acquire(_no_wait, mute)
        elif len(pauses) == 40:
            second.release()

    lock(cluster, this_process()).acquire(sleep, said.append)
    assert said == ["waiting until the machine agent of 10.0.0.1 has opened or closed a window"]
    assert len(pauses) == 40


def test_agents_that_are_never_done_are_not_waited_for_without_end(cluster: Cluster) -> None:
    """The error says where the reason is."""
    first = lock(cluster, agent("10.0.0.1"))
    first.acquire(_no_wait, mute)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        first.renew()

    says = r"web: machine agents have .* for 120 s, at last the machine agent of 10\.0\.0\.1\. Nothing was changed"
    with pytest.raises(Locked, match=says):
        lock(cluster, this_process()).acquire(sleep, mute)
    assert sum(pauses) == 120


def test_a_rollout_that_comes_after_an_agent_is_not_waited_for(cluster: Cluster) -> None:
    """It was quicker."""
    first, second = lock(cluster, agent("10.0.0.1")), lock(cluster, elsewhere())
    first.acquire(_no_wait, mute)

    def sleep(_seconds: float) -> None:
        first.release()
        second.acquire(_no_wait, mute)

    with pytest.raises(Locked, match="web is being rolled out by ann@laptop since"):
        lock(cluster, this_process()).acquire(sleep, mute)


def test_a_lock_of_an_agent_that_ended_expires(cluster: Cluster) -> None:
    """Without a lifetime it is none of an agent's."""
    cluster.store.write(lock_key(cluster.app, "web"), agent("10.0.0.1").to_json())
    pauses: list[float] = []
    with pytest.raises(Locked, match="did not expire"):
        lock(cluster, this_process()).acquire(pauses.append, mute)
    assert sum(pauses) == 2 * LOCK_TTL_SEC


@pytest.mark.parametrize("text", ["", "note", "[1]", '{"who": 5}'])
def test_a_lock_that_is_no_owner_is_not_waited_for_without_end_either(cluster: Cluster, text: str) -> None:
    """Whatever is at the key."""
    cluster.store.write(lock_key(cluster.app, "web"), text)
    with pytest.raises(Locked, match="did not expire"):
        lock(cluster, this_process()).acquire(lambda _seconds: None, mute)


def test_a_wait_for_a_lock_ends_when_it_is_asked_to(cluster: Cluster) -> None:
    """As by ^C; the lock stays whose it was."""
    owner = elsewhere().to_json()
    cluster.store.write(lock_key(cluster.app, "web"), owner)
    pauses: list[float] = []
    cluster.sleep = pauses.append
    with (
        pytest.raises(Interrupted, match=r"web: stopped on request while waiting .* Nothing was changed"),
        guarded(cluster, "web", "new", mute, stopping=lambda: len(pauses) == 3),
    ):
        pass
    assert len(pauses) == 3
    node = cluster.store.read(lock_key(cluster.app, "web"))
    assert node is not None
    assert node.value == owner


def test_a_dead_process_of_this_computer_is_not_waited_for(cluster: Cluster) -> None:
    """It is known to be dead."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = replace(this_process(), pid=process.pid, started=started(process.pid))
        assert not is_dead(owner)
    assert is_dead(owner)
    cluster.store.write(lock_key(cluster.app, "web"), owner.to_json())
    lock(cluster, this_process()).acquire(_no_wait, mute)


def test_another_process_with_the_same_id_is_not_the_dead_one() -> None:
    """Ids are given again."""
    assert is_dead(replace(this_process(), pid=os.getpid(), started="0"))


def test_who_lost_the_lock_may_touch_nothing_more(cluster: Cluster) -> None:
    """The fence is the comparison in etcd, not the clock."""
    mine = lock(cluster, this_process())
    mine.acquire(_no_wait, mute)
    cluster.store.write(lock_key(cluster.app, "web"), elsewhere().to_json())
    with pytest.raises(Locked, match="ann@laptop took over the rollout"):
        mine.renew()
    mine.release()
    assert cluster.store.read(lock_key(cluster.app, "web")) is not None


def test_a_lock_that_expired_is_taken_again_if_nobody_came(cluster: Cluster) -> None:
    """As after half a minute without a quorum."""
    mine = lock(cluster, this_process())
    mine.acquire(_no_wait, mute)
    cluster.store.delete(lock_key(cluster.app, "web"))
    mine.renew()
    assert cluster.store.read(lock_key(cluster.app, "web")) is not None


@pytest.mark.parametrize(
    ("error", "state"), [(None, "done"), (RolloutFailed("why"), "failed"), (Interrupted("asked to"), "interrupted")]
)
def test_the_journal_says_how_it_ended(cluster: FakeCluster, error: Exception | None, state: str) -> None:
    """From what to what, by whom; the lock is free again."""
    cluster.launch("web@1.service", serialize(mark_options(Mark(cluster.app, STACK, "web"))))
    try:
        with guarded(cluster, "web", "new", mute) as (fenced, _):
            during = journal_of(cluster, "web")
            fenced.sleep(1)
            if error:
                raise error
    except (RolloutFailed, Interrupted):
        pass
    after = journal_of(cluster, "web")
    assert during is not None
    assert after is not None
    assert (during.state, during.before, during.to) == ("rolling", (cluster.units["web@1.service"].unit_hash,), "new")
    assert (after.state, after.error) == (state, str(error or ""))
    assert cluster.store.read(lock_key(cluster.app, "web")) is None


@pytest.mark.parametrize(("to", "says"), [("new", "resuming it"), ("old", "replacing it with the new target")])
def test_a_rollout_that_was_cut_off_is_told_to_the_next(cluster: Cluster, to: str, says: str) -> None:
    """Whoever it was."""
    entry = JournalEntry("ann@laptop", "2030-01-01T00:00:00+00:00", ("old",), "new", "rolling")
    cluster.store.write(rollout_key(cluster.app, "web"), entry.to_json())
    said: list[str] = []
    with guarded(cluster, "web", to, said.append):
        pass
    assert said == [f"the rollout that ann@laptop began at 2030-01-01T00:00:00+00:00 was interrupted; {says}"]


def test_what_is_no_journal_is_none() -> None:
    """Another version's, or somebody's note, stops no rollout."""
    assert readable(JournalEntry.from_json, "{}") is None
    assert readable(JournalEntry.from_json, "note") is None
    assert readable(Owner.from_json, "note") is None


def started(pid: int) -> str:
    """When the kernel says that it was."""
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[19]


def _no_wait(_seconds: float) -> None:
    raise AssertionError("nothing to wait for")
