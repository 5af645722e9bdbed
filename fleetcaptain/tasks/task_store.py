"""A task's journal in etcd: reads it, changes it by compare-and-swap, and keeps the last results."""

from __future__ import annotations

from dataclasses import dataclass

from fleetcaptain.discovery.etcd_node import Node
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import CURL, path_of, result_key, task_dir, task_key
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.tasks.task_run import RunState, TaskRun
from fleetcaptain.untrusted import Unreadable, readable

__all__ = ["KEPT", "TaskStore"]

KEPT = 20
"""How many results of a task are kept: twice as many as releases, which may run the same text."""


@dataclass(frozen=True)
class TaskStore:
    """The journal of the task *name* of *app*."""

    store: EtcdStore
    app: str
    name: str

    @property
    def key(self) -> str:
        """The key of the last run."""
        return task_key(self.app, self.name)

    def last(self) -> tuple[Node | None, TaskRun | None]:
        """The last run, of any text, and its node. Raises FleetCaptainError for a value that is none: what happened is
        not known then."""
        node = self.store.read(self.key)
        if node is None:
            return None, None
        try:
            return node, TaskRun.from_json(node.value)
        except Unreadable as error:
            raise FleetCaptainError(
                f"Cannot read the journal of the task {self.name}, {self.key}: {error}. Nothing was changed. Find out "
                "whether the task runs, remove the key on a machine of the cluster with "
                f"`{CURL} -X DELETE http://127.0.0.1:2379{path_of(self.key)}`, then run the same command again."
            ) from error

    def result(self, unit_hash: str) -> TaskRun | None:
        """The successful run of the text with this SHA1, if it is kept."""
        node = self.store.read(result_key(self.app, self.name, unit_hash))
        run = readable(TaskRun.from_json, node.value) if node else None
        return run if run is not None and run.state is RunState.DONE else None

    def change(self, node: Node | None, run: TaskRun) -> bool:
        """Write *run* as the last one, if the journal is as *node* was read; returns whether it was written."""
        if node is None:
            return self.store.create(self.key, run.to_json())
        return self.store.swap(self.key, node, run.to_json())

    def keep(self, run: TaskRun) -> None:
        """Keep the result of a successful *run* when others follow it, and remove the oldest of more than `KEPT`."""
        if run.state is not RunState.DONE:
            return
        own = result_key(self.app, self.name, run.unit_hash)
        self.store.create(own, run.to_json())
        nodes = [node for node in self.store.below(task_dir(self.app, self.name)) if node.key not in (own, self.key)]
        for node in sorted(nodes, key=lambda node: node.index, reverse=True)[KEPT - 1 :]:
            self.store.delete(node.key)
