"""Strays: units that run on the cluster though the Fleetfile does not declare them, as the preview already says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.handles import handle_of
from components.engine import diagnostics as log
from components.engine.dynamic_resource import Resource, status, warn
from fleetcaptain.fleet.entities import FleetUnit
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.dependents import blocked_by
from fleetcaptain.rollout.journal import guarded
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.ownership import foreign
from fleetcaptain.rollout.remove import remove
from fleetcaptain.rollout.strays import StrayPolicy, Strays, refuse_named, strays_error
from fleetcaptain.units.names import service_of

__all__ = ["RemovedStrays", "StraysProvider", "report_strays"]

_INPUTS = ("app", "stack", "names", "adopt", "cluster")


def report_strays(found: Strays, policy: StrayPolicy, units: Mapping[str, FleetUnit]) -> tuple[str, ...]:
    """Say which strays were *found*, as *policy* asks; the names of those to remove.

    Raises StrayUnits by the policy ``error``, and when one that *policy* names is no stray.
    """
    if policy.action == "ignore":
        return ()
    refuse_named(policy.names, found, units)
    removed = (*found.own, *sorted(policy.names & {*found.suspect, *found.unmarked}))
    left = [name for name in (*found.suspect, *found.unmarked) if name not in removed]
    if policy.action == "remove":
        _warn_of_unmarked(left)
        return removed
    _warn_of_unmarked(found.unmarked)
    if found.own or found.suspect:
        if policy.action == "error":
            raise strays_error(found, "Nothing was changed.")
        log.warn(str(strays_error(found, "Those of a service that this stack deployed are removed; all others stay.")))
    return ()


def _warn_of_unmarked(names: Sequence[str]) -> None:
    if names:
        log.warn(
            f"units without FleetCaptain's mark are on this cluster and stay: {', '.join(names)}. To remove some of "
            f"them: `pulumi config set fleetcaptain:strays remove:NAME,...`; `ignore` silences this."
        )


class StraysProvider(ResourceProvider):
    """Removes units by name. Inputs: ``app``; ``stack``; ``names``, of which those without a mark are meant as they are
    named; ``adopt``, the other stacks of which some are taken over; ``cluster``, a connection."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Remove the named units. Raises DeadlineExceeded, and Locked while one of their services is rolled out."""
        self._remove(props)
        return CreateResult(props["app"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Remove the named units. Raises DeadlineExceeded, and Locked while one of their services is rolled out."""
        self._remove(news)
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What was removed is gone: nothing is named until there are strays again."""
        emptied = {**props, "names": [], "adopt": []}
        return ReadResult(id_, emptied, {key: emptied[key] for key in _INPUTS if key in emptied})

    def _remove(self, props: Mapping[str, Any]) -> None:
        if not props["names"]:
            return
        cluster = (
            handle_of(props["cluster"])
            .connect(props["app"])
            .owned_by(props["stack"], [*props["names"], *props["adopt"]])
        )
        snapshot = cluster.snapshot()
        units = snapshot.units
        by_service: dict[str, list[str]] = {}
        for name in props["names"]:
            mark = units[name].mark if name in units else None
            by_service.setdefault(mark.service if mark else service_of(name), []).append(name)
        for service, names in sorted(by_service.items()):
            self._remove_of(cluster, snapshot, service, names)

    def _remove_of(self, cluster: Cluster, snapshot: Snapshot, service: str, names: Sequence[str]) -> None:
        """Under the lock of the service: by then a unit may be another one's."""
        why = blocked_by(cluster, snapshot, service, names, None)
        if why:
            # Its own resource removes it when those have been rolled; or else the next deployment does.
            warn(f"{', '.join(names)} stays for now, for the sake of those {why}")
            return
        with guarded(cluster, service, "", status) as (fenced, latest):
            others = foreign(cluster.ownership, names, latest.units)
            if others:
                warn(f"{', '.join(others)} stays: it is not this stack's any more")
            remove(fenced, service, [name for name in names if name not in others], status)


class RemovedStrays(Resource):
    """The strays that an ``up`` removes, so that its preview names them."""

    def __init__(
        self,
        name: str,
        *,
        app: str,
        stack: str,
        names: pulumi.Input[Sequence[str]],
        adopt: pulumi.Input[Sequence[str]],
        cluster: pulumi.Input[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"app": app, "stack": stack, "names": names, "adopt": adopt, "cluster": cluster}
        super().__init__("Strays", name, inputs, opts)
