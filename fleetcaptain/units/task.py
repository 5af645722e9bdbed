"""A task: a service that ends, ``service={"Type": "oneshot"}``. It is done, and registered, when its command has ended
with exit code 0, and stays so: systemd keeps it active."""

from __future__ import annotations

from collections.abc import Iterable

from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.units.text import Option, parse

__all__ = ["TASK_DEFAULTS", "is_task", "is_task_text", "last_value", "task_refusals"]

_ONESHOT = "oneshot"
_TRUE = ("1", "yes", "y", "true", "t", "on")
TASK_DEFAULTS = (("Restart", "no"), ("RemainAfterExit", "yes"))
"""What a task's [Service] has where the Fleetfile says nothing else."""


def is_task(spec: ServiceSpec) -> bool:
    """Whether *spec* is a task."""
    return _is_oneshot(spec.service)


def is_task_text(text: str) -> bool:
    """Whether *text* is the unit of a task."""
    return last_value(parse(text), "Type") == _ONESHOT


def last_value(options: Iterable[Option], name: str) -> str:
    """The value of [Service] *name* that counts, the last one; "" when there is none."""
    values = [option.value for option in options if (option.section, option.name) == ("Service", name)]
    return values[-1] if values else ""


def task_refusals(spec: ServiceSpec) -> list[str]:
    """Why the task *spec* cannot be deployed as written, one sentence each."""
    given = dict(spec.service)
    problems = []
    if spec.ready is not None:
        problems.append(
            "ready= waits for a service that keeps running, but Type=oneshot is a task, which is ready when its "
            "command has ended with exit code 0; remove ready=, or wait in a line of after_start="
        )
    if spec.public is not None:
        problems.append(
            "public= leads to a port at which nothing answers once a Type=oneshot task has ended; remove it"
        )
    if given.get("RemainAfterExit", "yes").strip().lower() not in _TRUE:
        problems.append(
            f"RemainAfterExit={given['RemainAfterExit']} makes systemd forget that the task was done, so that it could "
            "not be told from one that was stopped; remove it"
        )
    return problems


def _is_oneshot(pairs: Iterable[tuple[str, str]]) -> bool:
    return dict(pairs).get("Type", "").strip() == _ONESHOT
