"""Reads an app's registrations and releases in one request, so that they are of one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from fleetcaptain.discovery.documents import manifest_at, registration_at
from fleetcaptain.discovery.instances import Registry
from fleetcaptain.discovery.keys import app_dir, current_key, pending_key, releases_dir, services_dir
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.discovery.log import log
from fleetcaptain.untrusted import Ignored, read_all

__all__ = ["read_app"]


def read_app(api: KeysApi, app: str) -> tuple[Registry, int]:
    """The registry of *app*, and etcd's index at that moment. Raises ClusterUnreachable.

    Each ignored value is logged as a warning, once per process.
    """
    answer = api.tree(app_dir(app))
    parts = {str(node.get("key")): node for node in answer.node.get("nodes") or ()}
    registrations, ignored = read_all(registration_at, _values(parts.get(services_dir(app))))
    manifests, ignored_too = read_all(manifest_at, _values(parts.get(releases_dir(app))))
    for entry in (*ignored, *ignored_too):
        _warn(entry)
    pending = _value(parts.get(pending_key(app)))
    known = Registry(
        registrations,
        tuple(manifest for manifest in manifests if not manifest.unfinished),
        _value(parts.get(current_key(app))),
        next((manifest for manifest in manifests if manifest.tag == pending), None),
        (*ignored, *ignored_too),
    )
    return known, answer.index


@lru_cache(maxsize=1024)
def _warn(entry: Ignored) -> None:
    log.warning("Ignored the value in etcd at %s", entry)


def _values(node: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """All keys, with their values, at and below *node*."""
    if node is None:
        return
    if not node.get("dir"):
        yield str(node.get("key", "")), str(node.get("value", ""))
    for below in node.get("nodes") or ():
        yield from _values(below)


def _value(node: Mapping[str, Any] | None) -> str:
    return str((node or {}).get("value") or "")
