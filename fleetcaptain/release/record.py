"""Records releases in etcd: before the first unit is rolled out, and again when the release is available."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fleetcaptain.discovery.documents import Release
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import current_key, pending_key, previous_key, release_key, rollback_key, text_key
from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.release.kept_images import write_kept_images
from fleetcaptain.release.repository import LastRollback, last_rollback, manifest_of
from fleetcaptain.release.rollback import rollback_command

__all__ = ["finish", "other_content", "record", "refuse_other_content"]


def record(
    store: EtcdStore,
    app: str,
    manifest: Release,
    texts: Mapping[str, str],
    stack: str = "",
    *,
    rollback: bool = False,
) -> None:
    """Write *manifest*, unfinished, and the unit *texts* (unit hash -> text), and make it the pending release. *stack*:
    the one that deploys it. *rollback*: whether it rolls back to this release.

    Raises ReleaseRefused when a release of this tag was available once with other unit hashes. One that never was
    available is replaced, so a failed release keeps its name once it is fixed.
    """
    key = release_key(app, manifest.tag)
    while True:
        node = store.read(key)
        known = manifest_of(node)
        refuse_other_content(known, manifest, stack)
        if node is None:
            written = store.create(key, replace(manifest, unfinished=True).to_json())
        else:
            written = store.swap(key, node, _renewed(known, manifest).to_json())
        if written:
            break
    for unit_hash, text in texts.items():
        store.create(text_key(app, unit_hash), text)
    _note_rollback(store, app, manifest.tag, rollback=rollback)
    store.write(pending_key(app), manifest.tag)
    # Before a machine pulls them: an agent must not remove what the rollout is about to start.
    write_kept_images(store, app)


def refuse_other_content(known: Release | None, manifest: Release, stack: str) -> None:
    """Raise ReleaseRefused when *known*, which has the tag of *manifest*, was available and is another release."""
    problems = other_content(known, manifest, stack)
    if problems:
        raise ReleaseRefused(
            f"The release {manifest.tag} already exists with other contents. Nothing was changed:", problems
        )


def other_content(known: Release | None, manifest: Release, stack: str) -> list[str]:
    """How *known*, a release of the same tag, differs from *manifest*; empty when they are the same or *known* was
    never available. Pure."""
    if known is None or known.unfinished or known.unit_hashes == manifest.unit_hashes:
        return []
    differences = []
    for service in sorted({*known.services, *manifest.services}):
        old, new = known.services.get(service), manifest.services.get(service)
        if old is None:
            differences.append(f"{service} is not in it")
        elif new is None:
            differences.append(f"{service} is in it, but no longer in the Fleetfile")
        elif old.unit_hash != new.unit_hash:
            what = "unit text or secret" if old.image == new.image else "image"
            differences.append(f"{service} has another {what} in it")
    return [
        *differences,
        "Give the new release its own name (`git tag`, or `pulumi config set fleetcaptain:release TAG`), or roll back "
        f"to the existing one: `{rollback_command(manifest.tag, stack)}`.",
    ]


def finish(store: EtcdStore, app: str, manifest: Release) -> None:
    """Mark the release as available in its record, with the present numbers of instances, and make it the current one.

    Raises ReleaseRefused when another release was recorded under this tag meanwhile.
    """
    key = release_key(app, manifest.tag)
    while True:
        node = store.read(key)
        known = manifest_of(node)
        if node is None or known is None or known.unit_hashes != manifest.unit_hashes:
            raise ReleaseRefused(
                f"The release {manifest.tag} is available, but another deployment replaced its record:",
                ["Wait until that deployment is done, then run `pulumi up` again."],
            )
        counted = {
            name: replace(release, count=manifest.services[name].count) for name, release in known.services.items()
        }
        text = replace(known, services=counted, unfinished=False).to_json()
        if node.value == text or store.swap(key, node, text):
            break
    _make_current(store, app, manifest.tag)
    node = store.read(rollback_key(app))
    known_rollback = last_rollback(node)
    if node is not None and (known_rollback is None or known_rollback.target != manifest.tag):
        store.let_go(rollback_key(app), node.value)
    store.let_go(pending_key(app), manifest.tag)


def _renewed(known: Release | None, manifest: Release) -> Release:
    """The manifest that replaces *known*: the same release keeps its author, its date and whether it was available."""
    if known is None or known.unit_hashes != manifest.unit_hashes:
        return replace(manifest, unfinished=True)
    return replace(manifest, who=known.who, when=known.when, unfinished=known.unfinished)


def _note_rollback(store: EtcdStore, app: str, tag: str, *, rollback: bool) -> None:
    """Keep which release a rollback to *tag* leaves, also while it is repeated, and once *tag* is current. A deployment
    ends an unfinished rollback."""
    current, pending = (node.value if (node := store.read(key(app))) else "" for key in (current_key, pending_key))
    last = last_rollback(store.read(rollback_key(app)))
    if not rollback:
        if last is None or last.target != current:
            store.delete(rollback_key(app))
    elif last is None or last.target != tag or tag not in (current, pending):
        left = pending if current == tag else current
        store.write(rollback_key(app), LastRollback(tag, left).to_json())


def _make_current(store: EtcdStore, app: str, tag: str) -> None:
    """Move ``current`` by compare-and-swap: the last deployment wins. ``previous`` is written first: after an
    interruption between the two writes it is written again."""
    key = current_key(app)
    while True:
        node = store.read(key)
        if node is not None and node.value == tag:
            return
        if node is None:
            if store.create(key, tag):
                return
            continue
        store.write(previous_key(app), node.value)
        if store.swap(key, node, tag):
            return
