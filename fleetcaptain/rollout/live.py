"""What really runs of a service, in the words of its desired state, so that a difference shows as a difference."""

from __future__ import annotations

from dataclasses import dataclass

from fleetcaptain.printable import printable
from fleetcaptain.rollout.everywhere import rows_of, runs_everywhere
from fleetcaptain.rollout.instance import Instance
from fleetcaptain.rollout.observed import Snapshot, instances_of, observe
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["LAUNCHED", "Live", "live"]

LAUNCHED = "launched"


@dataclass(frozen=True)
class Live:
    """A service as it runs: the *file* to compare with (where instances differ, the one that differs), how many
    *instances* there are, their *names*, the *machines* they are on, and *state*: `LAUNCHED`, or who is not."""

    file: UnitFile
    instances: int
    state: str
    names: tuple[str, ...]
    machines: tuple[str, ...]


def live(ownership: Ownership, service: str, content: str, snapshot: Snapshot) -> Live | None:
    """What runs of *service* that *ownership* covers; *content* is the SHA1 that its units should have.

    None when nothing is left of it.
    """
    present = instances_of(ownership, service, snapshot)
    if not present:
        return None
    observed = [instance for name in present for instance in _instances(name, snapshot)]
    other = [instance for instance in observed if instance.content != content]
    shown = (other or observed)[0].name if observed else present[0]
    troubled = list(dict.fromkeys(filter(None, map(_trouble, observed))))
    if len({instance.content for instance in observed}) > 1:
        # Said even where the text shown is the very one that is wanted: else a cut-off rollout looked like a whole one.
        troubled.append(f"{', '.join(instance.name for instance in other or observed)} differ from the others")
    file = snapshot.units[shown].file
    if printable(file.text) != file.text:
        # Reported here, since the text as it is printed may equal the desired one.
        troubled.append(f"{shown} has characters in its text that are shown as escapes")
    machines = {instance.machine for instance in observed if instance.machine}
    return Live(
        file=file,
        instances=len(present),
        state=", ".join(troubled) or LAUNCHED,
        names=present,
        machines=tuple(sorted(machines)),
    )


def _instances(name: str, snapshot: Snapshot) -> tuple[Instance, ...]:
    unit = snapshot.units[name]
    return rows_of(name, snapshot, unit.file) if runs_everywhere(unit) else (observe(name, snapshot),)


def _trouble(instance: Instance) -> str:
    if instance.desired != "launched":
        return f"{instance.name} {instance.desired}"
    if instance.active == "failed" or instance.halted:
        return f"{instance.name} {instance.active}"
    if instance.content is not None and instance.outlived(instance.content):
        return f"{instance.name} runs another text"
    return ""
