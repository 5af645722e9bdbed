"""From a ``FleetUnit``'s inputs and one snapshot of the cluster to the desired state of its service. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetcaptain.rollout.model import Policy, Target, parallel
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.placement import admits, apart
from fleetcaptain.units.names import generation_names, global_name, instance_names, machine_names
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["DesiredService", "displaced", "downtime", "policy_of"]


@dataclass(frozen=True)
class DesiredService:
    """The desired state of a *service*: the *file* of its units, their *mode* and the number of *instances*."""

    service: str
    file: UnitFile
    mode: str
    instances: int

    @classmethod
    def of(cls, props: Mapping[str, Any]) -> DesiredService:
        """The service in the inputs of a ``FleetUnit``, its units with their image. Raises UnitRefused."""
        file = UnitFile.parse(props["unit"]).with_image(props["image"])
        return cls(props["service"], file, props["mode"], int(props["instances"]))

    def target(self, snapshot: Snapshot) -> Target:
        """The file and the names of its units; of a global service, one for each machine that its rules admit."""
        service, file = self.service, self.file
        if self.mode == "everywhere":
            names: tuple[str, ...] = (global_name(service),)
        elif self.mode == "global":
            called = {machine_names(service, [id_])[0]: machine for id_, machine in snapshot.machines.items()}
            names = tuple(sorted(name for name, machine in called.items() if admits(name, file, machine)))
        elif self.mode == "bluegreen":
            names = generation_names(service, file.unit_hash, self.instances)
        else:
            names = instance_names(service, self.instances)
        return Target(service, names, file)


def downtime(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether the update from *olds* to *news* takes down the only instance of a service; a task is never up."""
    single = news["mode"] == "rolling" and olds.get("instances") == news["instances"] == 1
    changes = single and any(olds.get(key) != news[key] for key in ("unit", "image"))
    return changes and not UnitFile.parse(news["unit"]).is_task


def displaced(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether the old units of a service conflict with its new units, such as one on every machine."""
    modes = {olds.get("mode"), news["mode"]}
    if modes != {"rolling", "global"}:
        return False
    old, new = (
        UnitFile.parse(props["unit"]).needs(f"{news['service']}@{instance}.service")
        for instance, props in ((0, olds), (1, news))
    )
    return apart(old, new)


def policy_of(rollout: Mapping[str, Any], instances: int) -> Policy:
    """The policy in *rollout*: times in seconds, and the window, which may be a percentage of *instances*."""
    return Policy(
        max_parallel=parallel(rollout.get("max_parallel", 1), instances),
        min_healthy_sec=float(rollout["min_healthy_sec"]),
        healthy_deadline_sec=float(rollout["healthy_deadline_sec"]),
        progress_deadline_sec=float(rollout["progress_deadline_sec"]),
    )
