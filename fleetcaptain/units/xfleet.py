"""Where fleet may put a service's units: the [X-Fleet] section, in the order of fleet's own documentation."""

from __future__ import annotations

from fleetcaptain.fleetfile.values import BlueGreen, ServiceSpec
from fleetcaptain.units.names import instance_names
from fleetcaptain.units.text import Option

__all__ = ["UNIT_SUFFIXES", "x_fleet_options"]

# systemd's unit types; a word with such an ending is a unit's name, any other a service's.
UNIT_SUFFIXES = (
    ".service",
    ".socket",
    ".timer",
    ".path",
    ".target",
    ".mount",
    ".automount",
    ".device",
    ".slice",
    ".swap",
)


def x_fleet_options(spec: ServiceSpec) -> tuple[Option, ...]:
    """The options of *spec*'s [X-Fleet] section; empty when its units may run anywhere."""
    pairs = [
        # fleet puts the name's instance for %i; see `machine_names`.
        *(("MachineID", value) for value in ["%i" if spec.global_unit else spec.machine_id] if value),
        *(("MachineOf", _unit(value)) for value in spec.machine_of),
        *(("MachineMetadata", value) for value in spec.machine_metadata),
        *(("Conflicts", _glob(spec, value)) for value in spec.conflicts),
        *spec.x_fleet,
    ]
    return tuple(Option("X-Fleet", name, value) for name, value in pairs)


def _unit(name: str) -> str:
    """A unit as it is; of a service the one instance: fleet knows only units."""
    return name if name.endswith(UNIT_SUFFIXES) else instance_names(name, 1)[0]


def _glob(spec: ServiceSpec, glob: str) -> str:
    """A blue/green service's own units carry their generation in the name, so its own glob has to allow for that."""
    own = isinstance(spec.rollout, BlueGreen) and glob.startswith(f"{spec.name}@")
    return glob.replace("@", "-???????@", 1) if own else glob
