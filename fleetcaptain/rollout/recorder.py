"""Records a rollout while it runs: what its snapshots show of each instance, and how many serve. Pure, but for
`Recorder`, which holds the value of one rollout."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from fleetcaptain.history.rollout_record import InstanceRecord, State
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.observe import Snapshot, instances_of, is_fleet_global, observe, rows_of
from fleetcaptain.units.mark import Ownership

__all__ = ["Recorder", "Recording", "noted", "state_of", "with_done"]

_SERVING = (State.OLD, State.READY, State.DONE)
# An instance that fails and starts for ten minutes must not fill the memory, or the record.
_MOST_STATES = 40
_MOST_POINTS = 400


@dataclass(frozen=True)
class Recording:
    """What is known of a rollout of *service* to the text *to* (SHA1), which began at the second *began* of any clock:
    its *instances*, and how many of them were *serving* since which second."""

    service: str
    to: str
    began: float
    instances: Mapping[str, InstanceRecord] = field(default_factory=dict)
    serving: tuple[tuple[float, int], ...] = ()


def state_of(instance: Instance, to: str, *, draining: bool = False, registers: bool = True) -> str:
    """The `State` of *instance* in a rollout to the text *to*. *draining*: its registration says so. *registers*: it
    has a registration when it serves; units that fleet starts on all machines have none."""
    if instance.unit_hash is None and instance.running is None:
        return State.REMOVED
    if instance.unit_hash is None or (instance.running is not None and instance.running != instance.unit_hash):
        return State.STOPPING
    runs = instance.running is not None and instance.active == "active" and instance.desired == "launched"
    if instance.serving or (runs and not registers):
        return State.READY if instance.unit_hash == to else State.OLD
    return _out_of_discovery(instance, draining=draining and instance.unit_hash != to)


def _out_of_discovery(instance: Instance, *, draining: bool) -> str:
    if instance.active == "failed":
        return State.FAILED
    if instance.desired != "launched" or instance.active in ("", "inactive", "deactivating"):
        return State.STOPPED
    return State.DRAINING if draining else State.STARTING


def noted(recording: Recording, ownership: Ownership, snapshot: Snapshot, now: float) -> Recording:
    """*recording* with what *snapshot* shows at *now*. A state is recorded when it differs from the one before."""
    at = round(max(0.0, now - recording.began), 1)
    names = {*recording.instances, *instances_of(ownership, recording.service, snapshot)}
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(names):
        unit = snapshot.units.get(name)
        if unit is not None and "@" not in name and is_fleet_global(unit):
            rows = rows_of(name, snapshot, unit.file)
            found |= {
                str(row.machine): (str(row.machine), state_of(row, recording.to, registers=False)) for row in rows
            }
        elif unit is not None or name.endswith(".service"):
            instance = observe(name, snapshot)
            entry = snapshot.registrations.get(name)
            state = state_of(instance, recording.to, draining=bool(entry and entry.withdrawn))
            found[name] = (instance.machine or "", state)
        else:
            found[name] = (name, State.REMOVED)  # a machine of a global unit that is gone
    instances = dict(recording.instances)
    for name, (machine, state) in found.items():
        instances[name] = _with_state(instances.get(name, InstanceRecord()), machine, state, at)
    number = sum(one.states[-1][1] in _SERVING for one in instances.values() if one.states)
    serving = recording.serving
    if not serving or (serving[-1][1] != number and len(serving) < _MOST_POINTS):
        serving = (*serving, (at, number))
    return replace(recording, instances=instances, serving=serving)


def with_done(recording: Recording, done: Collection[str], now: float) -> Recording:
    """*recording* after the driver found that the instances *done* stayed healthy for their bake time."""
    at, instances = round(max(0.0, now - recording.began), 1), dict(recording.instances)
    for name in done:
        one = instances.get(name)
        if one is not None and one.states and one.states[-1][1] == State.READY:
            instances[name] = replace(one, states=(*one.states, (at, State.DONE)))
    return replace(recording, instances=instances)


def _with_state(one: InstanceRecord, machine: str, state: str, at: float) -> InstanceRecord:
    last = one.states[-1][1] if one.states else State.REMOVED
    moved = replace(one, machine=machine or one.machine)
    if state == last or (state == State.READY and last == State.DONE):
        return moved
    return replace(moved, states=(*one.states[: _MOST_STATES - 1], (at, state)))


class Recorder:
    """The `Recording` of one rollout; without one it records nothing. Only the thread of its rollout uses it."""

    def __init__(self, recording: Recording | None = None) -> None:
        self.recording = recording
        self.rolled_back = False

    def snapshot(self, ownership: Ownership, snapshot: Snapshot, now: float) -> None:
        """Record what *snapshot* shows."""
        if self.recording is not None:
            self.recording = noted(self.recording, ownership, snapshot, now)

    def done(self, names: Collection[str], now: float) -> None:
        """Record that the instances *names* stayed healthy for their bake time."""
        if self.recording is not None:
            self.recording = with_done(self.recording, names, now)
