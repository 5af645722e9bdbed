"""The owner of a unit: the [X-FleetCaptain] section. systemd ignores ``X-`` sections, and fleet keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleetcaptain.units.unit_text import Option

__all__ = ["SECTION", "Mark", "Ownership", "is_auxiliary", "mark_in", "mark_options"]

SECTION = "X-FleetCaptain"


@dataclass(frozen=True)
class Mark:
    """The app, the stack that deployed it (``project/stack``) and the service that a unit belongs to."""

    app: str
    stack: str
    service: str


@dataclass(frozen=True)
class Ownership:
    """The units that a stack owns: those of *app* that *stack* (``project/stack``) deployed, and those that it adopts.

    *adopt*: stacks, whose units of *app* count as well, and names of units, which count while they have no mark.
    """

    app: str
    stack: str
    adopt: frozenset[str] = frozenset()

    def owns(self, name: str, mark: Mark | None) -> bool:
        """Whether the unit *name* with this *mark* may be changed and removed. A name alone never makes it owned."""
        if mark is None:
            return name in self.adopt
        return mark.app == self.app and (mark.stack == self.stack or mark.stack in self.adopt)


def is_auxiliary(mark: Mark | None) -> bool:
    """Whether a unit with this *mark* is none of a service, but one that FleetCaptain adds: no service has a dot in its
    name."""
    return mark is not None and "." in mark.service


def mark_options(mark: Mark) -> tuple[Option, ...]:
    """The section that carries *mark*."""
    pairs = (("App", mark.app), ("Stack", mark.stack), ("Service", mark.service))
    return tuple(Option(SECTION, name, value) for name, value in pairs)


def mark_in(options: Iterable[Option]) -> Mark | None:
    """The mark among the *options* of a unit; None when there is none, or only part of one."""
    values = {option.name: option.value for option in options if option.section == SECTION}
    if not {"App", "Stack", "Service"} <= values.keys():
        return None
    return Mark(values["App"], values["Stack"], values["Service"])
