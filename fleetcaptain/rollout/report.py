"""Reports of a rollout: progress, summary, and the explanation of a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fleetcaptain.printable import excerpt
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Decision, Failure, Policy, Progress, Target
from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.rollout.preflight import no_place
from fleetcaptain.rollout.standstill import why_it_stands_still
from fleetcaptain.units.unit_file import UnitFile

__all__ = [
    "Outcome",
    "ProgressReporter",
    "Timing",
    "describe",
    "explain",
    "explain_standstill",
    "progress",
    "summary",
    "timed",
]

# A wait that is longer is shown again, so that it does not look like a hang.
_AGAIN_SEC = 30.0
# journald returns whole entries, and an entry may have any number of lines.
_JOURNAL_LINES = 20


@dataclass(frozen=True)
class Outcome:
    """The result of a run. *before* maps each changed unit to its previous file, None for a new unit. *snapshot* is the
    cluster at the end."""

    before: Mapping[str, UnitFile | None]
    snapshot: Snapshot
    failure: Failure | None = None
    failed: Instance | None = None


@dataclass(frozen=True)
class Timing:
    """When each instance was started and done, in seconds of any clock."""

    begun: Mapping[str, float] = field(default_factory=dict)
    done: Mapping[str, float] = field(default_factory=dict)


class ProgressReporter:
    """Reports the first state, each time another instance is done, and every thirty seconds what the others wait for.
    The states in between are in the service's history."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._last = ""
        self._reported_at = 0.0

    def update(self, stage: str, line: str, now: float) -> None:
        """Report *line* if *stage*, its part that counts, is new, or the last report was long ago."""
        if stage != self._last or now - self._reported_at >= _AGAIN_SEC:
            self._report(line)
            self._last, self._reported_at = stage, now


def timed(timing: Timing, decision: Decision, now: float) -> Timing:
    """*timing* with the instances that *decision* started or found done at *now*."""
    begun = {**dict.fromkeys((*decision.stop, *decision.put), now), **timing.begun}
    done = {name: now for name in decision.state.done if name in begun and name not in timing.done}
    return replace(timing, begun=begun, done={**timing.done, **done})


def progress(
    decision: Decision, target: Target, policy: Policy, observed: Mapping[str, Instance], now: float
) -> tuple[str, str]:
    """The number of healthy instances; and the same with what the others wait for, and their remaining seconds."""
    head = f"{len(decision.state.done)}/{len(target.names)} healthy"
    line = [head]
    for name in (*decision.stop, *decision.waiting):
        instance = observed[name]
        where = f" on {instance.machine}" if instance.machine else ""
        wait, left = _wait(instance, decision.state.in_progress.get(name), target, policy, now)
        text = f"{name.removesuffix('.service')}{where}: {wait}"
        line.append(f"{text}, {left:.0f} s until timeout" if left is not None else text)
    return head, ", ".join(line)


def summary(target: Target, timing: Timing) -> str:
    """The last line: how many instances were replaced, the mean time, and the slowest."""
    took = {name: timing.done[name] - timing.begun[name] for name in target.names if name in timing.done}
    if not took:
        return f"{len(target.names)}/{len(target.names)} healthy"
    slowest = max(took, key=lambda name: took[name])
    head = f"{len(target.names)}/{len(target.names)} healthy; "
    if len(took) == 1:
        return f"{head}started in {took[slowest]:.1f} s"
    mean = sum(took.values()) / len(took)
    worst = f"{slowest.removesuffix('.service')} {took[slowest]:.1f} s"
    return f"{head}{len(took)} started, {mean:.1f} s each, slowest {worst}"


def _wait(
    instance: Instance, track: Progress | None, target: Target, policy: Policy, now: float
) -> tuple[str, float | None]:
    """What an instance waits for, and its remaining seconds."""
    if instance.healthy(target.unit_hash):
        since = track.healthy_since if track and track.healthy_since is not None else now
        return "healthy, must stay healthy", max(0.0, since + policy.min_healthy_sec - now)
    left = max(0.0, track.since + policy.healthy_deadline_sec - now) if track else None
    if instance.lost:
        return "its machine is lost, waiting for another", None
    if instance.running != target.unit_hash:
        return "waiting for fleet", left
    return _lacking(instance, target.unit_hash), left


def _lacking(instance: Instance, unit_hash: str) -> str:
    if instance.missing_bound:
        return f"waiting for {instance.missing_bound}, which is bound to it"
    if (instance.active, instance.sub) == ("active", "running"):
        return "its old process still runs" if instance.stale_process(unit_hash) else "waiting for its registration"
    if instance.sub == "start-post":
        return "waiting until it is ready"
    return f"{instance.active}/{instance.sub}"


def explain(cluster: Cluster, outcome: Outcome) -> str:
    """The facts of a failed *outcome*, read from the machine that ran the unit."""
    if outcome.failure is None or outcome.failed is None:
        return ""
    instance, reason = outcome.failed, outcome.failure.reason
    if outcome.failure.unplaced:
        return describe(instance.name, None, f"{reason}: {_why_unplaced(cluster, instance.name)}", {}, ())
    if instance.missing_bound:
        bound = observe(instance.missing_bound, cluster.snapshot())
        what = f"systemd says {bound.active or 'nothing'}/{bound.sub or 'nothing'}"
        return f"{describe(instance.name, instance.machine, reason, {}, ())}\n{_with_facts(cluster, bound, what)}"
    return _with_facts(cluster, instance, reason)


def explain_standstill(cluster: Cluster, instance: Instance) -> str:
    """Why *instance* does not run, after a colon: no machine accepts it, or it is halted on its machine. Empty if it is
    in another state, or the reason is unknown."""
    why = ""
    if instance.unplaced:
        why = _why_unplaced(cluster, instance.name)
    elif instance.halted and (unit := cluster.snapshot().units.get(instance.name)):
        why = why_it_stands_still(cluster.facts(instance), cluster.unit_events(instance), unit.file)
    return f": {why}" if why else ""


def _with_facts(cluster: Cluster, instance: Instance, reason: str) -> str:
    reason += explain_standstill(cluster, instance)
    return describe(instance.name, instance.machine, reason, cluster.facts(instance), cluster.journal(instance))


def _why_unplaced(cluster: Cluster, name: str) -> str:
    snapshot = cluster.snapshot()
    unit = snapshot.units.get(name)
    if unit is None:
        return "the unit was deleted during the rollout"
    for peer in unit.file.rules(name).machine_of:
        found = snapshot.units.get(peer)
        if found is None or not found.machine_id:
            state = "there is no such unit" if found is None else "no machine has it either"
            return f"MachineOf requires the machine of {peer}, but {state}"
    why = no_place(Target(name, (name,), unit.file), snapshot)
    return why or "no rule excludes it; fleet's engine may have no leader. Check `journalctl -u fleet` on the machines"


def describe(unit: str, machine: str | None, reason: str, facts: Mapping[str, str], journal: Sequence[str]) -> str:
    """The message of a failure: one line, then the last lines of the journal, indented and each cut to 500
    characters."""
    where = f" on {machine}" if machine else ""
    details = []
    if facts.get("Result", "success") != "success":
        details.append(f"result {facts['Result']}")
    if facts.get("ExecMainStatus", "0") != "0":
        details.append(f"exit code {facts['ExecMainStatus']}")
    head = f"{unit}{where}: {reason}" + (f" ({', '.join(details)})" if details else "")
    if not journal:
        return head
    return "\n".join([head, "its last journal lines:", *(f"  {line}" for line in excerpt(journal, _JOURNAL_LINES))])
