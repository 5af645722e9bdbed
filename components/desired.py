"""From a ``FleetUnit``'s inputs, and one look at the cluster, to the desired state of its service. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetcaptain.rollout.observed import Snapshot
from fleetcaptain.rollout.placement import admits, apart, needs_of
from fleetcaptain.rollout.values import Policy, Target, parallel
from fleetcaptain.units.image import with_image
from fleetcaptain.units.mark import mark_of
from fleetcaptain.units.names import generation_names, global_name, instance_names, machine_names
from fleetcaptain.units.task import is_task_text
from fleetcaptain.units.text import content

__all__ = ["displaced", "downtime", "policy_of", "stack_of", "target_of", "text_of"]


def downtime(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether going from *olds* to *news* takes the only instance of a service down; a task is never up."""
    single = news["mode"] == "rolling" and olds.get("instances") == news["instances"] == 1
    return single and not is_task_text(news["unit"]) and any(olds.get(key) != news[key] for key in ("unit", "image"))


def displaced(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether the old units of a service that gets others, such as one on every machine, cannot stay beside those."""
    modes = {olds.get("mode"), news["mode"]}
    if modes != {"rolling", "global"}:
        return False
    old, new = (
        needs_of(f"{news['service']}@{instance}.service", props["unit"]) for instance, props in ((0, olds), (1, news))
    )
    return apart(old, new)


def target_of(props: Mapping[str, Any], snapshot: Snapshot) -> Target:
    """The text and the names of its units; of a global service, one for each machine that its rules admit."""
    text = text_of(props)
    service, instances, sha1 = props["service"], int(props["instances"]), content(text)
    if props["mode"] == "everywhere":
        names: tuple[str, ...] = (global_name(service),)
    elif props["mode"] == "global":
        called = {machine_names(service, [id_])[0]: machine for id_, machine in snapshot.machines.items()}
        names = tuple(sorted(name for name, machine in called.items() if admits(name, text, machine)))
    elif props["mode"] == "bluegreen":
        names = generation_names(service, sha1, instances)
    else:
        names = instance_names(service, instances)
    return Target(service, names, text, sha1)


def text_of(props: Mapping[str, Any]) -> str:
    """The full text of its units, with the line that names the image."""
    return with_image(props["unit"], props["image"]) if props["image"] else str(props["unit"])


def policy_of(rollout: Mapping[str, Any], instances: int) -> Policy:
    """The times of the rollout in seconds, and how many at once, which may be a percentage of *instances*."""
    return Policy(
        max_parallel=parallel(rollout.get("max_parallel", 1), instances),
        min_healthy_sec=float(rollout["min_healthy_sec"]),
        healthy_deadline_sec=float(rollout["healthy_deadline_sec"]),
        progress_deadline_sec=float(rollout["progress_deadline_sec"]),
    )


def stack_of(props: Mapping[str, Any]) -> str:
    """The stack whose mark the text of its units carries (``project/stack``)."""
    mark = mark_of(props["unit"])
    return mark.stack if mark else ""
