"""``ReleaseRecord``: the contents of a release, recorded in etcd before the first unit is rolled."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine.dynamic_resource import Resource, is_declared, stack_of_operation, status, warn
from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import release_key
from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.release.record import record
from fleetcaptain.release.repository import manifest_of, read_texts
from fleetcaptain.release.rollback import DEPLOY_FLEETFILE
from fleetcaptain.release.seal import seal
from fleetcaptain.rollout.remove import forget_app
from fleetcaptain.untrusted import Fields

__all__ = ["RecordProvider", "ReleaseRecord"]

_INPUTS = ("app", "release", "services", "texts", "rollback", "cluster")
# More releases than an app retains.
_SEALS = 100


class RecordProvider(ResourceProvider):
    """Records a release as pending. Units are rolled after it, so a release that is not recorded is not rolled.

    Inputs: ``app``; ``release``, the tag; ``services``, name -> the entry of a manifest; ``texts``, unit hash ->
    full text; ``rollback``, whether the release is read from etcd instead of made from a Fleetfile;
    ``cluster``, a connection. Outputs: the inputs, and ``seals``, tag -> `seal` of a release that this stack deployed.
    """

    internal_inputs = frozenset({"rollback", "services", "texts"})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Leave the comparison to the engine. Raises ReleaseRefused for a rollback to a record that differs from
        the release that this stack deployed; warns of one that its state does not have."""
        if not news.get("rollback") or not is_declared():
            return DiffResult()
        known = olds.get("seals", {}).get(news["release"])
        if known is None:
            warn(
                f"The state of this stack does not have the release {news['release']}. Its record in etcd may have "
                "been changed: review the differences of its units before you roll back to it."
            )
        elif known != seal(_manifest(news)):
            raise ReleaseRefused(
                f"Cannot roll back to {news['release']}. Nothing was changed.",
                [
                    "its record in etcd was changed after this stack deployed it",
                    f"Find out who changed it. {DEPLOY_FLEETFILE}",
                ],
            )
        return DiffResult()

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Record the release. Raises ReleaseRefused if another release has its tag."""
        return CreateResult(props["app"], _recorded(props, {}))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Record the release. Raises ReleaseRefused if another release has its tag."""
        return UpdateResult(_recorded(news, olds.get("seals", {})))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The record with this tag; empty if the app has no right to register. The next `up` restores what is
        missing."""
        handle = handle_of(props["cluster"])
        there = handle.presence()
        if there is Presence.GONE:
            return ReadResult(None, {})
        known = {key: props[key] for key in _INPUTS if key in props}
        if there is Presence.STOPPED:
            return ReadResult(id_, props, known)
        store = handle.connect(props["app"]).store
        found = handle.only_first(lambda: _found(store, props))
        if found is not None:
            known |= found
        return ReadResult(id_, {**props, **known}, known)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove all keys of the app from etcd if its last unit is gone; otherwise they are removed with that unit."""
        handle = handle_of(props["cluster"])
        if handle.presence() is not Presence.GONE:
            forget_app(handle.connect(props["app"]), status)


def _recorded(props: Mapping[str, Any], seals: Mapping[str, str]) -> dict[str, Any]:
    """Record the release; the outputs, with its seal added to the *seals* of earlier ones."""
    manifest = _manifest(props)
    store = handle_of(props["cluster"]).connect(props["app"]).store
    rollback = bool(props.get("rollback"))
    record(store, props["app"], manifest, props["texts"], stack_of_operation(), rollback=rollback)
    # Before the units, because they write their registrations.
    Access(store.request).grant(props["app"])
    others = {tag: known for tag, known in seals.items() if tag != manifest.tag}
    return {**props, "seals": dict([*others.items(), (manifest.tag, seal(manifest))][-_SEALS:])}


def _manifest(props: Mapping[str, Any]) -> Release:
    services = {name: ServiceRelease.read(Fields(entry)) for name, entry in props["services"].items()}
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return Release(props["release"], services, who, datetime.now(UTC).isoformat(timespec="seconds"))


def _found(store: EtcdStore, props: Mapping[str, Any]) -> dict[str, Any]:
    """The ``services`` and ``texts`` in etcd; the number of instances is written again when all are available."""
    manifest = manifest_of(store.read(release_key(props["app"], props["release"])))
    if manifest is None or Access(store.request).registers(props["app"]) is False:
        return {"services": {}, "texts": {}}
    counts = {name: entry["instances"] for name, entry in props["services"].items()}
    services = {
        name: {**release.to_data(), "instances": counts.get(name, release.count)}
        for name, release in manifest.services.items()
    }
    kept = read_texts(store, props["app"])
    return {"services": services, "texts": {sha1: text for sha1, text in props["texts"].items() if sha1 in kept}}


class ReleaseRecord(Resource):
    """The record of a release. The arguments are the provider's inputs; see `RecordProvider`."""

    release: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        app: str,
        release: pulumi.Input[str],
        services: pulumi.Input[Mapping[str, Any]],
        texts: pulumi.Input[Mapping[str, str]],
        rollback: bool,
        cluster: pulumi.Input[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"app": app, "release": release, "services": services, "texts": texts}
        more = {"rollback": rollback, "cluster": cluster, "seals": None}
        # The units show their own texts line by line.
        merged = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(hide_diffs=["__provider", "texts", "seals"]), opts)
        super().__init__("Release", name, {**inputs, **more}, merged)
