"""Lists releases, as a table or as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetcaptain.discovery.documents import Release
from fleetcaptain.release.images import ImageState
from fleetcaptain.release.repository import Releases
from fleetcaptain.release.rollback import images_of, obstacles
from fleetcaptain.text_table import text_table
from fleetcaptain.units.mark import Ownership

__all__ = ["Row", "as_json", "rows", "table"]

_HEAD = ("TAG", "STATE", "WHEN", "WHO", "SERVICES", "ROLLBACK")


@dataclass(frozen=True)
class Row:
    """One release; its *state*: ``current``, ``previous``, ``unfinished`` or ""; *why_not*: why it cannot be rolled
    back to, empty when it can; and its *unknown* images, which their registry neither confirms nor denies."""

    manifest: Release
    state: str
    why_not: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def rows(releases: Releases, images: Mapping[str, ImageState], ownership: Ownership | None = None) -> tuple[Row, ...]:
    """One row per release, the last deployed first. *images* maps each image to its state. *ownership*: see
    `obstacles`."""
    return tuple(
        Row(
            manifest,
            _state(manifest, releases),
            obstacles(manifest, releases.texts, images, releases.secrets, ownership),
            tuple(image for image in images_of([manifest]) if images.get(image) is ImageState.UNKNOWN),
        )
        for manifest in reversed(releases.manifests)
    )


def as_json(row: Row) -> dict[str, Any]:
    """A release as JSON."""
    manifest = row.manifest
    services = {name: release.to_data() for name, release in sorted(manifest.services.items())}
    about = {"tag": manifest.tag, "state": row.state, "when": manifest.when, "who": manifest.who}
    return {
        **about,
        "services": services,
        "can_go_back": not row.why_not,
        "why_not": list(row.why_not),
        "unknown_images": list(row.unknown),
    }


def table(found: Sequence[Row]) -> list[str]:
    """The lines of the table."""
    return text_table(_HEAD, [_cells(row) for row in found])


def _cells(row: Row) -> tuple[str, ...]:
    manifest = row.manifest
    services = ", ".join(
        f"{name} x{release.count}" if release.count > 1 else name for name, release in sorted(manifest.services.items())
    )
    rollback = f"yes, if {', '.join(row.unknown)} still exists" if row.unknown else "yes"
    if row.why_not:
        rollback = f"no: {'; '.join(row.why_not)}"
    return manifest.tag, row.state, manifest.when, manifest.who, services, rollback


def _state(manifest: Release, releases: Releases) -> str:
    if manifest.unfinished:
        return "unfinished"
    return {releases.previous: "previous", releases.current: "current"}.get(manifest.tag, "")
