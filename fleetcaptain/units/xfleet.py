"""Where fleet may put a service's units: the [X-Fleet] section, in the order of fleet's own documentation."""

from __future__ import annotations

from fleetcaptain.fleetfile.fleet_rules import UNIT_SUFFIXES
from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.units.names import instance_names
from fleetcaptain.units.text import Option

__all__ = ["UNIT_SUFFIXES", "x_fleet_options"]


def x_fleet_options(spec: ServiceSpec) -> tuple[Option, ...]:
    """The options of *spec*'s [X-Fleet] section; empty when its units may run anywhere."""
    pairs = [
        # fleet puts the name's instance for %i; see `machine_names`.
        *(("MachineID", value) for value in ["%i" if spec.global_unit else spec.machine_id] if value),
        *(("MachineOf", _unit(value)) for value in spec.machine_of),
        *(("MachineMetadata", value) for value in spec.machine_metadata),
        *(("Conflicts", value) for value in spec.conflicts),
        *spec.x_fleet,
    ]
    return tuple(Option("X-Fleet", name, value) for name, value in pairs)


def _unit(name: str) -> str:
    """A unit as it is; of a service the one instance: fleet knows only units."""
    return name if name.endswith(UNIT_SUFFIXES) else instance_names(name, 1)[0]
