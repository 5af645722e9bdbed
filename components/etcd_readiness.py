"""``EtcdReadiness``: a deployment is done when every service is registered in etcd under the release."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.balanced_targets import PublicTarget
from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine.dynamic_resource import (
    PartialFailure,
    Resource,
    cancelled,
    status,
    warn,
)
from fleetcaptain.discovery.available import endpoints, lacks, serving
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.errors import FleetCaptainError, with_more
from fleetcaptain.release.repository import read_manifests, services_in
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.finish import after_failure, remove_departed, retire_old, tidy
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.release_gate import current_tag, open_gate
from fleetcaptain.rollout.strays import find_departed
from fleetcaptain.tasks.periodic_pair import tasks_on
from fleetcaptain.tasks.task_units import clear_all_units, clear_ended_units
from fleetcaptain.units.agent_calls import proxy_name
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.names import machine_names

__all__ = ["EtcdReadiness", "ReadinessProvider"]

_INPUTS = (
    "app",
    "stack",
    "release",
    "services",
    "periodic",
    "repositories",
    "secrets",
    "targets",
    "timeout_sec",
    "ready",
    "cluster",
)


class ReadinessProvider(ResourceProvider):
    """Waits until a recorded release is available, makes it current, and removes generations kept for other services,
    the units of services that left the app, and the units of tasks that no resource has.

    Inputs: ``app``; ``stack`` (``project/stack``), whose units they are; ``release``, the tag; ``services``, name ->
    ``content``, ``count``, ``image``, ``scheme``; ``periodic``, the names of the periodic tasks, left out if there are
    none; ``repositories``, those that the app's images are pushed to, with their registry, none for a rollback;
    ``secrets``, the digests of the deployment's secrets, left out if there are none; ``targets``, public
    port -> its target group at the load balancer, left out if there is none; ``timeout_sec``; ``ready``, always
    True (it reads back False if the release is no longer available, or the cluster has the units of another periodic
    task, or of a service that only other releases have); ``cluster``, a connection. Outputs: the inputs, and
    ``endpoints``, service -> URLs.
    """

    internal_inputs = frozenset({"periodic", "repositories", "secrets", "services", "targets"})

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait for the release. Raises DeadlineExceeded; the previous release then stays current."""
        try:
            return CreateResult(props["app"], self._open(props))
        except FleetCaptainError as error:
            outs = {**_known(props), "ready": False, "endpoints": {}}
            raise PartialFailure(props["app"], outs, str(error)) from error

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Wait for the release. Raises DeadlineExceeded; the previous release then stays current."""
        return UpdateResult(self._open(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Whether the release is still available, and the endpoints in discovery."""
        handle = handle_of(props["cluster"])
        there = handle.presence()
        if there is Presence.GONE:
            return ReadResult(None, {})
        snapshot, current = None, False
        if there is Presence.THERE:
            cluster = handle.connect(props["app"])
            snapshot = handle.only_first(cluster.snapshot_for_refresh)
            current = snapshot is not None and current_tag(cluster) == props["release"]
        if snapshot is None:
            return ReadResult(id_, {**props, "ready": False}, {**_known(props), "ready": False})
        manifest = _manifest(props)
        ready = (
            current
            and handle.is_whole()
            and not lacks(manifest, snapshot.live)
            and not _undeclared(props, snapshot)
            and not _departed(cluster, props, snapshot)
        )
        outs = {**props, "ready": ready, "endpoints": _endpoints(props, manifest, snapshot)}
        return ReadResult(id_, outs, {**_known(props), "ready": ready})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove the units of tasks. The app is about to go, and no other resource has those of a deployment that was
        killed. With a cluster that this stack made they go by themselves; its data needs consent, and this resource is
        the first to go. Raises ClusterRefused."""
        handle = handle_of(props["cluster"])
        if handle.presence() is Presence.GONE:
            return
        if handle.is_own:
            handle.refuse_loss()
        else:
            clear_all_units(handle.connect(props["app"]).owned_by(props.get("stack", "")))

    def _open(self, props: Mapping[str, Any]) -> dict[str, Any]:
        handle = handle_of(props["cluster"])
        cluster = handle.connect(props["app"]).owned_by(props["stack"])
        manifest = _without_lost(_manifest(props), cluster)
        try:
            snapshot = open_gate(cluster, manifest, float(props["timeout_sec"]), status, cancelled)
        except FleetCaptainError as error:
            raise with_more(error, after_failure(cluster)) from error
        for left in retire_old(cluster, props["release"], status, cancelled):
            warn(left)
        for left in remove_departed(cluster, props["release"], status, cancelled):
            warn(left)
        clear_ended_units(cluster, props.get("periodic", ()))
        public = _targets(props, manifest, snapshot)
        if public:
            handle.wait_balanced(public, float(props["timeout_sec"]), status, cancelled)
        own = tidy(cluster, props.get("repositories", ()), props.get("secrets", ()))
        try:
            handle.clean_registry(cluster, own)
        except FleetCaptainError as error:
            warn(f"The release is available, but old images stay in the registry. {error}")
        return {**_known(props), "endpoints": _endpoints(props, manifest, snapshot)}


def _known(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in _INPUTS if key in props}


def _targets(props: Mapping[str, Any], manifest: Release, snapshot: Snapshot) -> Mapping[str, PublicTarget]:
    """The load balancer's, each with the machines whose proxy serves. The release of a rollback may have none, and
    maintenance takes all of them out."""
    name, targets = proxy_name(props["app"]), props.get("targets") or {}
    release = manifest.services.get(name)
    if release is None or not (proxies := serving(name, release, manifest.tag, snapshot.live)):
        return {}
    return {port: PublicTarget(arn, len(proxies)) for port, arn in targets.items()}


def _undeclared(props: Mapping[str, Any], snapshot: Snapshot) -> set[str]:
    """The periodic tasks whose units a deployment left that was killed, or failed."""
    found = tasks_on(Ownership(props["app"], props.get("stack", "")), snapshot)
    return {*found}.difference(props.get("periodic", ()))


def _departed(cluster: Cluster, props: Mapping[str, Any], snapshot: Snapshot) -> Mapping[str, tuple[str, ...]]:
    """The services that left the app whose units a deployment left that was killed, or failed."""
    recorded = services_in(read_manifests(cluster.store, cluster.app))
    return find_departed(snapshot.units, Ownership(props["app"], props.get("stack", "")), props["services"], recorded)


def _manifest(props: Mapping[str, Any]) -> Release:
    services = {
        name: ServiceRelease(entry["content"], int(entry["count"]), entry["image"])
        for name, entry in props["services"].items()
    }
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return Release(props["release"], services, who, datetime.now(UTC).isoformat(timespec="seconds"))


def _without_lost(manifest: Release, cluster: Cluster) -> Release:
    """*manifest* without the units of machines that left, such as in the update that made the cluster smaller. They
    register when their machine is back."""
    snapshot = cluster.snapshot()
    services = {}
    for service, release in manifest.services.items():
        names = instances_of(cluster.ownership, service, snapshot)
        machines = [snapshot.units[name].file.rules(name).machine_id for name in names]
        lost = [id_ for id_ in machines if id_ not in snapshot.machines and machine_names(service, [id_])[0] in names]
        services[service] = replace(release, count=min(release.count, len(names) - len(lost))) if lost else release
    return replace(manifest, services=services)


def _endpoints(props: Mapping[str, Any], manifest: Release, snapshot: Snapshot) -> dict[str, list[str]]:
    schemes = {name: entry["scheme"] for name, entry in props["services"].items()}
    return endpoints(manifest, snapshot.live, schemes)


class EtcdReadiness(Resource):
    """The gate of a release. The arguments are the provider's inputs; see `ReadinessProvider`."""

    endpoints: pulumi.Output[dict[str, list[str]]]
    release: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        app: str,
        stack: str,
        release: pulumi.Input[str],
        services: Mapping[str, Any],
        periodic: Sequence[str],
        repositories: pulumi.Input[Sequence[pulumi.Input[str]]],
        timeout_sec: float,
        cluster: pulumi.Input[Mapping[str, Any]],
        secrets: pulumi.Input[Sequence[str]] | None = None,
        targets: Mapping[str, pulumi.Input[str]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"app": app, "stack": stack, "release": release, "services": services, "timeout_sec": timeout_sec}
        more: dict[str, Any] = {"repositories": repositories, "ready": True}
        if periodic:  # else a state of an earlier version would differ
            more["periodic"] = list(periodic)
        if secrets is not None:
            more["secrets"] = secrets
        if targets:
            more["targets"] = dict(targets)
        super().__init__("Readiness", name, {**inputs, **more, "cluster": cluster, "endpoints": None}, opts)
