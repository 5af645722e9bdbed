"""Checks, before anything is changed, that a stack can be rolled back, and to which release."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from fleetcaptain.discovery.documents import Release
from fleetcaptain.release.drift import services_changed
from fleetcaptain.release.images import ImageState
from fleetcaptain.release.repository import Releases, read_releases
from fleetcaptain.release.rollback import images_of, obstacles, refused_release, rollback_target
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.preflight import find_images
from fleetcaptain.units.mark import Ownership

__all__ = ["check_rollback", "checked_images", "running_hashes"]


def check_rollback(cluster: Cluster, tag: str | None, command: Callable[[str], str]) -> tuple[Releases, Release]:
    """The releases, and the one that a rollback goes to: *tag*, or the one before. *command* makes the command for
    another tag. Raises ReleaseRefused."""
    releases = read_releases(cluster.store, cluster.app)
    current = releases.named(releases.current)
    shown = [one for one in (current, releases.named(releases.pending)) if one is not None]
    running = running_hashes(cluster.ownership, shown, cluster.snapshot())
    changed = services_changed(current, running) if current else ()
    release = rollback_target(releases, tag, changed, command)
    checked_images(cluster, cluster.ownership, releases, release)
    return releases, release


def checked_images(
    cluster: Cluster, ownership: Ownership, releases: Releases, release: Release
) -> Mapping[str, ImageState]:
    """The images of *release*. Raises ReleaseRefused if it cannot be deployed again."""
    images = find_images(cluster, images_of([release]))
    if problems := obstacles(release, releases.texts, images, releases.secrets, ownership):
        raise refused_release(release.tag, problems)
    return images


def running_hashes(ownership: Ownership, releases: Iterable[Release], snapshot: Snapshot) -> dict[str, set[str]]:
    """Service of any of *releases* -> the unit hashes of its units. The pending release may have services that the
    current one does not have."""
    return {
        service: {snapshot.units[name].unit_hash for name in instances_of(ownership, service, snapshot)}
        for release in releases
        for service in release.services
    }
