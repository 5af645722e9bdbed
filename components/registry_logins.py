"""``RegistryLogins``: the logins with which machines pull an app's images, encrypted on the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine.dynamic_resource import Resource
from components.fleet_secrets import digests_of
from fleetcaptain.registry_login import RegistryLogin, docker_config
from fleetcaptain.secrets.secret_store import LOGINS, SecretStore

__all__ = ["LoginsProvider", "RegistryLogins"]

_INPUTS = ("app", "config", "digest", "cluster")


class LoginsProvider(ResourceProvider):
    """Keeps an app's logins at registries in etcd, encrypted for the machines.

    Inputs: ``app``; ``config``, docker's configuration with them, a secret of Pulumi's; ``cluster``, a connection.
    `check` adds ``digest``, the `secret_digest` of the configuration, if it is known (see `SecretsProvider`). Outputs:
    the inputs.
    """

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Get the digest. Raises ClusterRefused when the machines of a cluster that others made have no key."""
        given = {key: value for key, value in news.items() if key != "digest"}
        if isinstance(given["config"], str):
            found = digests_of(given["app"], given["cluster"], {LOGINS: given["config"]})
            given |= {"digest": found[LOGINS]} if found else {}
        return CheckResult(given, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Encrypt the logins. Raises ClusterRefused, FleetCaptainError."""
        return CreateResult(props["app"], _written(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Encrypt the new logins. Raises as `create`."""
        return UpdateResult(_written(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The digest, "" if etcd does not have the logins any more."""
        handle = handle_of(props["cluster"])
        there = handle.presence()
        if there is Presence.GONE:
            return ReadResult(None, {})
        known = {key: props[key] for key in _INPUTS if key in props}
        if there is Presence.THERE and handle.only_first(_store(props).has_logins) is False:
            known["digest"] = ""
        return ReadResult(id_, {**props, **known}, known)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove them from etcd; the machines remove theirs within a minute. Raises ClusterUnreachable: the logins must
        not outlive their resource."""
        if handle_of(props["cluster"]).presence() is not Presence.GONE:
            _store(props).forget_logins()


def _store(props: Mapping[str, Any]) -> SecretStore:
    return SecretStore(handle_of(props["cluster"]).connect(props["app"]))


def _written(props: Mapping[str, Any]) -> dict[str, Any]:
    digest = _store(props).write_logins(props["config"])
    return {**{key: props[key] for key in _INPUTS if key in props}, "digest": digest}


class RegistryLogins(Resource):
    """The *logins* of an app at registries. See `LoginsProvider`."""

    def __init__(
        self,
        name: str,
        *,
        app: str,
        logins: Sequence[RegistryLogin],
        cluster: pulumi.Input[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        config = pulumi.Output.secret(docker_config(logins))
        super().__init__("Logins", name, {"app": app, "config": config, "digest": None, "cluster": cluster}, opts)
