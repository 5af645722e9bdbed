"""Lists the secrets of an app, never their values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fleetcaptain.release.repository import Releases
from fleetcaptain.text_table import text_table
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["SecretRow", "secret_json", "secret_rows", "secret_table", "unnamed"]

_HEAD = ("NAME", "SINCE", "SERVICES", "RELEASES", "IN ETCD")


@dataclass(frozen=True)
class SecretRow:
    """One value of the secret *name*: *since* when the oldest kept release has it, the *services* that have it in any
    release, the *releases* (tags, the newest first), and whether etcd has it (*kept*). One that no release has is of a
    task that runs once, or was left by a deployment that was interrupted."""

    name: str
    digest: str
    since: str
    services: tuple[str, ...]
    releases: tuple[str, ...]
    kept: bool


def unnamed(releases: Releases) -> tuple[str, ...]:
    """The digests of the values in etcd that no release names."""
    return tuple(sorted(releases.secrets - {digest for _, digest in _uses(releases)}))


def secret_rows(releases: Releases, others: Mapping[str, str] = MappingProxyType({})) -> tuple[SecretRow, ...]:
    """A row for each value of each secret, by name, the newest first. *others*: digest -> name of those that no release
    names."""
    found = _uses(releases)
    rows = [
        SecretRow(
            name,
            digest,
            min(when for when, _, _ in uses),
            tuple(sorted({service for _, service, _ in uses})),
            tuple(dict.fromkeys(tag for _, _, tag in reversed(uses))),
            digest in releases.secrets,
        )
        for (name, digest), uses in found.items()
    ]
    rows += [SecretRow(name, digest, "", (), (), kept=True) for digest, name in others.items()]
    rows.sort(key=lambda row: row.since, reverse=True)
    return tuple(sorted(rows, key=lambda row: row.name))


def secret_table(rows: Sequence[SecretRow]) -> list[str]:
    """The lines of the table."""
    cells = [
        (
            row.name,
            row.since or "-",
            ", ".join(row.services) or "-",
            ", ".join(row.releases) or "-",
            "yes" if row.kept else "no",
        )
        for row in rows
    ]
    return text_table(_HEAD, cells)


def secret_json(row: SecretRow) -> dict[str, Any]:
    """A row as JSON."""
    return {
        "name": row.name,
        "since": row.since,
        "services": list(row.services),
        "releases": list(row.releases),
        "in_etcd": row.kept,
    }


def _uses(releases: Releases) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """(Name, digest) -> each use of that value: since when, the service, and the release, the last deployed one
    last."""
    found: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for manifest in releases.manifests:
        for service, release in sorted(manifest.services.items()):
            for name, digest in _secrets(releases.texts, release.unit_hash).items():
                found.setdefault((name, digest), []).append((manifest.when, service, manifest.tag))
    return found


def _secrets(texts: Mapping[str, str], unit_hash: str) -> dict[str, str]:
    return UnitFile.parse(texts[unit_hash]).secrets if unit_hash in texts else {}
