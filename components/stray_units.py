"""Orphaned units (strays): reports units that the Fleetfile does not declare, and removes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.handles import handle_of
from components.engine import diagnostics
from components.engine.dynamic_resource import Resource, status, warn
from fleetcaptain.fleet.entities import UnitEntity
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.dependents import blocked_by
from fleetcaptain.rollout.journal import guarded
from fleetcaptain.rollout.ownership import foreign
from fleetcaptain.rollout.remove import remove
from fleetcaptain.rollout.service_maintenance import forget_maintenance
from fleetcaptain.rollout.strays import StrayPolicy, Strays, refuse_named, strays_error
from fleetcaptain.units.names import service_of

__all__ = ["RemovedStrays", "StraysProvider", "report_strays"]

_INPUTS = ("app", "stack", "names", "adopt", "cluster")


def report_strays(found: Strays, policy: StrayPolicy, units: Mapping[str, UnitEntity]) -> tuple[str, ...]:
    """Report the strays *found* according to *policy*; return the names of those to remove.

    Raises StrayUnits with the policy ``error``, and if a unit that *policy* names is not a stray.
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
        diagnostics.warn(
            str(strays_error(found, "Those that the state of this stack has are removed; all others stay."))
        )
    return ()


def _warn_of_unmarked(names: Sequence[str]) -> None:
    if names:
        diagnostics.warn(
            f"This cluster has units without FleetCaptain's mark, which stay: {', '.join(names)}. To remove some of "
            "them, run `pulumi config set fleetcaptain:strays remove:NAME,...`; `ignore` silences this warning."
        )


class StraysProvider(ResourceProvider):
    """Removes units by name. Inputs: ``app``; ``stack``; ``names``, of which units without a mark are removed by
    name; ``adopt``, the other stacks whose units are adopted; ``cluster``, a connection."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Remove the named units. Raises DeadlineExceeded, and Locked during a rollout of one of their services."""
        self._remove(props)
        return CreateResult(props["app"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Remove the named units. Raises DeadlineExceeded, and Locked during a rollout of one of their services."""
        self._remove(news)
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The removed units are gone: no names until there are strays again."""
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
        units = cluster.snapshot().units
        by_service: dict[str, list[str]] = {}
        for name in props["names"]:
            mark = units[name].mark if name in units else None
            by_service.setdefault(mark.service if mark else service_of(name), []).append(name)
        for service, names in sorted(by_service.items()):
            self._remove_of(cluster, service, names)

    def _remove_of(self, cluster: Cluster, service: str, names: Sequence[str]) -> None:
        """Under the lock of the service, check the owners again and remove the units."""
        # Units that were removed before may have required this service.
        why = blocked_by(cluster, cluster.snapshot(), service, names, None)
        if why:
            # Its own resource removes it after its dependents have been rolled, or the next deployment does.
            warn(f"keeping {', '.join(names)}: {why}")
            return
        with guarded(cluster, service, "", status, strategy="remove") as (fenced, snapshot):
            others = foreign(cluster.ownership, names, snapshot.units)
            if others:
                warn(f"keeping {', '.join(others)}: it no longer belongs to this stack")
            remove(fenced, service, [name for name in names if name not in others], status)
            forget_maintenance(fenced, service)


class RemovedStrays(Resource):
    """The strays that an ``up`` removes, as a resource so that the preview shows them."""

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
