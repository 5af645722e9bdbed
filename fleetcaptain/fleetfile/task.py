"""A task: a service that ends, ``service={"Type": "oneshot"}``. It is done, and registered, when its command exits
with 0, and stays so: systemd keeps it active. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fleetcaptain.fleetfile.values import ServiceSpec

__all__ = ["ONESHOT", "is_task", "task_errors"]

ONESHOT = "oneshot"
"""The ``Type=`` of a task."""
_TRUE = ("1", "yes", "y", "true", "t", "on")
_READY = (
    "a task (Type=oneshot) cannot have it: it is ready when its command exits with 0; remove it, or write the check "
    "into "
    "after_start="
)
_ALIVE = "a task (Type=oneshot) cannot have it: it ends; remove it"
_PUBLIC = "a task (Type=oneshot) serves no port after its command has exited; remove it"
_SCALE = "a task (Type=oneshot) cannot have windows: it ends; remove it"
_FORGOTTEN = "a finished task (Type=oneshot) would look like a stopped one to systemd; remove it"


def is_task(options: Iterable[tuple[str, str]]) -> bool:
    """Whether these *options* of [Service] make a task. As in systemd the last Type counts."""
    return dict(options).get("Type") == ONESHOT


def task_errors(spec: ServiceSpec) -> dict[str, str]:
    """Keywords that a task cannot have: keyword -> message."""
    if not is_task(spec.service):
        return {}
    errors = {}
    if spec.ready is not None:
        errors["ready"] = _READY
    if spec.alive is not None:
        errors["alive"] = _ALIVE
    if spec.public:
        errors["public"] = _PUBLIC
    if spec.scale:
        errors["scale"] = _SCALE
    remain = dict(spec.service).get("RemainAfterExit", "yes")
    if remain.lower() not in _TRUE:
        errors["service"] = f"RemainAfterExit={remain}: {_FORGOTTEN}"
    return errors
