"""Removes images from the registry of a local cluster.

The registry's API deletes nothing, since it asks for no login. What it would remove of an image is removed in its
storage. The registry frees the bytes when it starts, before it serves: a push at the same time as the collection of
garbage could lose a layer. See https://distribution.github.io/distribution/about/garbage-collection/.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.localcluster.docker_client import docker_errors, exec_in, find

__all__ = ["COLLECTING_ENTRYPOINT", "DRAINING", "clean_registry", "collects_garbage", "digests_in"]

_CONFIG = "/etc/registry/config.yml"
COLLECTING_ENTRYPOINT = (
    "/bin/sh",
    "-c",
    f"docker-registry garbage-collect {_CONFIG} >/dev/null; exec docker-registry serve {_CONFIG}",
)
"""Collects garbage, which fails in an empty registry, then serves."""

DRAINING = ("REGISTRY_HTTP_DRAINTIMEOUT=30s",)
"""The environment of a registry that has time for the requests that it is answering when it is stopped."""

_STOP_SEC = 60
_DATA = "/var/lib/registry/docker/registry/v2"
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_REVISION = re.compile("/sha256/([0-9a-f]{64})/link$", re.MULTILINE)
_UPLOADS = f"find {_DATA}/repositories -path '*/_uploads/*' -mmin -10"
_REVISIONS = f'find "{_DATA}/repositories/$1/_manifests/revisions/sha256" -name link 2>/dev/null'
_MANIFESTS = f'set -e; for hex; do cat "{_DATA}/blobs/sha256/$(printf %.2s "$hex")/$hex/data"; done'
# REPOSITORY HEX...: each manifest, and the tags that name it.
_FORGET = f"""set -e
manifests="{_DATA}/repositories/$1/_manifests"
shift
for hex; do
  for tag in "$manifests"/tags/*; do
    [ "$(cat "$tag/current/link" 2>/dev/null)" != "sha256:$hex" ] || rm -rf "$tag"
    rm -rf "$tag/index/sha256/$hex"
  done
  rm -rf "$manifests/revisions/sha256/$hex"
done"""
_ANSWERS = "curl -sS -f -m 60 -o /dev/null --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:5000/v2/"


def digests_in(texts: Iterable[str]) -> frozenset[str]:
    """Every SHA-256 digest in *texts*. Pure."""
    return frozenset(digest for text in texts for digest in _DIGEST.findall(text))


def collects_garbage(registry: Any) -> bool:
    """Whether the container of a registry is one that `clean_registry` can clean, not an earlier version's."""
    return tuple(registry.attrs["Config"]["Entrypoint"] or ()) == COLLECTING_ENTRYPOINT


def clean_registry(identity: str, named: Collection[str], repositories: Collection[str]) -> tuple[str, ...]:
    """Remove from the registry of the cluster *identity* all images of *repositories* (with their registry) but those
    with the digests *named*, and return them. Nothing is removed while an image is being pushed.

    Call it only while no deployment of the app can push: a digest that no release names yet is removed. Raises
    FleetCaptainError.
    """
    registry = next(
        (one for one in find(identity, "registry") if one.status == "running" and collects_garbage(one)), None
    )
    if registry is None:
        return ()
    ports = registry.attrs["HostConfig"]["PortBindings"].get("5000/tcp") or ()
    hosts = {f"127.0.0.1:{binding['HostPort']}" for binding in ports}
    if _run(registry, "look for uploads", _UPLOADS).strip():
        return ()
    removed = []
    for repository in repositories:
        host, _, name = repository.partition("/")
        if host in hosts:
            there = frozenset(f"sha256:{found}" for found in _REVISION.findall(_listed(registry, name)))
            gone = sorted(there - _needed(registry, there & set(named), there))
            if gone:
                _run(registry, "delete images", _FORGET, name, *(digest.partition(":")[2] for digest in gone))
            removed += [f"{name}@{digest}" for digest in gone]
    if removed:
        with docker_errors(f"restart {registry.name}"):
            registry.restart(timeout=_STOP_SEC)
        _run(registry, "start", _ANSWERS)
    return tuple(removed)


def _needed(registry: Any, named: frozenset[str], there: frozenset[str]) -> frozenset[str]:
    """*named*, and what they consist of: an image for several platforms names the manifest of each."""
    needed, unread = named, named
    while unread:
        text = _run(registry, "read manifests", _MANIFESTS, *(digest.partition(":")[2] for digest in sorted(unread)))
        unread = digests_in([text]) & there - needed
        needed |= unread
    return needed


def _listed(registry: Any, name: str) -> str:
    # A repository that nothing was pushed to has no folder.
    return exec_in(registry, "sh", "-c", _REVISIONS, "sh", name)[1]


def _run(registry: Any, doing: str, script: str, *arguments: str) -> str:
    code, output = exec_in(registry, "sh", "-c", script, "sh", *arguments)
    if code:
        raise FleetCaptainError(
            f"The registry {registry.name} could not {doing}: {output.strip()[-300:] or f'exit status {code}'}. "
            f"See `docker logs {registry.name}`; the next `pulumi up` tries again."
        )
    return output
