"""Data anchors: the unit that keeps a service on the machine with the data of its volumes. Pure.

fleet starts a unit on another machine when its machine ends, and there its volumes are empty. So a service with one
instance and a named volume requires (``MachineOf``) a unit that does nothing and is bound to one machine. The text of
the service names no machine: releases, and rollbacks to them, go on with the data where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleetcaptain.units.mark import SECTION, Mark, mark_options
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option

__all__ = ["DataAnchor", "anchor_name", "anchor_of", "is_anchor", "is_anchor_name"]

_SERVICE = "data."


@dataclass(frozen=True)
class DataAnchor:
    """What the anchor of *service* says: the *machine* (id) with the data of its *volumes*, and how people call it
    (*where*, ``m1 (10.0.0.1)``). *former*: the volumes that the service had before."""

    service: str
    machine: str
    where: str
    volumes: tuple[str, ...] = ()
    former: tuple[str, ...] = ()

    def file(self, app: str, stack: str) -> UnitFile:
        """The file of its unit."""
        volumes = ", ".join(self.volumes)
        return UnitFile(
            (
                Option("Unit", "Description", f"Keeps {self.service} on {self.where}, with its volumes {volumes}"),
                Option("Service", "Type", "oneshot"),
                Option("Service", "RemainAfterExit", "yes"),
                Option("Service", "ExecStart", "/bin/true"),
                Option("X-Fleet", "MachineID", self.machine),
                *mark_options(Mark(app, stack, f"{_SERVICE}{self.service}")),
                Option(SECTION, "Where", self.where),
                Option(SECTION, "Volumes", " ".join(self.volumes)),
                *([Option(SECTION, "FormerVolumes", " ".join(self.former))] if self.former else ()),
            )
        )

    @classmethod
    def read(cls, file: UnitFile) -> DataAnchor | None:
        """The anchor whose unit has this *file*; None for any other unit."""
        if not is_anchor(file.mark) or file.mark is None:
            return None
        said = {option.name: option.value for option in file.options if option.section == SECTION}
        machine = file.rules("").machine_id
        service = file.mark.service.removeprefix(_SERVICE)
        volumes, former = (tuple(said.get(name, "").split()) for name in ("Volumes", "FormerVolumes"))
        return cls(service, machine, said.get("Where") or machine, volumes, former)


def anchor_name(app: str, service: str) -> str:
    """The unit that keeps *service* with its data. No service has a dot in its name."""
    return f"{app}.data-{service}.service"


def is_anchor(mark: Mark | None) -> bool:
    """Whether a unit with this *mark* is an anchor."""
    return mark is not None and mark.service.startswith(_SERVICE)


def is_anchor_name(name: str) -> bool:
    """Whether *name* is that of an anchor."""
    return ".data-" in name and "@" not in name


def anchor_of(file: UnitFile, names: Sequence[str]) -> str:
    """The anchor that the units *names* with this *file* require; "" if none."""
    mark = file.mark
    own = anchor_name(mark.app, mark.service) if mark is not None else ""
    return own if any(own in file.rules(name).machine_of for name in names) else ""
