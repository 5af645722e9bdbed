"""Strays: units that run on the cluster though the Fleetfile does not declare them, as the preview already says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from components import log
from components.connection import Presence, connect, presence
from components.dynamic import Provider, Resource, status, warn
from components.failing import give_up
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.rollout.held import held
from fleetcaptain.rollout.remove import remove
from fleetcaptain.rollout.strays import strays, strays_error

__all__ = ["RemovedStrays", "StraysProvider", "look_for_strays"]

_REMOVE_SEC = 120.0


def look_for_strays(
    connection: Mapping[str, Any], app: str, stack: str, services: Collection[str], policy: str
) -> list[str]:
    """The strays on a cluster, by *policy*: ``error`` and ``warn`` say so here, ``ignore`` looks for none.

    Ends the program for ``error``, and when the cluster does not answer. A cluster that is not there yet, or is
    stopped, has none.
    """
    if policy == "ignore" or presence(connection) is not Presence.THERE:
        return []
    try:
        names = strays(connect(connection, app).fleet.units(), app, stack, services)
    except FleetCaptainError as error:
        give_up(error)
    if names and policy == "error":
        give_up(strays_error(names))
    if names and policy == "warn":
        log.warn(str(strays_error(names)))
    return list(names)


class StraysProvider(Provider):
    """Removes units by name. Inputs: ``app``; ``names``; ``cluster``, a connection."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Remove the named units. Raises DeadlineExceeded."""
        self._remove(props)
        return CreateResult(props["app"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Remove the named units. Raises DeadlineExceeded."""
        self._remove(news)
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What was removed is gone: nothing is named until there are strays again."""
        emptied = {**props, "names": []}
        return ReadResult(id_, emptied, {key: emptied[key] for key in ("app", "names", "cluster")})

    def _remove(self, props: Mapping[str, Any]) -> None:
        if not props["names"]:
            return
        cluster = connect(props["cluster"], props["app"])
        units = cluster.look().units
        by_service: dict[str, list[str]] = {}
        for name in props["names"]:
            mark = units[name].mark if name in units else None
            by_service.setdefault(mark.service if mark else "", []).append(name)
        for service, names in sorted(by_service.items()):
            why = held(cluster, service, names, None) if service else ""
            if why:
                # Its own resource removes it when those have been rolled; or else the next deployment does.
                warn(f"{', '.join(names)} stays for now, for the sake of those {why}")
            else:
                remove(cluster, service, names, _REMOVE_SEC, status)


class RemovedStrays(Resource):
    """The strays that an ``up`` removes, so that its preview names them."""

    def __init__(
        self,
        name: str,
        *,
        app: str,
        names: pulumi.Input[Sequence[str]],
        cluster: pulumi.Input[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(StraysProvider, "Strays", name, {"app": app, "names": names, "cluster": cluster}, opts)
