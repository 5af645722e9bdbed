"""Records of rollouts, as a rollout writes them."""

from __future__ import annotations

from fleetcaptain.history.rollout_record import InstanceRecord, RolloutRecord

__all__ = ["DONE", "FAILED", "KILLED"]

DONE = RolloutRecord(
    service="web",
    who="ann@laptop",
    since="2030-01-02T03:04:05+00:00",
    before=("a" * 40,),
    to="b" * 40,
    state="done",
    until="2030-01-02T03:04:45+00:00",
    seconds=40.0,
    strategy="rolling",
    release="v2",
    wanted=2,
    instances={
        "web@1.service": InstanceRecord(
            "10.0.0.1",
            ((0.0, "old"), (1.0, "stopping"), (4.0, "stopped"), (6.0, "starting"), (10.0, "ready"), (20.0, "done")),
        ),
        "web@2.service": InstanceRecord(
            "10.0.0.2", ((0.0, "old"), (20.0, "stopped"), (25.0, "starting"), (30.0, "ready"), (40.0, "done"))
        ),
    },
    serving=((0.0, 2), (1.0, 1), (10.0, 2), (20.0, 1), (30.0, 2)),
)
FAILED = RolloutRecord(
    service="db",
    who="bob@ci",
    since="2030-01-02T03:05:00+00:00",
    before=("c" * 40,),
    to="d" * 40,
    state="rolled back",
    until="2030-01-02T03:06:30+00:00",
    seconds=90.0,
    strategy="rolling",
    release="v2",
    error="db@1.service on 10.0.0.1: systemd says that it failed (result exit-code, exit code 1)",
    wanted=1,
    instances={
        "db@1.service": InstanceRecord("10.0.0.1", ((0.0, "old"), (1.0, "stopped"), (30.0, "failed"), (60.0, "old")))
    },
    serving=((0.0, 1), (1.0, 0), (60.0, 1)),
)
KILLED = RolloutRecord(
    "web", "ann@laptop", "2030-01-01T00:00:00+00:00", ("0" * 40,), "a" * 40, "interrupted", release="v1"
)
