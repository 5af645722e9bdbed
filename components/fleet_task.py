"""``FleetTask``: a command that runs once on one machine before services are rolled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine.dynamic_resource import Resource, cancelled, status
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.targets import whole_file
from fleetcaptain.tasks.run_task import run_task
from fleetcaptain.tasks.task_run import RunState, TaskRun
from fleetcaptain.tasks.task_store import TaskStore
from fleetcaptain.tasks.task_units import clear_units
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["FleetTask", "TaskProvider"]

_INPUTS = ("app", "task", "unit", "image", "secrets", "before", "state", "cluster")
_DONE = RunState.DONE.value


class TaskProvider(ResourceProvider):
    """Runs a task once for each text of its unit, image included.

    Inputs: ``app``, ``task``; ``unit``, the text without its image line; ``image``, a reference;
    ``secrets``, name -> digest (left out without one); ``before``, the services that are rolled after it; ``state``,
    always "done" (a task that did not succeed reads back as something else); ``cluster``, a connection. Outputs: the
    inputs, and ``result``: when it ended, and its exit ``status``.
    """

    internal_inputs = frozenset({"secrets"})

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Say whether the task will run."""
        texts = ("unit", "image", "secrets", "state")
        if not olds or any(olds.get(key) != news.get(key) for key in texts):
            done = self._result(news)
            then = f"before {', '.join(news['before'])}" if news["before"] else "after all services"
            status(f"has run already, at {done.until}" if done else f"will run {then}")
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Run the task, unless it succeeded before. Raises RolloutFailed when it fails: what comes after it is not
        rolled."""
        return CreateResult(props["task"], _run(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """As `create`, for another text."""
        return UpdateResult(_run(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The state of the last run of this text; the next ``up`` runs what did not succeed."""
        handle = handle_of(props["cluster"])
        there = handle.presence()
        if there is Presence.GONE:
            return ReadResult(None, {})
        known = {key: props[key] for key in _INPUTS if key in props}
        if there is Presence.THERE:
            store = TaskStore(handle.connect(props["app"]).store, props["app"], props["task"])
            found = handle.only_first(lambda: _state(store, whole_file(props).unit_hash))
            if found is not None:
                known["state"] = found
        return ReadResult(id_, {**props, **known}, known)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove the task's units. Its journal stays with the app: what succeeded is not run again."""
        if handle_of(props["cluster"]).presence() is not Presence.GONE:
            clear_units(_cluster(props, whole_file(props)), props["task"])

    def _result(self, props: Mapping[str, Any]) -> TaskRun | None:
        """The successful run of this text, if the text and the cluster are known already."""
        known = isinstance(props["cluster"], Mapping) and isinstance(props.get("secrets", {}), Mapping)
        if not known or "@" not in str(props["image"]):
            return None
        handle = handle_of(props["cluster"])
        if handle.presence() is not Presence.THERE:
            return None
        store = TaskStore(handle.connect(props["app"]).store, props["app"], props["task"])
        try:
            return _done(store, whole_file(props).unit_hash)
        except FleetCaptainError:
            return None  # the run reports it


def _run(props: Mapping[str, Any]) -> dict[str, Any]:
    file = whole_file(props)
    run = run_task(_cluster(props, file), props["task"], file, status, cancelled)
    return {
        **{key: props[key] for key in _INPUTS if key in props},
        "result": {"status": run.status, "until": run.until},
    }


def _done(store: TaskStore, unit_hash: str) -> TaskRun | None:
    result = store.result(unit_hash)
    if result is None:
        _node, last = store.last()
        result = last if last is not None and (last.unit_hash, last.state) == (unit_hash, RunState.DONE) else None
    return result


def _state(store: TaskStore, unit_hash: str) -> str:
    if _done(store, unit_hash):
        return _DONE
    _node, last = store.last()
    return last.state.value if last is not None and last.unit_hash == unit_hash else "not run"


def _cluster(props: Mapping[str, Any], file: UnitFile) -> Cluster:
    """The cluster, on which the units with the mark of *file* are ours."""
    return handle_of(props["cluster"]).connect(props["app"]).owned_by(file.mark.stack if file.mark else "")


class FleetTask(Resource):
    """One task. The arguments are the provider's inputs; see `TaskProvider`."""

    def __init__(
        self,
        name: str,
        *,
        app: str,
        task: str,
        unit: pulumi.Input[str],
        image: pulumi.Input[str],
        before: Sequence[str],
        cluster: pulumi.Input[Mapping[str, Any]],
        secrets: pulumi.Input[Mapping[str, str]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"app": app, "task": task, "unit": unit, "image": image, "before": list(before)}
        digests = {} if secrets is None else {"secrets": secrets}
        super().__init__("Task", name, {**inputs, **digests, "state": _DONE, "cluster": cluster, "result": None}, opts)
