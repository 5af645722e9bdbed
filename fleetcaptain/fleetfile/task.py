"""A task: a service that ends, ``service={"Type": "oneshot"}``. It is done, and registered, when its command has ended
with exit code 0, and stays so: systemd keeps it active. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fleetcaptain.fleetfile.values import ServiceSpec

__all__ = ["ONESHOT", "is_task", "task_mistakes"]

ONESHOT = "oneshot"
"""The ``Type=`` of a task."""
_TRUE = ("1", "yes", "y", "true", "t", "on")
_READY = (
    "it waits for a service that keeps running, but Type=oneshot is a task, which is ready when its command has ended "
    "with exit code 0; remove it, or wait in a line of after_start="
)
_PUBLIC = "nothing answers at a port of a Type=oneshot task once that has ended; remove it"
_FORGOTTEN = (
    "systemd forgets that a Type=oneshot task is done, which could not be distinguished from a stopped one; remove it"
)


def is_task(options: Iterable[tuple[str, str]]) -> bool:
    """Whether these *options* of [Service] make a task. As in systemd the last Type counts."""
    return dict(options).get("Type") == ONESHOT


def task_mistakes(spec: ServiceSpec) -> dict[str, str]:
    """What a task cannot have: keyword -> why not, and what to do."""
    if not is_task(spec.service):
        return {}
    mistakes = {}
    if spec.ready is not None:
        mistakes["ready"] = _READY
    if spec.public is not None:
        mistakes["public"] = _PUBLIC
    remain = dict(spec.service).get("RemainAfterExit", "yes")
    if remain.lower() not in _TRUE:
        mistakes["service"] = f"RemainAfterExit={remain}: {_FORGOTTEN}"
    return mistakes
