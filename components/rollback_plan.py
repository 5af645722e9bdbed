"""Plans a rollback: reads the release, checks that it can be deployed, and returns the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.deployment_plan import Plan
from components.engine import diagnostics
from components.engine.abort import abort
from fleetcaptain.discovery.documents import Release
from fleetcaptain.errors import FleetCaptainError, ReleaseRefused
from fleetcaptain.release.images import ImageState
from fleetcaptain.release.release_name import ReleaseName
from fleetcaptain.release.repository import Releases, read_releases
from fleetcaptain.release.rollback import images_of, obstacles, order_back, unknown_release
from fleetcaptain.release.service_release import parts_of_manifest
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import instances_of
from fleetcaptain.rollout.preflight import find_images
from fleetcaptain.secrets.release_secrets import find_openers
from fleetcaptain.tasks.periodic_pair import pairs_on
from fleetcaptain.units.mark import Mark, Ownership
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["plan_back"]


def plan_back(connection: Mapping[str, Any], ownership: Ownership, tag: str) -> tuple[Plan, tuple[str, ...]]:
    """The plan that rolls everything back to the release *tag*, and the services of all known releases: the ones that
    *tag* lacks are not strays, and are removed.

    Ends the program without a change if that release is unknown or incomplete, or if another stack deployed it.
    """
    handle = handle_of(connection)
    if handle.presence() is not Presence.THERE:
        abort(_not_there(tag, handle.problem()))
    cluster = handle.connect(ownership.app)
    try:
        releases = read_releases(cluster.store, ownership.app)
        plan = _plan(cluster, ownership, releases, tag)
    except FleetCaptainError as error:
        abort(error)
    diagnostics.info(
        f"Deploying the release {tag} instead of the Fleetfile. To deploy the Fleetfile again, "
        "run `pulumi config rm fleetcaptain:rollbackTo`"
    )
    services = {service for manifest in releases.manifests for service in manifest.services}
    return plan, tuple(sorted(services))


def _plan(cluster: Cluster, ownership: Ownership, releases: Releases, tag: str) -> Plan:
    manifest = releases.named(tag)
    if manifest is None:
        raise unknown_release(tag, releases)
    images = find_images(cluster, images_of([manifest]))
    problems: Sequence[str] = obstacles(manifest, releases.texts, images, releases.secrets)
    files = {} if problems else {one: UnitFile.parse(releases.texts[one]) for one in manifest.unit_hashes.values()}
    problems = problems or _of_others(ownership, manifest, files)
    openers = find_openers(cluster, {name: one for file in files.values() for name, one in file.secrets.items()})
    if not problems and (obstacle := openers.obstacle()):
        problems = [obstacle]
    if problems:
        advice = "Choose another release: `captain releases` shows the ones that you can roll back to."
        raise ReleaseRefused(f"Cannot roll back to {tag}. Nothing was changed:", [*problems, advice])
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
    return Plan(parts, refs, ReleaseName(tag), order, is_rollback=True, kept=kept, secrets=secrets)


def _of_others(ownership: Ownership, manifest: Release, files: Mapping[str, UnitFile]) -> list[str]:
    """The services whose recorded text has another mark, or none: their units would not be this stack's."""
    found = []
    for service, release in sorted(manifest.services.items()):
        mark = files[release.unit_hash].mark
        if mark is None:
            found.append(f"{service}: its unit has no mark of FleetCaptain, so no stack could remove it")
        elif mark != Mark(ownership.app, ownership.stack, service):
            found.append(f"{service}: its unit is marked as {mark.service} of the app {mark.app!r}, stack {mark.stack}")
    return found


def _not_there(tag: str, problem: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"Cannot roll back to {tag}: only the cluster has its record, and it does not answer. Nothing was changed.",
        [
            *filter(None, [problem]),
            "To deploy the Fleetfile instead, which also makes missing machines again, run `pulumi config rm "
            "fleetcaptain:rollbackTo`.",
        ],
    )
