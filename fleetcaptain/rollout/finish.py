"""Finishes a rollout: retires old generations, prunes releases, and explains drift after a failure."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.keys import release_key, releases_dir
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.mode import Mode
from fleetcaptain.release.drift import format_drift, services_ahead
from fleetcaptain.release.kept_images import write_kept_images
from fleetcaptain.release.repository import manifest_of, read_manifests, services_in
from fleetcaptain.release.retention import prune
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.depart import remove_service
from fleetcaptain.rollout.dependents import blocked_by
from fleetcaptain.rollout.journal import guarded
from fleetcaptain.rollout.observe import instances_of
from fleetcaptain.rollout.release_gate import current_tag
from fleetcaptain.rollout.retire import retire
from fleetcaptain.rollout.rollback_check import running_hashes
from fleetcaptain.rollout.strays import find_departed

__all__ = ["after_failure", "remove_departed", "retire_old", "texts_with_images", "tidy"]


def after_failure(cluster: Cluster) -> str:
    """What a failed rollout adds to its error: the services ahead of the current release, and how to roll back.
    Empty before the first release, and when the cluster does not answer."""
    try:
        tag = current_tag(cluster)
        manifests = read_manifests(cluster.store, cluster.app)
        current = next((manifest for manifest in manifests if manifest.tag == tag), None)
        if current is None:
            return ""
        running = running_hashes(cluster.ownership, (current, manifests[-1]), cluster.snapshot())
        return format_drift(current, services_ahead(current, running), cluster.ownership.stack)
    except FleetCaptainError:
        return ""


def retire_old(
    cluster: Cluster, tag: str, report: Callable[[str], None], stopping: Callable[[], bool] = lambda: False
) -> tuple[str, ...]:
    """Remove the generations of blue/green services that were kept for services of another release, now that the
    release *tag* is current. Returns a message for each one that is still required."""
    manifest = manifest_of(cluster.store.read(release_key(cluster.app, tag)))
    if manifest is None:
        return ()
    kept = []
    snapshot = cluster.snapshot()
    for service, release in manifest.services.items():
        present = instances_of(cluster.ownership, service, snapshot)
        old = [name for name in present if snapshot.units[name].unit_hash != release.unit_hash]
        if release.mode is not Mode.BLUE_GREEN or not old:
            continue
        why = blocked_by(cluster, snapshot, service, old, release.unit_hash)
        if why:
            kept.append(f"keeping {', '.join(old)}: {why}")
            continue
        with guarded(cluster, service, release.unit_hash, report, stopping=stopping, strategy="retire") as (
            fenced,
            latest,
        ):
            keep_old_sec = float(release.rollout.get("keep_old_sec", 0))
            retire(fenced, latest, service, old, keep_old_sec=keep_old_sec, report=report)
        snapshot = cluster.snapshot()  # the units that were removed may have required the next service
    return tuple(kept)


def remove_departed(
    cluster: Cluster, tag: str, report: Callable[[str], None], stopping: Callable[[], bool] = lambda: False
) -> tuple[str, ...]:
    """Remove the units of services that left the app, now that the release *tag* is current, those that no state has
    among them. Returns a message for each service that another one still requires."""
    manifests = read_manifests(cluster.store, cluster.app)
    declared, recorded = services_in(one for one in manifests if one.tag == tag), services_in(manifests)
    while True:
        snapshot = cluster.snapshot()
        departed = find_departed(snapshot.units, cluster.ownership, declared, recorded) if declared else {}
        kept = {service: blocked_by(cluster, snapshot, service, names, None) for service, names in departed.items()}
        free = [service for service, why in kept.items() if not why]
        for service in free:
            remove_service(cluster, service, report, stopping)
        if not free:  # else one that was kept may be free now
            return tuple(f"keeping {', '.join(departed[service])}: {why}" for service, why in kept.items())


def tidy(cluster: Cluster, repositories: Collection[str] = (), secrets: Collection[str] = ()) -> tuple[str, ...]:
    """Delete the releases that are no longer retained, and let the machines remove their images. *repositories*: those
    that the app's images are pushed to, with their registry; returned with those of earlier releases. *secrets*: the
    digests of those that the deployment has, which are kept."""
    # First: the images of a release that is deleted now are named for the last time.
    kept = write_kept_images(cluster.store, cluster.app, repositories)
    prune(cluster.store, cluster.app, (unit.file for unit in cluster.snapshot().units.values()), secrets)
    return kept.own


def texts_with_images(cluster: Cluster) -> tuple[str, ...]:
    """The texts that name the images which this cluster may need again: the records of the releases of all apps, and
    the units. A record may be a newer version's, so they are not parsed."""
    store = cluster.store
    records = (node.value for app in Access(store.request).apps() for node in store.below(releases_dir(app)))
    return (*records, *(unit.text for unit in cluster.snapshot().units.values()))
