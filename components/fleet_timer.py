"""``FleetTimer``: a periodic task, a command that a timer starts on one machine after services are rolled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine.dynamic_resource import Resource, cancelled, status
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import Snapshot, owned_files
from fleetcaptain.rollout.targets import whole_file
from fleetcaptain.tasks.install_pair import install_pair
from fleetcaptain.tasks.next_run import next_run_of
from fleetcaptain.tasks.periodic_pair import INSTALLED, PeriodicPair, pair_state
from fleetcaptain.tasks.task_units import remove_pair
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["FleetTimer", "TimerProvider"]

_INPUTS = ("app", "task", "unit", "timer", "image", "secrets", "state", "adopt", "cluster")


class TimerProvider(ResourceProvider):
    """Keeps the two units of a periodic task on the cluster. No change of them runs the task.

    Inputs: ``app``, ``task``; ``unit``, the text of the service without its image line; ``timer``, the text of the
    timer; ``image``, a reference; ``secrets``, name -> digest (left out without one); ``state``, always "installed";
    ``adopt``, the stacks and the unmarked units that are adopted (see `Ownership`; reads back empty); ``cluster``, a
    connection. Outputs: the inputs.
    """

    internal_inputs = frozenset({"secrets"})

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Say when the task will run."""
        if not olds or any(olds.get(key) != news.get(key) for key in ("unit", "timer", "image", "secrets", "state")):
            moment = next_run_of(UnitFile.parse(news["timer"]), datetime.now(UTC))
            status(f"next run: {moment}" if moment else "no next run is known")
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Install the pair. Raises RolloutFailed when that fails, and Locked when another deployment changes it."""
        return CreateResult(props["task"], _installed(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """As `create`, after the end of a run that goes on."""
        return UpdateResult(_installed(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The texts that the cluster has, and what differs otherwise."""
        handle = handle_of(props["cluster"])
        there = handle.presence()
        if there is Presence.GONE:
            return ReadResult(None, {})
        known = {**{key: props[key] for key in _INPUTS if key in props}, "adopt": []}
        if there is Presence.THERE:
            pair = _pair(props)
            cluster = _cluster({**props, "adopt": ()}, pair)
            snapshot = handle.only_first(cluster.snapshot_for_refresh)
            if snapshot is not None:
                known |= _observed(pair, cluster, snapshot)
        return ReadResult(id_, {**props, **known}, known)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove the pair. The journal stays with the app. Raises Locked when another deployment changes it."""
        if handle_of(props["cluster"]).presence() is not Presence.GONE:
            remove_pair(_cluster({**props, "adopt": ()}, _pair(props)), props["task"], status, cancelled)


def _observed(pair: PeriodicPair, cluster: Cluster, snapshot: Snapshot) -> dict[str, Any]:
    """The inputs that are read back, where a unit is there and ours."""
    own = owned_files(cluster.ownership, snapshot)
    service, timer = (own.get(name) for name in pair.units)
    found: dict[str, Any] = {"state": pair_state(pair, snapshot)}
    if service is not None:
        file, found["image"] = service.bare()
        if service.secrets:
            found["secrets"] = service.secrets
        found["unit"] = file.text
    if timer is not None:
        found["timer"] = timer.text
    return found


def _installed(props: Mapping[str, Any]) -> dict[str, Any]:
    pair = _pair(props)
    install_pair(_cluster(props, pair), pair, status, cancelled)
    return {key: props[key] for key in _INPUTS if key in props}


def _pair(props: Mapping[str, Any]) -> PeriodicPair:
    return PeriodicPair(props["task"], whole_file(props), UnitFile.parse(props["timer"]))


def _cluster(props: Mapping[str, Any], pair: PeriodicPair) -> Cluster:
    """The cluster, on which the units with the mark of *pair* and those to adopt are ours."""
    mark = pair.timer.mark
    return handle_of(props["cluster"]).connect(props["app"]).owned_by(mark.stack if mark else "", props["adopt"])


class FleetTimer(Resource):
    """One periodic task. The arguments are the provider's inputs; see `TimerProvider`."""

    def __init__(
        self,
        name: str,
        *,
        app: str,
        task: str,
        unit: pulumi.Input[str],
        timer: pulumi.Input[str],
        image: pulumi.Input[str],
        adopt: pulumi.Input[Sequence[str]],
        cluster: pulumi.Input[Mapping[str, Any]],
        secrets: pulumi.Input[Mapping[str, str]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"app": app, "task": task, "unit": unit, "timer": timer, "image": image}
        digests = {} if secrets is None else {"secrets": secrets}
        settings = {"state": INSTALLED, "adopt": adopt, "cluster": cluster}
        super().__init__("Timer", name, {**inputs, **digests, **settings}, opts)
