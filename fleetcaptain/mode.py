"""How the units of a service are named and replaced. The values are those of releases in etcd and of Pulumi's state."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Mode"]


class Mode(StrEnum):
    """`PER_MACHINE` is a unit of its own for each machine, rolled one after the other; `FLEET_GLOBAL` is one unit that
    fleet starts on all machines at once."""

    ROLLING = "rolling"
    BLUE_GREEN = "bluegreen"
    PER_MACHINE = "global"
    FLEET_GLOBAL = "everywhere"
