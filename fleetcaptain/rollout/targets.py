"""From a ``FleetUnit``'s inputs and one snapshot of the cluster to the desired state of its service. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.model import Policy, Target, parallel
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.placement import admits, apart
from fleetcaptain.schedule.window import WindowSpec, most_instances, warm_instances
from fleetcaptain.schedule.window_machines import is_of_windows
from fleetcaptain.units.names import generation_names, global_name, instance_names, machine_names
from fleetcaptain.units.unit_file import UnitFile

__all__ = [
    "PROVEN_SEC",
    "DesiredService",
    "RolloutSettings",
    "displaced",
    "downtime",
    "one_first",
    "whole_file",
]

PROVEN_SEC = 2.0
"""The longest bake time of an instance in a rollback."""


@dataclass(frozen=True)
class RolloutSettings:
    """The rollout keyword of a service, as its resource has it. Times are seconds; *max_parallel* is a number of
    instances or a share of them, such as ``25%``."""

    min_healthy_sec: float = 10
    healthy_deadline_sec: float = 300
    progress_deadline_sec: float = 600
    max_parallel: int | str = 1
    auto_revert: bool = True
    keep_old_sec: float = 0

    @classmethod
    def of(cls, props: Mapping[str, Any]) -> RolloutSettings:
        """The settings in the input ``rollout`` of a ``FleetUnit``."""
        return cls(
            float(props["min_healthy_sec"]),
            float(props["healthy_deadline_sec"]),
            float(props["progress_deadline_sec"]),
            props.get("max_parallel", 1),
            bool(props.get("auto_revert", True)),
            float(props.get("keep_old_sec", 0)),
        )

    def policy(self, instances: int) -> Policy:
        """The policy of a rollout of so many *instances*."""
        return Policy(
            max_parallel=parallel(self.max_parallel, instances),
            min_healthy_sec=self.min_healthy_sec,
            healthy_deadline_sec=self.healthy_deadline_sec,
            progress_deadline_sec=self.progress_deadline_sec,
        )


@dataclass(frozen=True)
class DesiredService:
    """The desired state of a *service*: the *file* of its units with their *image* ("": none), their *mode*, the number
    of *instances*, the *settings* of its rollouts, its *windows*, in which it has more instances, and its former names,
    whose units its own replace (*replaces*). *rollback*: see `rolled_back`."""

    service: str
    file: UnitFile
    mode: Mode
    instances: int
    image: str = ""
    settings: RolloutSettings = RolloutSettings()
    windows: tuple[WindowSpec, ...] = ()
    replaces: tuple[str, ...] = ()
    rollback: bool = False

    @classmethod
    def of(cls, props: Mapping[str, Any]) -> DesiredService:
        """The service in the inputs of a ``FleetUnit``, its units with their image and secrets. Raises UnitRefused."""
        file = whole_file(props)
        mode, settings = Mode(props["mode"]), RolloutSettings.of(props["rollout"])
        windows = tuple(WindowSpec.from_data(window) for window in props.get("windows", ()))
        former = tuple(props.get("replaces", ()))
        return cls(props["service"], file, mode, int(props["instances"]), props["image"], settings, windows, former)

    def rolled_back(self) -> Self:
        """It, to be rolled out as part of a rollback: the release was complete before, so an instance has to stay
        healthy only for as long as an image that does not start takes to fail."""
        settings = replace(self.settings, min_healthy_sec=min(self.settings.min_healthy_sec, PROVEN_SEC))
        return replace(self, settings=settings, rollback=True)

    def target(self, snapshot: Snapshot, running: int = 0) -> Target:
        """The file and the names of its units; of a global service, one for each machine that its rules admit. Of a
        service with windows at least *running* units run; those that only a window needs and that do not run now are
        standby."""
        service, file = self.service, self.file
        if self.mode is Mode.FLEET_GLOBAL:
            names: tuple[str, ...] = (global_name(service),)
        elif self.mode is Mode.PER_MACHINE:
            called = {machine_names(service, [id_])[0]: machine for id_, machine in snapshot.machines.items()}
            # Machines of windows come and go between two deployments.
            lasting = {name: machine for name, machine in called.items() if not is_of_windows(machine.metadata)}
            names = tuple(sorted(name for name, machine in lasting.items() if admits(name, file, machine)))
        elif self.mode is Mode.BLUE_GREEN:
            names = generation_names(service, file.unit_hash, self.instances)
        else:
            names = instance_names(service, most_instances(self.instances, self.windows))
            return Target(service, names, file, self._standby(names, snapshot, max(self.instances, running)))
        return Target(service, names, file)

    def _standby(self, names: tuple[str, ...], snapshot: Snapshot, running: int) -> dict[str, DesiredState]:
        """Those of *names* after the first *running* that are not launched, and the state in which each waits."""
        warm = warm_instances(self.instances, self.windows)
        return {
            name: DesiredState.LOADED if number < warm else DesiredState.INACTIVE
            for number, name in enumerate(names)
            if number >= running and not _is_launched(name, snapshot)
        }


def _is_launched(name: str, snapshot: Snapshot) -> bool:
    unit = snapshot.units.get(name)
    return unit is not None and unit.desired == DesiredState.LAUNCHED


def whole_file(props: Mapping[str, Any]) -> UnitFile:
    """The file of the units of a resource with the inputs ``unit``, ``image`` and ``secrets``. Raises UnitRefused."""
    return UnitFile.parse(props["unit"]).with_image(props["image"]).with_secrets(props.get("secrets", {}))


def downtime(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether the update from *olds* to *news* takes down the only instance of a service; a task is never up."""
    rolling = olds.get("mode") == news["mode"] == Mode.ROLLING
    single = rolling and olds.get("instances") == news["instances"] == 1
    changes = single and any(olds.get(key) != news.get(key) for key in ("unit", "image", "secrets"))
    return changes and not UnitFile.parse(news["unit"]).is_task


def displaced(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether the old units of a service conflict with its new units, such as one on every machine."""
    modes = {olds.get("mode"), news["mode"]}
    return modes == {Mode.ROLLING, Mode.PER_MACHINE} and _apart(olds, news)


def one_first(olds: Mapping[str, Any], news: Mapping[str, Any]) -> str:
    """Why an old instance may have to go before a new one with another name starts, from *olds* to *news*; empty if the
    new ones start first. A blue/green service finds room beside the old one, or is refused."""
    if olds["service"] == news["service"] and Mode.BLUE_GREEN not in (olds.get("mode"), news["mode"]):
        return ""
    old, new = (UnitFile.parse(props["unit"]) for props in (olds, news))
    if volumes := new.shared_volumes(old):
        return f"both write to {', '.join(volumes)}"
    if news["mode"] != Mode.BLUE_GREEN and _apart(olds, news):
        return "they use the same port of the machine, or conflict, and may find no machine to spare"
    return ""


def _apart(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether an old unit and a new one cannot be on one machine."""
    old, new = (
        UnitFile.parse(props["unit"]).needs(f"{props['service']}@{instance}.service")
        for instance, props in ((0, olds), (1, news))
    )
    return apart(old, new)
