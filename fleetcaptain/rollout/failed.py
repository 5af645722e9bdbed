"""What is said when a rollout failed: the unit, its machine, what systemd says, and its last journal lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetcaptain.printable import excerpt
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.drive import Outcome
from fleetcaptain.rollout.instance import Instance
from fleetcaptain.rollout.observed import observe
from fleetcaptain.rollout.prepare import no_place
from fleetcaptain.rollout.standstill import why_it_stands_still
from fleetcaptain.rollout.values import Target

__all__ = ["describe", "explain", "explain_standstill"]

# journald gives whole entries, and an entry may have any number of lines.
_JOURNAL_LINES = 20


def explain(cluster: Cluster, outcome: Outcome) -> str:
    """The facts of a failed *outcome*, read from the machine that ran the unit."""
    if outcome.failure is None or outcome.failed is None:
        return ""
    instance, reason = outcome.failed, outcome.failure.reason
    if outcome.failure.unplaced:
        return describe(instance.name, None, f"{reason}: {_why_unplaced(cluster, instance.name)}", {}, ())
    if instance.missing_bound:
        bound = observe(instance.missing_bound, cluster.look())
        what = f"systemd says {bound.active or 'nothing'}/{bound.sub or 'nothing'}"
        return f"{describe(instance.name, instance.machine, reason, {}, ())}\n{_with_facts(cluster, bound, what)}"
    return _with_facts(cluster, instance, reason)


def explain_standstill(cluster: Cluster, instance: Instance) -> str:
    """Why nothing runs of *instance*, after a colon: no machine takes it, or it stands still on its machine. Empty when
    it is in another state, or nothing tells."""
    why = ""
    if instance.unplaced:
        why = _why_unplaced(cluster, instance.name)
    elif instance.halted and (unit := cluster.look().units.get(instance.name)):
        why = why_it_stands_still(cluster.facts(instance), cluster.unit_events(instance), unit.file)
    return f": {why}" if why else ""


def _with_facts(cluster: Cluster, instance: Instance, reason: str) -> str:
    reason += explain_standstill(cluster, instance)
    return describe(instance.name, instance.machine, reason, cluster.facts(instance), cluster.journal(instance))


def _why_unplaced(cluster: Cluster, name: str) -> str:
    snapshot = cluster.look()
    unit = snapshot.units.get(name)
    if unit is None:
        return "the unit was deleted meanwhile"
    for peer in unit.file.rules(name).machine_of:
        found = snapshot.units.get(peer)
        if found is None or not found.machine_id:
            state = "there is no such unit" if found is None else "no machine has it either"
            return f"MachineOf asks for the machine of {peer}, but {state}"
    why = no_place(Target(name, (name,), unit.file), snapshot)
    return why or "nothing forbids it; fleet's engine may have no leader: look at `journalctl -u fleet` on the machines"


def describe(unit: str, machine: str | None, reason: str, facts: Mapping[str, str], journal: Sequence[str]) -> str:
    """The text of a failure: one line, then the last lines of the journal, indented and each cut to 500 characters."""
    where = f" on {machine}" if machine else ""
    said = []
    if facts.get("Result", "success") != "success":
        said.append(f"result {facts['Result']}")
    if facts.get("ExecMainStatus", "0") != "0":
        said.append(f"exit code {facts['ExecMainStatus']}")
    head = f"{unit}{where}: {reason}" + (f" ({', '.join(said)})" if said else "")
    if not journal:
        return head
    return "\n".join([head, "its last journal lines:", *(f"  {line}" for line in excerpt(journal, _JOURNAL_LINES))])
