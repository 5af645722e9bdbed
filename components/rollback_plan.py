"""Plans a rollback: reads the release, checks that it can be deployed, and returns the plan. It needs no Fleetfile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.deployment_plan import Plan
from components.engine import diagnostics
from components.engine.abort import abort
from components.engine.recorded_state import recorded_resources
from components.recorded_builds import APP
from fleetcaptain.errors import FleetCaptainError, FleetfileError, ReleaseRefused, with_more
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.values import App
from fleetcaptain.release.balanced_app import adapted
from fleetcaptain.release.images import ImageState
from fleetcaptain.release.release_name import ReleaseName
from fleetcaptain.release.renames import renamed_back
from fleetcaptain.release.repository import Releases, read_releases
from fleetcaptain.release.rollback import (
    DEPLOY_FLEETFILE,
    RequestedRollback,
    order_back,
    refused_release,
    unknown_release,
)
from fleetcaptain.release.service_release import parts_of_manifest
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import instances_of
from fleetcaptain.rollout.rollback_check import checked_images
from fleetcaptain.secrets.release_secrets import find_openers
from fleetcaptain.tasks.periodic_pair import pairs_on
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["load_for", "plan_back"]


def load_for(root: Path, cluster: str | None, requested: RequestedRollback | None) -> App:
    """The app in *root*, as it is on a *cluster* of this kind. A rollback (*requested*) deploys a record, so that a
    Fleetfile with mistakes does not stop it: of the app only the name is needed, which the state has. But a cluster on
    AWS is itself made of the Fleetfile: its load balancer, and the machines of windows. Raises FleetfileError."""
    try:
        return adapted(load(root), cluster)
    except FleetfileError as error:
        names = [name for _, name in recorded_resources({APP})] if requested else []
        if requested is None or len(names) != 1:
            raise
        if cluster == ClusterKind.AWS:
            raise with_more(
                error,
                "The rollback does not deploy the Fleetfile, but on AWS the load balancer and the machines of windows "
                "follow from it. Correct it, or run the rollback with an earlier one: `git stash`, `git checkout TAG`.",
            ) from error
        heading = f"Rolling back to {requested.tag} without the Fleetfile. Correct it before the next `pulumi up`:"
        diagnostics.warn("\n  ".join([heading, *error.problems]))
        return App(names[0], (), root if root.is_dir() else root.parent)


def plan_back(connection: Mapping[str, Any], ownership: Ownership, requested: RequestedRollback) -> Plan:
    """The plan that rolls everything back to the *requested* release. Services that it lacks are removed, as those that
    left the Fleetfile are.

    Ends the program without a change if that release is unknown or incomplete, or if another stack deployed it.
    """
    handle = handle_of(connection)
    if handle.presence() is not Presence.THERE:
        abort(_not_there(requested.tag, handle.problem()))
    cluster = handle.connect(ownership.app)
    try:
        releases = read_releases(cluster.store, ownership.app)
        plan = _plan(cluster, ownership, releases, requested.tag)
    except FleetCaptainError as error:
        abort(error)
    diagnostics.info(requested.notice)
    return plan


def _plan(cluster: Cluster, ownership: Ownership, releases: Releases, tag: str) -> Plan:
    manifest = releases.named(tag)
    if manifest is None:
        raise unknown_release(tag, releases)
    images = checked_images(cluster, ownership, releases, manifest)
    files = {one: UnitFile.parse(releases.texts[one]) for one in manifest.unit_hashes.values()}
    openers = find_openers(cluster, {name: one for file in files.values() for name, one in file.secrets.items()})
    if obstacle := openers.obstacle():
        raise refused_release(tag, [obstacle])
    if warning := openers.warning(tag):
        diagnostics.warn(warning)
    for image, state in images.items():
        if state is ImageState.UNKNOWN:
            diagnostics.warn(
                f"Could not check whether {image} still exists: its registry does not answer, or requires another login"
            )
    parts, refs = parts_of_manifest(manifest, files)
    snapshot = cluster.snapshot()
    kept = pairs_on(ownership, snapshot)
    running = {part.service for part in parts if instances_of(ownership, part.service, snapshot)}
    secrets = {
        service: files[release.unit_hash].secrets
        for service, release in manifest.services.items()
        if files[release.unit_hash].secrets
    }
    order = order_back(parts, running)
    renames = renamed_back(parts, releases.manifests)
    return Plan(parts, refs, ReleaseName(tag), order, is_rollback=True, kept=kept, secrets=secrets, renames=renames)


def _not_there(tag: str, problem: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"Cannot roll back to {tag}: only the cluster has its record, and it does not answer. Nothing was changed.",
        [*filter(None, [problem]), f"{DEPLOY_FLEETFILE} That also makes missing machines again."],
    )
