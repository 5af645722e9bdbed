"""``FleetSecrets``: the secrets of an app, encrypted on the cluster before the units that need them are rolled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine.dynamic_resource import Resource, warn
from components.machine_keys import recent_keys
from fleetcaptain.errors import ClusterRefused, UnitRefused
from fleetcaptain.machine.secrets_key import most_common
from fleetcaptain.secrets.secret_store import SecretStore, no_key
from fleetcaptain.secrets.secret_value import value_mistake

__all__ = ["FleetSecrets", "SecretsProvider", "digests_of"]

_INPUTS = ("app", "values", "digests", "cluster")


class SecretsProvider(ResourceProvider):
    """Keeps the secrets of an app in etcd, encrypted for the machines.

    Inputs: ``app``; ``values``, name -> value, a secret of Pulumi's; ``cluster``, a connection. `check` adds, so that a
    preview has them: ``digests``, name -> `secret_digest`, unless there is no cluster yet, or no key on the machines
    that this update makes. Outputs: the inputs.
    """

    internal_inputs = frozenset({"digests"})

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Check the values, and get their digests. Raises UnitRefused for values that are impossible, ClusterRefused
        when the machines of a cluster that others made have no key."""
        given = {key: value for key, value in news.items() if key != "digests"}
        values = news["values"] if isinstance(news["values"], Mapping) else {}
        mistakes = {name: value_mistake(value) for name, value in values.items() if isinstance(value, str)}
        problems = [f"{name}: {mistake}" for name, mistake in sorted(mistakes.items()) if mistake]
        if problems:
            raise UnitRefused("Secrets cannot be used as they are. Nothing was changed:", problems)
        if len(mistakes) < len(values) or not isinstance(news["values"], Mapping):
            return CheckResult(given, [])  # a value that another resource makes
        digests = digests_of(given["app"], given["cluster"], values)
        return CheckResult({**given, **({"digests": digests} if digests is not None else {})}, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Encrypt the values. Raises ClusterRefused, FleetCaptainError."""
        return CreateResult(props["app"], _written(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Encrypt the new values. Raises as `create`."""
        return UpdateResult(_written(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The digests that etcd has."""
        handle = handle_of(props["cluster"])
        there = handle.presence()
        if there is Presence.GONE:
            return ReadResult(None, {})
        known = {key: props[key] for key in _INPUTS if key in props}
        if there is Presence.THERE:
            store = SecretStore(handle.connect(props["app"]))
            found = handle.only_first(store.known)
            if found is not None:
                known["digests"] = {name: one for name, one in props["digests"].items() if one in found}
        return ReadResult(id_, {**props, **known}, known)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Nothing: kept releases need them. They go with the last release that names them, or with the app."""


def digests_of(app: str, cluster: Any, values: Mapping[str, str]) -> dict[str, str] | None:
    """Name -> digest of *values*, by the key of the machines of *cluster*, a connection; None if it is not known yet,
    or its machines get their key by this update. Raises ClusterRefused for a cluster that others made without a
    key."""
    if not isinstance(cluster, Mapping) or handle_of(cluster).presence() is not Presence.THERE:
        return None
    handle = handle_of(cluster)
    cluster_of_app = handle.connect(app)
    keys = recent_keys(cluster_of_app)
    key = most_common(keys)
    without = [address for address, found in keys.items() if found != key]
    if key is not None and without:
        warn(f"{', '.join(without)} cannot open secrets, so units with secrets fail there: run `captain machine-key`")
    if key is None and not handle.is_own:
        raise ClusterRefused("Cannot deploy an app with secrets. Nothing was changed.", [no_key()])
    return None if key is None else SecretStore(cluster_of_app).digests(key, values)


def _written(props: Mapping[str, Any]) -> dict[str, Any]:
    store = SecretStore(handle_of(props["cluster"]).connect(props["app"]))
    return {**{key: props[key] for key in _INPUTS if key in props}, "digests": store.write(props["values"])}


class FleetSecrets(Resource):
    """The secrets of an app. The arguments are the provider's inputs; see `SecretsProvider`."""

    digests: pulumi.Output[Mapping[str, str]]

    def __init__(
        self,
        name: str,
        *,
        app: str,
        values: Mapping[str, pulumi.Input[str]],
        cluster: pulumi.Input[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        secret = pulumi.Output.secret(dict(values))
        super().__init__("Secrets", name, {"app": app, "values": secret, "digests": None, "cluster": cluster}, opts)
