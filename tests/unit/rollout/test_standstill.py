"""Why a unit stands still, from what its machine says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.errors import DeadlineExceeded, RolloutFailed
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.observe import observe
from fleetcaptain.rollout.release_gate import open_gate
from fleetcaptain.rollout.standstill import events_in, why_it_stands_still
from fleetcaptain.rollout.strategies.rolling import install, roll
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash

STARTING, STARTED = "7d4958e842da4a758f6c1cdc7b36dcc5", "39f53479d3a045ac8e11786248231fbf"
STOPPING, STOPPED = "de5b426a63be47a7b6ac3eaac82e2f6f", "9d1aaa27d60140bd96365438aad20286"
ENDED, SKIPPED = "7ad2d189f7e94e70a38c781354912448", "0e4284a0caca4bfc81c0bb6786972673"
START_FAILED = "be02cf6855d2428ba40df7e9d022f03d"
SIDE = "[Unit]\nBindsTo=web@1.service\nAfter=web@1.service\nConditionPathExists=/a\n[Service]\nRestart=on-failure\n"
PLAIN = "[Service]\nExecStart=/bin/true\n"


def journal(*ids: str, **fields: str) -> str:
    """systemd's messages as journalctl prints them; *fields* are those of the last one."""
    lines = [{"MESSAGE_ID": id_, "__CURSOR": "s=1"} for id_ in ids]
    lines[-1] |= fields
    return "\n".join(map(json.dumps, lines))


@pytest.mark.parametrize(
    ("said", "events"),
    [
        (journal(STARTING, STARTED, ENDED), ("starting", "started", "ended")),
        (journal(STARTED, STOPPING, ENDED, STOPPED), ("started", "stopped", "ended", "stopped")),
        (journal(SKIPPED), ("skipped",)),
        (journal(START_FAILED, JOB_RESULT="dependency"), ("dependency",)),
        (journal(START_FAILED, JOB_RESULT="assert"), ("assert",)),
        (journal(START_FAILED, JOB_RESULT="failed"), ()),
        ('{"MESSAGE_ID": ["a"]}\n{"MESSAGE": "x"}\nnot json\n[]\n{"MESSAGE_ID": null}\n', ()),
        ("", ()),
    ],
)
def test_events_are_systemds_own_messages(said: str, events: tuple[str, ...]) -> None:
    """Known by their ids; whatever else the journal has is ignored."""
    assert events_in(said) == events


@pytest.mark.parametrize(
    ("facts", "events", "why"),
    [
        ({"LoadState": "bad-setting"}, (), "could not load its unit file (bad-setting)"),
        ({"LoadState": "loaded", "Job": "17"}, ("started", "ended"), "its start waits for another unit"),
        ({}, ("started",), "a condition is not met (ConditionPathExists=/a)"),
        ({}, ("starting", "started", "stopped", "ended", "stopped", "started"), "a condition is not met"),
        ({}, ("starting", "started", "ended", "started"), "a condition is not met (ConditionPathExists=/a)"),
        ({}, ("starting", "skipped", "started"), "a condition is not met (ConditionPathExists=/a)"),
        ({}, ("starting", "started", "stopped", "assert"), "an assertion is not met"),
        ({}, ("starting", "stopped", "dependency"), "that it needs did not start (BindsTo=web@1.service)"),
        ({}, ("starting", "started", "stopped", "ended", "stopped"), "it was stopped on its machine, or with a unit"),
        ({}, ("stopped", "starting", "started", "ended"), "exited successfully, and Restart=on-failure does not"),
        ({}, ("stopped", "starting", "ended", "started"), "exited successfully, and Restart=on-failure does not"),
        (
            {},
            ("stopped", "started", "ended"),
            "exited successfully, and Restart=on-failure does not restart it. Remove",
        ),
        ({}, ("ended",), 'set service={"Type": "oneshot"} if it is a task that ends'),
        ({"LoadState": "loaded", "Job": ""}, (), "never started it on that machine; a unit that it needs may be"),
    ],
)
def test_each_reason_is_distinguished(facts: dict[str, str], events: tuple[str, ...], why: str) -> None:
    """By what happened since the last start, and with the lines of the unit that matter."""
    assert why in why_it_stands_still(facts, events, UnitFile.parse(SIDE))


@pytest.mark.parametrize(
    ("facts", "events", "text"),
    [({}, (), SIDE), ({"LoadState": "loaded"}, (), PLAIN), ({"LoadState": "loaded"}, ("starting", "started"), PLAIN)],
)
def test_what_nothing_tells_is_not_guessed(facts: dict[str, str], events: tuple[str, ...], text: str) -> None:
    """The state and the journal are shown anyway. Without facts the machine could not be reached."""
    assert why_it_stands_still(facts, events, UnitFile.parse(text)) == ""


