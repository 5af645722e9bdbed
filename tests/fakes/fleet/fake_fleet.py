"""What fleet keeps, and what its engine and agents do with it, one explicit step at a time. No network, no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from fleetcaptain.fleet.entities import Machine
from fleetcaptain.units.unit_text import Option, parse
from tests.fakes.fleet.rules import content_of, is_global, raw_text, x_fleet

__all__ = ["STATES", "Cluster", "Loaded", "Stored"]

STATES = ("inactive", "loaded", "launched")


def _runs(_name: str, _text: str) -> tuple[str, str]:
    return "active", "running"


@dataclass
class Stored:
    """A unit as etcd keeps it: its text as it was given, the desired state, and where it is scheduled."""

    raw: str
    desired: str
    machine_id: str = ""

    @property
    def options(self) -> tuple[Option, ...]:
        """What fleet reads out of the text, trimmed."""
        return parse(self.raw)


@dataclass
class Loaded:
    """A unit on a machine, as systemd sees it. *started*: fleet has called StartUnit, which it does once."""

    unit_hash: str
    active: str = "inactive"
    sub: str = "dead"
    started: bool = False


@dataclass
class Cluster:
    """fleet's *machines*, its *units* by name, and what is *loaded* by name and machine.

    *outcome* says what a started unit's systemd state is: (name, text) -> (active, sub).
    """

    machines: tuple[Machine, ...]
    units: dict[str, Stored] = field(default_factory=dict)
    loaded: dict[tuple[str, str], Loaded] = field(default_factory=dict)
    outcome: Callable[[str, str], tuple[str, str]] = _runs

    def store(self, name: str, options: Sequence[Option], desired: str) -> None:
        """CreateUnit: the place of a unit that is there already is kept."""
        place = self.units[name].machine_id if name in self.units else ""
        self.units[name] = Stored(raw_text(options), desired, place)

    def seen(self) -> list[str]:
        """The units that lists, engine and agents see: etcd hides names with ``_`` first, and fleet leaves out a unit
        whose desired state it cannot read."""
        return sorted(name for name, unit in self.units.items() if not name.startswith("_") and unit.desired in STATES)

    def current(self, name: str) -> str:
        """determineJobState: ``launched`` says that fleet started it, nothing of its health."""
        row = self.loaded.get((name, self.units[name].machine_id))
        if row is None:
            return "inactive"
        return "launched" if row.started else "loaded"

    def step(self) -> None:
        """The engine schedules, then each agent does one thing to each unit: unload, load, start or stop."""
        for name in self.seen():
            unit = self.units[name]
            if unit.desired == "inactive" or is_global(unit.options):
                unit.machine_id = ""
            elif not unit.machine_id:
                unit.machine_id = self._place(name)
        rows = {
            (name, machine.id): self._advance(name, self.loaded.get((name, machine.id)))
            for name in self.seen()
            for machine in self.machines
            if self._here(name, machine)
        }
        self.loaded = {key: row for key, row in rows.items() if row is not None}

    def _advance(self, name: str, row: Loaded | None) -> Loaded | None:
        unit = self.units[name]
        unit_hash = content_of(unit.options)
        if row is None:
            return Loaded(unit_hash)
        if row.unit_hash != unit_hash:
            return None
        if unit.desired == "launched" and not row.started:
            return Loaded(unit_hash, *self.outcome(name, raw_text(unit.options)), started=True)
        return Loaded(unit_hash) if unit.desired == "loaded" else row

    def _here(self, name: str, machine: Machine) -> bool:
        unit = self.units[name]
        if is_global(unit.options):
            return unit.desired != "inactive" and _suits(name, unit.options, machine)
        return unit.machine_id == machine.id

    def _place(self, name: str) -> str:
        """The machine with the fewest units that may run it, or none."""
        count = [unit.machine_id for unit in self.units.values()].count
        able = [machine for machine in self.machines if self._able(name, machine)]
        return min(able, key=lambda machine: (count(machine.id), machine.id)).id if able else ""

    def _able(self, name: str, machine: Machine) -> bool:
        options = self.units[name].options
        there = [other for other, unit in self.units.items() if unit.machine_id == machine.id]
        return (
            _suits(name, options, machine)
            and set(x_fleet(options).get("MachineOf", ())) <= set(there)
            and not any(_conflict(options, other) for other in there)
            and not any(_conflict(self.units[other].options, name) for other in there)
        )


def _conflict(options: Sequence[Option], other: str) -> bool:
    return any(fnmatchcase(other, glob) for glob in x_fleet(options).get("Conflicts", ()))


def _suits(name: str, options: Sequence[Option], machine: Machine) -> bool:
    """Whether the machine's id and metadata are what the unit asks for. Pairs that are no pairs are ignored."""
    asked = x_fleet(options)
    instance = name.partition("@")[2].rpartition(".")[0]
    ids = [value.replace("%i", instance) for value in asked.get("MachineID", [machine.id])]
    pairs = [pair.split("=") for pair in asked.get("MachineMetadata", ())]
    pairs = [pair for pair in pairs if len(pair) == 2 and all(pair)]
    keys = {key for key, _ in pairs}
    return ids[0] in (machine.id, machine.id[:8]) and all([key, machine.metadata.get(key)] in pairs for key in keys)
