"""The entities of fleet's API: units, their states, machines. fleet omits empty fields from its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fleetcaptain.units.mark import Mark
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option
from fleetcaptain.untrusted import ANY, ANY_LENGTH, NAME, WORD, Fields, is_address

__all__ = ["DesiredState", "Machine", "UnitEntity", "UnitState"]


class DesiredState(StrEnum):
    """The desired state of a unit. `LOADED` stops a unit that runs (fleet's states.md)."""

    INACTIVE = "inactive"
    LOADED = "loaded"
    LAUNCHED = "launched"


@dataclass(frozen=True)
class UnitEntity:
    """A unit in fleet. *current* is fleet's progress, not the unit's health; *machine_id* is None if unscheduled."""

    name: str
    file: UnitFile
    desired: str
    current: str
    machine_id: str | None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> UnitEntity:
        """Parse a unit in fleet's JSON. Raises Unreadable."""
        fields = Fields(data)
        options = (
            Option(option.text("section"), option.text("name"), option.text("value", ANY_LENGTH, ""))
            for option in map(Fields, fields.objects("options"))
        )
        return cls(
            fields.text("name", NAME),
            UnitFile(tuple(options)),
            fields.text("desiredState", WORD, "inactive"),
            fields.text("currentState", WORD, "inactive"),
            fields.text("machineID", NAME, "") or None,
        )

    @property
    def text(self) -> str:
        """Its canonical text."""
        return self.file.text

    @property
    def mark(self) -> Mark | None:
        """Whose it is; None when it does not say."""
        return self.file.mark

    @property
    def unit_hash(self) -> str:
        """The SHA1 that fleet computes over its text, in hex."""
        return self.file.unit_hash


@dataclass(frozen=True)
class UnitState:
    """systemd's state of a unit on one machine. *unit_hash* is the SHA1 of the text that is loaded there."""

    name: str
    machine_id: str
    unit_hash: str
    load: str
    active: str
    sub: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> UnitState:
        """Parse a state in fleet's JSON. Raises Unreadable."""
        fields = Fields(data)
        load, active, sub = (fields.text(f"systemd{kind}State", WORD, "") for kind in ("Load", "Active", "Sub"))
        machine_id, unit_hash = fields.text("machineID", NAME, ""), fields.text("hash", WORD, "")
        return cls(fields.text("name", NAME), machine_id, unit_hash, load, active, sub)


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster; *ip* is its address according to fleet, "" if that is no IP address."""

    id: str
    ip: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Machine:
        """Parse a machine in fleet's JSON. Raises Unreadable."""
        fields = Fields(data)
        metadata = fields.fields("metadata")
        ip = fields.text("primaryIP", ANY, "")
        return cls(
            fields.text("id", NAME), ip if is_address(ip) else "", {name: metadata.text(name) for name in metadata}
        )
