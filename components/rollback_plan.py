"""Going back to a release: read it, see that it can be done, and say what is to be deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.deployment_plan import Plan
from components.engine import diagnostics as log
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
from fleetcaptain.units.mark import Mark, Ownership
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["plan_back"]


def plan_back(connection: Mapping[str, Any], ownership: Ownership, tag: str) -> tuple[Plan, tuple[str, ...]]:
    """What brings everything back to the release *tag*, and the services of all releases that are known: those of them
    that *tag* lacks are no strays, but go.

    Ends the program, with nothing touched, when that release is unknown, something of it is gone, or another stack
    deployed it.
    """
    handle = handle_of(connection)
    if handle.presence() is not Presence.THERE:
        abort(_not_there(tag))
    cluster = handle.connect(ownership.app)
    try:
        releases = read_releases(cluster.store, ownership.app)
        plan = _plan(cluster, ownership, releases, tag)
    except FleetCaptainError as error:
        abort(error)
    log.info(
        f"going back to {tag}, or staying there: the Fleetfile is not deployed until "
        "`pulumi config rm fleetcaptain:rollbackTo`"
    )
    services = {service for manifest in releases.manifests for service in manifest.services}
    return plan, tuple(sorted(services))


def _plan(cluster: Cluster, ownership: Ownership, releases: Releases, tag: str) -> Plan:
    manifest = releases.named(tag)
    if manifest is None:
        raise unknown_release(tag, releases)
    images = find_images(cluster, images_of([manifest]))
    problems: Sequence[str] = obstacles(manifest, releases.texts, images)
    files = {} if problems else {one: UnitFile.parse(releases.texts[one]) for one in manifest.unit_hashes.values()}
    problems = problems or _of_others(ownership, manifest, files)
    if problems:
        advice = "Choose another release; `captain releases` says which can be gone back to."
        raise ReleaseRefused(f"It is not possible to go back to {tag}; nothing was touched:", [*problems, advice])
    for image, state in images.items():
        if state is ImageState.UNKNOWN:
            log.warn(f"whether {image} still exists is not known: its registry does not say")
    parts, refs = parts_of_manifest(manifest, files)
    snapshot = cluster.snapshot()
    running = {part.service for part in parts if instances_of(ownership, part.service, snapshot)}
    return Plan(parts, refs, ReleaseName(tag), order_back(parts, running), is_rollback=True)


def _of_others(ownership: Ownership, manifest: Release, files: Mapping[str, UnitFile]) -> list[str]:
    """The services whose recorded text carries another mark, or none: their units would not be this stack's."""
    found = []
    for service, release in sorted(manifest.services.items()):
        mark = files[release.unit_hash].mark
        if mark is None:
            found.append(f"{service}: its unit has no mark of FleetCaptain, so no stack could remove it")
        elif mark != Mark(ownership.app, ownership.stack, service):
            found.append(f"{service}: its unit is marked as {mark.service} of the app {mark.app!r}, stack {mark.stack}")
    return found


def _not_there(tag: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"{tag} cannot be gone back to: what it is made of is recorded in the cluster, which does not run.",
        [
            "Start its machines (those of a local cluster are containers: `docker ps --all`, `docker start`), or "
            "deploy the Fleetfile: `pulumi config rm fleetcaptain:rollbackTo`. Nothing was touched."
        ],
    )
