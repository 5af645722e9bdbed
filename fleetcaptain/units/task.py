"""What makes a unit a task (see `fleetfile.task`): its [Service] options."""

from __future__ import annotations

from collections.abc import Iterable

from fleetcaptain.fleetfile.task import ONESHOT
from fleetcaptain.units.text import Option, parse

__all__ = ["TASK_DEFAULTS", "is_task_text", "last_value"]

TASK_DEFAULTS = (("Restart", "no"), ("RemainAfterExit", "yes"))
"""What a task's [Service] has where the Fleetfile says nothing else."""


def is_task_text(text: str) -> bool:
    """Whether *text* is the unit of a task."""
    return last_value(parse(text), "Type") == ONESHOT


def last_value(options: Iterable[Option], name: str) -> str:
    """The value of [Service] *name* that counts, the last one; "" when there is none."""
    values = [option.value for option in options if (option.section, option.name) == ("Service", name)]
    return values[-1] if values else ""
