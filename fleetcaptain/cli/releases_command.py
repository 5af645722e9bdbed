"""``captain releases``: lists the releases and whether each can be rolled back to."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Etcd, Key, Ssh, Stack, TargetApp, by_environment, site

if TYPE_CHECKING:
    from fleetcaptain.release.images import ImageState
    from fleetcaptain.release.repository import Releases
    from fleetcaptain.units.mark import Ownership

__all__ = ["add"]

_PROBE_SEC = 60


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def releases(
        *,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        etcd: Etcd = None,
        app: TargetApp = None,
    ) -> None:
        """List releases and whether each can be rolled back to.

        The newest comes first. A rollback needs the unit texts, which etcd keeps, and the images: a machine of the
        cluster checks their registry, or with --etcd this computer does. To roll back, run `captain rollback TAG`.

        Example: captain releases --json
        """
        from fleetcaptain.release.listing import as_json, rows, table

        inside = by_environment(etcd, stack, ssh)
        found = rows(*_by_etcd(etcd, app)) if inside else rows(*_by_ssh(app, stack, ssh, key))
        if json_wanted:
            echo_json([as_json(row) for row in found])
        elif found:
            echo("\n".join(table(found)))
        else:
            echo("No releases. Deploy one with `pulumi up`.", error=True)


def _by_ssh(
    app: str | None, stack: str | None, ssh: Sequence[str] | None, key: str
) -> tuple[Releases, dict[str, ImageState], Ownership | None]:
    from fleetcaptain.release.repository import read_releases
    from fleetcaptain.release.rollback import images_of
    from fleetcaptain.rollout.connect import open_cluster
    from fleetcaptain.rollout.preflight import find_images

    where = site(app, stack, ssh, key)
    cluster = open_cluster(where.endpoint, where.app)
    known = read_releases(cluster.store, where.app)
    # Without a stack it is unknown who rolls back.
    ownership = cluster.owned_by(where.stack).ownership if where.stack else None
    return known, find_images(cluster, images_of(known.manifests)), ownership


def _by_etcd(etcd: str | None, app: str | None) -> tuple[Releases, dict[str, ImageState]]:
    from fleetcaptain.discovery.etcd_store import EtcdStore
    from fleetcaptain.discovery.identity import Identity
    from fleetcaptain.release.images import probed
    from fleetcaptain.release.repository import read_releases
    from fleetcaptain.release.rollback import images_of

    identity = Identity.from_environment(app=app, etcd=etcd)
    known = read_releases(EtcdStore(lambda: identity.etcd), identity.app)
    images = images_of(known.manifests)
    return known, probed(images, _from_here(images))


def _from_here(images: Sequence[str]) -> str | None:
    from fleetcaptain.release.images import probe_argv

    if not images:
        return None
    try:
        done = subprocess.run(
            probe_argv(images),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=_PROBE_SEC,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
