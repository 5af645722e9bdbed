"""From a ``FleetUnit``'s inputs, and one look at the cluster, to the desired state of its service. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetcaptain.errors import UnitRefused
from fleetcaptain.rollout.observed import Snapshot
from fleetcaptain.rollout.placement import admits
from fleetcaptain.rollout.values import Policy, Target, parallel
from fleetcaptain.units.image import with_image
from fleetcaptain.units.names import generation_names, global_name, instance_names, machine_names
from fleetcaptain.units.text import content

__all__ = ["downtime", "policy_of", "refuse_foreign", "target_of", "text_of"]


def downtime(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether going from *olds* to *news* takes the only instance of a service down."""
    single = news["mode"] == "rolling" and olds.get("instances") == news["instances"] == 1
    return single and any(olds.get(key) != news[key] for key in ("unit", "image"))


def target_of(props: Mapping[str, Any], snapshot: Snapshot) -> Target:
    """The text and the names of its units; of a global service, one for each machine that its rules admit."""
    text = text_of(props)
    service, instances, sha1 = props["service"], int(props["instances"]), content(text)
    if props["mode"] == "everywhere":
        names: tuple[str, ...] = (global_name(service),)
    elif props["mode"] == "global":
        names = machine_names(service, [id_ for id_, machine in snapshot.machines.items() if admits(text, machine)])
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


def refuse_foreign(target: Target, props: Mapping[str, Any], snapshot: Snapshot) -> None:
    """A unit of one of our names that carries another app's mark is not ours to touch. Raises UnitRefused."""
    for name in target.names:
        unit = snapshot.units.get(name)
        mark = unit.mark if unit else None
        if mark is not None and mark.app != props["app"]:
            heading = f"Cannot deploy {target.service}. Nothing was changed. Rename it in one of the two Fleetfiles:"
            raise UnitRefused(heading, [f"{name} already runs on this cluster for the app {mark.app!r}"])
