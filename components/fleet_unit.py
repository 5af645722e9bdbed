"""``FleetUnit``: one service on the cluster. One update is one rolling update."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine.dynamic_resource import (
    PartialFailure,
    Resource,
    announce,
    announce_warning,
    cancelled,
    is_declared,
    status,
)
from fleetcaptain.agent.installation import is_offered
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError, RolloutFailed, UnitRefused
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.history.stored_records import read_records
from fleetcaptain.mode import Mode
from fleetcaptain.release.rollback import RequestedRollback
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.depart import forget_service, remove_service
from fleetcaptain.rollout.dependents import blocked_by
from fleetcaptain.rollout.expected_duration import expected_update, format_expected, lowest
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import LAUNCHED, Snapshot, instances_of, live
from fleetcaptain.rollout.ownership import refuse_foreign, renamed
from fleetcaptain.rollout.release_gate import current_tag
from fleetcaptain.rollout.remove import forget_app
from fleetcaptain.rollout.targets import DesiredService, displaced, downtime, one_first
from fleetcaptain.rollout.update import update
from fleetcaptain.rollout.window_plans import keeps_windows
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.tasks.task_units import clear_all_units
from fleetcaptain.units.agent_calls import agent_name
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["FleetUnit", "RollingUpdateProvider"]

_INPUTS = (
    "app",
    "service",
    "unit",
    "image",
    "secrets",
    "instances",
    "windows",
    "mode",
    "rollout",
    "state",
    "adopt",
    "cluster",
)


class RollingUpdateProvider(ResourceProvider):
    """Brings one service on the cluster to its text, one window of instances after the other; reads back the observed
    state.

    Inputs: ``app``, ``service``; ``unit``, the text without its image line; ``image``, a reference or "";
    ``secrets``, name -> digest (left out without one); ``instances``; ``windows``, in which it has more (left out
    without one); ``mode``: "rolling", "bluegreen", "global" (a unit for each machine) or "everywhere" (one unit that
    fleet starts on all); ``rollout``, the times of the rollout in seconds; ``state``, always "launched" (a stopped unit
    reads back as something else); ``adopt``, the stacks and the unmarked units that are adopted (see `Ownership`; reads
    back empty); ``replaces``, the former names of the service whose units its own replace (left out without one, and
    never read back); ``cluster``, a connection. Outputs: the other inputs, and ``units``, ``machines``, ``content``
    (SHA1), ``count`` (registrations to expect).
    """

    internal_inputs = frozenset({"secrets"})

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse a renamed app, whose old units would never be removed. Warn of existing units of a service that the
        state does not have. Raises UnitRefused."""
        if olds.get("app", news["app"]) != news["app"]:
            heading = f"Cannot deploy {news['service']}: this stack deployed it as the app {olds['app']!r}."
            raise UnitRefused(f"{heading} Nothing was changed.", [renamed(olds["app"], news["app"])])
        present = () if olds else self._present(news)
        if present:
            announce_warning(
                ", ".join(present),
                "on the cluster already. This stack deployed them, but its state does not have them: a deployment was "
                "interrupted, or the state was lost. They are adopted.",
            )
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Leave the comparison to the engine; say which secrets change, what an update does and how long it takes, and
        warn of one that cannot keep the service up."""
        if not is_declared():
            return DiffResult()
        service = news["service"]
        before, after = (props.get("secrets") or {} for props in (olds, news))
        if isinstance(after, Mapping):
            changed = sorted(name for name, digest in after.items() if before.get(name) not in (None, digest))
            if changed:
                announce(f"{service}: new value of {', '.join(changed)}")
        update = expected_update(olds, news, rollback=_is_rollback())
        if update is not None:
            announce(format_expected(update, self._records({**news, "service": olds["service"]})))
        former = olds["service"] if olds["service"] != service else "its old generation"
        if update is not None and update.replaced and (why := one_first(olds, news)):
            announce_warning(
                service,
                f"{'short of instances' if lowest(update) else 'down'} while it replaces {former}: {why}, so an old "
                "instance is removed before a new one starts.",
            )
        if olds["service"] != service:
            return DiffResult()
        if downtime(olds, news):
            volumes = sorted(UnitFile.parse(news["unit"]).volumes)
            announce_warning(
                service,
                "down during the replacement, for lack of a second instance"
                + (
                    f": both would write to {', '.join(volumes)} at the same time."
                    if volumes
                    else ". To avoid the outage, set instances=True, which starts the new one first (without "
                    "rollout=Rolling(...)), or instances=2."
                ),
            )
        if displaced(olds, news):
            announce_warning(
                service,
                "down while units with other names replace its units: they use the same port of the machine, or "
                "conflict, so the old ones are removed first.",
            )
        return DiffResult()

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start every instance at once; adopt existing ones if they are ours. Raises RolloutFailed, and UnitRefused if
        one of them belongs to another app or stack, or has no mark."""
        desired = _desired(props)
        cluster = _cluster(props, desired.file)
        try:
            target = update(cluster, desired, status, cancelled)
        except UnitRefused:
            raise  # nothing was changed
        except FleetCaptainError as error:
            outs = self._own_outs(cluster, props, desired)
            if outs is None:
                raise
            raise PartialFailure(props["service"], outs, str(error)) from error
        return CreateResult(props["service"], self._outs(cluster, props, target, cluster.snapshot()))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Roll the differences out. Raises RolloutFailed after a failure and a rollback, RolloutMixed if that
        failed."""
        desired = _desired(news)
        cluster = _cluster(news, desired.file)
        target = update(cluster, desired, status, cancelled)
        return UpdateResult(self._outs(cluster, news, target, cluster.snapshot()))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The observed state as inputs, so that drift shows line by line; empty if no unit is left."""
        handle = handle_of(props["cluster"])
        there = handle.presence()
        if there is Presence.GONE:
            return ReadResult(None, {})
        known = {key: props[key] for key in _INPUTS if key in props}
        if there is Presence.STOPPED:
            return ReadResult(id_, props, known)
        desired = DesiredService.of(props)
        cluster = _cluster({**props, "adopt": ()}, desired.file)
        snapshot = handle.only_first(cluster.snapshot_for_refresh)
        if snapshot is None:
            return ReadResult(id_, props, known)
        target = desired.target(snapshot)
        found = live(cluster.ownership, props["service"], target.unit_hash, snapshot)
        if found is None:
            return ReadResult(None, {})
        unit, image = found.file.bare()
        if "secrets" in known:
            known["secrets"] = found.file.secrets
        inputs = {**known, "unit": unit.text, "image": image, "state": found.state, "adopt": []}
        if desired.windows:
            kept = keeps_windows(cluster, desired, snapshot)
            inputs["windows"] = [window.to_data() for window in desired.windows if kept]
        if desired.mode in (Mode.ROLLING, Mode.BLUE_GREEN):
            inputs["instances"] = found.instances
        elif missing := [name for name in target.names if name not in found.names]:
            inputs["state"] = f"{', '.join(missing)} missing"
        elif desired.mode is Mode.FLEET_GLOBAL and not is_offered(cluster.store, cluster.app, found.file):
            inputs["state"] = "its program is missing in etcd"
        outs = {**props, **inputs, "units": list(found.names), "machines": list(found.machines)}
        outs["content"] = found.file.unit_hash
        if desired.mode is Mode.PER_MACHINE:
            # Of machines that left none registers.
            outs["count"] = len(target.names)
        return ReadResult(id_, outs, inputs)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Stop and delete every unit with the mark of the service and of the stack that deployed it, and wait until it
        is gone; its maintenance ends. The app's keys in etcd are removed with its last unit. The units of tasks are
        removed with the machine agent, without which they do not run: no resource has that of a first deployment that
        was interrupted."""
        if handle_of(props["cluster"]).presence() is Presence.GONE:
            return
        cluster, service = _cluster({**props, "adopt": ()}, UnitFile.parse(props["unit"])), props["service"]
        if f"{service}.service" == agent_name(props["app"]):
            clear_all_units(cluster)
        snapshot = cluster.snapshot()
        names = instances_of(cluster.ownership, service, snapshot)
        if names:
            why = blocked_by(cluster, snapshot, service, names, None, but=current_tag(cluster))
            if why:
                raise RolloutFailed(f"Cannot remove {service}: {why}. Nothing was changed.")
            remove_service(cluster, service, status, cancelled)
        else:
            forget_service(cluster, service)
        forget_app(cluster, status)

    def _present(self, props: Mapping[str, Any]) -> tuple[str, ...]:
        """The units of the service on the cluster; none if the cluster is unreachable."""
        if not isinstance(props["cluster"], Mapping) or handle_of(props["cluster"]).presence() is not Presence.THERE:
            return ()  # in a preview the connection to a new cluster is not known yet
        cluster = _cluster({**props, "adopt": ()}, UnitFile.parse(props["unit"]))
        try:
            return instances_of(cluster.ownership, props["service"], cluster.snapshot_for_refresh())
        except ClusterUnreachable:
            return ()  # the next operation reports it

    def _records(self, props: Mapping[str, Any]) -> tuple[RolloutRecord, ...]:
        """The recorded rollouts of the service; none if the cluster does not answer."""
        if not isinstance(props["cluster"], Mapping) or handle_of(props["cluster"]).presence() is not Presence.THERE:
            return ()
        store = handle_of(props["cluster"]).connect(props["app"]).store
        try:
            return read_records(store, props["app"], props["service"])[0]
        except FleetCaptainError:
            return ()  # the next operation reports it

    def _own_outs(self, cluster: Cluster, props: Mapping[str, Any], desired: DesiredService) -> dict[str, Any] | None:
        """The outputs that Pulumi's state keeps of a service whose creation failed. None if the cluster does not
        answer, or has units with these names that are not ours: the state would claim them."""
        try:
            snapshot = cluster.snapshot()
            target = desired.target(snapshot)
            refuse_foreign(cluster.ownership, target, snapshot)
        except FleetCaptainError:
            return None
        return self._outs(cluster, props, target, snapshot)

    def _outs(self, cluster: Cluster, props: Mapping[str, Any], target: Target, snapshot: Snapshot) -> dict[str, Any]:
        found = live(cluster.ownership, props["service"], target.unit_hash, snapshot)
        return {
            **{key: props[key] for key in _INPUTS if key in props},
            "units": list(target.names),
            "machines": list(found.machines) if found else [],
            "content": target.unit_hash,
            # Windows add to that for some time only.
            "count": int(props["instances"]) if props.get("windows") else len(target.names),
        }


def _desired(props: Mapping[str, Any]) -> DesiredService:
    """The service of *props*. A rollback is the property of a run, not of a service: its settings stay in the state."""
    desired = DesiredService.of(props)
    return desired.rolled_back() if _is_rollback() else desired


def _is_rollback() -> bool:
    return bool(os.environ.get(RequestedRollback.VARIABLE))


def _cluster(props: Mapping[str, Any], file: UnitFile) -> Cluster:
    """The cluster, on which the units with the mark of *file* and those to adopt are ours."""
    stack = file.mark.stack if file.mark else ""
    return handle_of(props["cluster"]).connect(props["app"]).owned_by(stack, props.get("adopt", ()))


class FleetUnit(Resource):
    """One service. The arguments are the provider's inputs; see `RollingUpdateProvider`."""

    content: pulumi.Output[str]
    count: pulumi.Output[int]
    units: pulumi.Output[list[str]]
    machines: pulumi.Output[list[str]]

    def __init__(
        self,
        name: str,
        *,
        app: str,
        service: str,
        unit: pulumi.Input[str],
        image: pulumi.Input[str],
        instances: int,
        mode: str,
        rollout: Mapping[str, Any],
        adopt: pulumi.Input[Sequence[str]],
        cluster: pulumi.Input[Mapping[str, Any]],
        windows: Sequence[WindowSpec] = (),
        secrets: pulumi.Input[Mapping[str, str]] | None = None,
        replaces: pulumi.Input[Sequence[str] | None] = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"app": app, "service": service, "unit": unit, "image": image, "instances": instances, "mode": mode}
        outputs = {"content": None, "count": None, "units": None, "machines": None}
        settings = {"rollout": dict(rollout), "state": LAUNCHED, "adopt": adopt, "cluster": cluster}
        # An input that earlier versions do not have would be a change of each service.
        scale = {"windows": [window.to_data() for window in windows]} if windows else {}
        digests = {} if secrets is None else {"secrets": secrets}
        former = {} if replaces is None else {"replaces": replaces}
        super().__init__("Unit", name, {**inputs, **digests, **scale, **former, **settings, **outputs}, opts)