def test_a_unit_that_nothing_binds_was_stopped_on_its_machine() -> None:
    """There is no other way; and no Restart= is Restart=no."""
    plain = UnitFile.parse(PLAIN)
    assert why_it_stands_still({}, ("started", "stopped"), plain) == "it was stopped on its machine"
    assert "Restart=no does not" in why_it_stands_still({}, ("started", "ended"), plain)


JOB = text_of("job", service=(("Restart", "on-failure"),))


def on_machine(_address: str, argv: list[str], _timeout_sec: float, _text: str = "") -> str:
    """A machine on which the unit ended well."""
    if argv[0] == "systemctl":
        return "LoadState=loaded\nResult=success\nJob=\n"
    return journal(STARTING, STARTED, ENDED) if "_PID=1" in argv else "the container's own line"


class EndsAtOnce(FakeCluster):
    """A cluster on which each unit ends well as soon as it has started."""

    def _reach(self, name: str) -> None:
        super()._reach(name)
        if name in self.runs:
            self.halt(name)


def test_the_gate_names_what_stands_still_and_why() -> None:
    """Each unit, on its own line."""
    cluster = FakeCluster(run=on_machine)
    for name in ("job@1.service", "job@2.service"):
        cluster.launch(name, JOB)
        cluster.halt(name)
    with pytest.raises(DeadlineExceeded) as failure:
        open_gate(cluster, Release("v1", {"job": ServiceRelease(unit_hash(JOB), 2)}), -1)
    said = str(failure.value)
    for name, machine in (("job@1.service", "10.0.0.1"), ("job@2.service", "10.0.0.2")):
        assert f"  {name} on {machine}: inactive/dead, not registered: its command exited successfully" in said
    assert "the container's own line" in said


def test_the_gate_says_why_an_alive_check_fails() -> None:
    """The instance runs, but no lookup returns it."""
    text = text_of("job")
    cluster = FakeCluster({"job@1.service": text})
    key = "/fleetcaptain/shop/services/job/job@1.service"
    cluster.etcd.put(key, json.dumps({**cluster.etcd.value(key), "draining": True, "failing": "no answer"}))
    with pytest.raises(
        DeadlineExceeded, match=r"job@1\.service on .*: active/running, its alive check fails: no answer"
    ):
        open_gate(cluster, Release("v1", {"job": ServiceRelease(unit_hash(text), 1)}), -1)


def test_the_gate_says_why_no_machine_takes_a_unit() -> None:
    """In the words of the placement."""
    text = text_of("job", machine_metadata=("disk=ssd",))
    cluster = FakeCluster(homeless=("job@1.service",))
    cluster.launch("job@1.service", text)
    with pytest.raises(DeadlineExceeded, match=r"job@1\.service on no machine: .*, not registered: .*disk=ssd"):
        open_gate(cluster, Release("v1", {"job": ServiceRelease(unit_hash(text), 1)}), -1)


def test_a_rollout_that_fails_says_why_its_unit_stands_still() -> None:
    """It was started once more before."""
    cluster = EndsAtOnce(run=on_machine)
    with pytest.raises(RolloutFailed) as failure:
        install(
            Driver(cluster), Target("job", ("job@1.service",), UnitFile.parse(JOB)), Policy(healthy_deadline_sec=40)
        )
    assert "not healthy within 40 s: systemd says inactive/dead: its command exited successfully, and Restart=" in str(
        failure.value
    )
    assert cluster.history == ["put job@1.service", "loaded job@1.service", "put job@1.service"]


def test_a_repair_that_fails_has_no_text_to_go_back_to() -> None:
    """It says so, instead of trying the same text again."""
    cluster = EndsAtOnce(run=on_machine)
    cluster.launch("job@1.service", JOB)
    with pytest.raises(RolloutFailed, match="Its units already had this text, so there is none to roll back to"):
        roll(
            Driver(cluster),
            Target("job", ("job@1.service",), UnitFile.parse(JOB)),
            Policy(healthy_deadline_sec=40),
            auto_revert=True,
        )
    assert cluster.history.count("put job@1.service") == 2


def test_an_instance_that_runs_or_failed_does_not_stand_still() -> None:
    """Nor does one that fleet was asked to stop, or has not started yet."""
    cluster = FakeCluster({"job@1.service": JOB})
    running = observe("job@1.service", cluster.snapshot())
    cluster.halt("job@1.service")
    still = observe("job@1.service", cluster.snapshot())
    assert (running.halted, still.halted) == (False, True)
    for other in (
        replace(still, active="failed"),
        replace(still, active="activating"),
        replace(still, desired="loaded"),
        replace(still, current="loaded"),
        replace(still, running=None),
        replace(still, running="another"),
    ):
        assert not other.halted
