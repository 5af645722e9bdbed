"""Reads a cluster once for its status: every part at the same time, each within a limit, and none stops the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fleetcaptain.discovery.keys import (
    app_dir,
    history_dir,
    secrets_dir,
    tasks_dir,
    texts_dir,
    window_events_dir,
    windows_dir,
)
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.history.stored_records import records_in
from fleetcaptain.members.members_api import MembersApi
from fleetcaptain.rollout.journal import JournalEntry
from fleetcaptain.status.picture import AppKeys, FleetLists, Members, Picture, app_keys, flattened
from fleetcaptain.units.unit_file import names_secrets
from fleetcaptain.untrusted import WORD, json_object, readable

__all__ = ["LIMIT_SEC", "StatusReader"]

LIMIT_SEC = 12.0
"""How long one reading takes at most."""

_TRIES, _PAUSE_SEC = 5, 1.0


class StatusReader:
    """Reads the cluster of *app*, deployed by *stack*, again and again. *hosts* are the addresses of the machines that
    the connection names; *managed*: the stack made the cluster."""

    def __init__(
        self,
        app: str,
        fleet: FleetClient,
        etcd: KeysApi,
        *,
        stack: str = "",
        hosts: Sequence[str] = (),
        managed: bool = False,
        limit_sec: float = LIMIT_SEC,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._app, self._stack, self._hosts, self._managed = app, stack, tuple(hosts), managed
        self._fleet = fleet
        self._etcd = etcd
        self._limit_sec = limit_sec
        self._sleep = sleep
        self._texts: tuple[object, Mapping[str, str], frozenset[str]] | None = None
        # The records of a rollout are many times larger than its journal, which changes with them.
        self._history: dict[str, tuple[JournalEntry | None, tuple[RolloutRecord, ...]]] = {}
        self._version = ""

    def read(self) -> Picture:
        """The cluster now. Raises ClusterUnreachable when nothing at all answers."""
        parts: dict[str, Callable[[], Any]] = {
            "fleet's units": self._fleet.units,
            "fleet's states": self._fleet.states,
            "fleet's machines": self._machines,
            "etcd": self._keys,
            "etcd's members": self._members,
        }
        found, problems = _all_at_once(parts, self._limit_sec)
        keys: AppKeys | None = found.get("etcd")
        if not found:
            raise ClusterUnreachable(
                f"The cluster of the app {self._app} does not answer: {next(iter(problems.values()))}"
            )
        lists = None
        if {"fleet's units", "fleet's states", "fleet's machines"} <= found.keys():
            machines, version = found["fleet's machines"]
            lists = FleetLists(found["fleet's units"], found["fleet's states"], machines, version)
        unanswered = []
        if lists is None:
            unanswered.append(f"fleet: {next(why for part, why in problems.items() if part.startswith('fleet'))}")
        unanswered += [f"{part}: {why}" for part, why in problems.items() if not part.startswith("fleet")]
        return Picture(
            self._app,
            self._stack,
            datetime.now(UTC).isoformat(timespec="seconds"),
            lists,
            keys,
            found.get("etcd's members"),
            tuple(unanswered),
            self._hosts,
            self._managed,
            has_texts=keys is not None and self._texts is not None,
        )

    def _machines(self) -> tuple[Any, str]:
        self._version = self._version or self._fleet.version()
        return self._fleet.machines(), self._version

    def _keys(self) -> AppKeys:
        folders = (app_dir(self._app), tasks_dir(self._app), windows_dir(self._app))
        nodes = [node for folder in folders for node in flattened(self._etcd.tree(folder).node)]
        if any(node.key.startswith(f"{folders[-1]}/") for node in nodes):
            nodes += flattened(self._etcd.tree(window_events_dir(self._app)).node)
        keys = app_keys(nodes, self._app)
        rolling = {service for service, entry in keys.journals.items() if entry.state == "rolling"}
        shown = sorted(rolling | {service for service, found in keys.windows.items() if found.plan})
        keys = replace(keys, records={service: self._records(service, keys.journals.get(service)) for service in shown})
        releases = keys.releases
        # Texts and secrets are many times larger than all else, and only change with the releases. etcd lists no names
        # without values.
        if self._texts is None or self._texts[0] != releases:
            try:
                texts = self._below(texts_dir(self._app))
                secrets = self._below(secrets_dir(self._app)) if any(map(names_secrets, texts.values())) else {}
            except FleetCaptainError:
                self._texts = None
            else:
                self._texts = releases, texts, frozenset(secrets)
        return keys.with_texts(*self._texts[1:]) if self._texts else keys

    def _below(self, folder: str) -> dict[str, str]:
        """Name -> value of all that is in *folder*."""
        return {node.key.removeprefix(f"{folder}/"): node.value for node in flattened(self._etcd.tree(folder).node)}

    def _records(self, service: str, last: JournalEntry | None) -> tuple[RolloutRecord, ...]:
        """The records of its rollouts, of which *last* was the last one; all else is shown without them, too."""
        known = self._history.get(service)
        if known is None or known[0] != last:
            try:
                nodes = flattened(self._etcd.tree(history_dir(self._app, service)).node)
            except FleetCaptainError:
                return ()
            self._history[service] = known = last, records_in((node.key, node.value) for node in nodes)[0]
        return known[1]

    def _members(self) -> Members:
        api = MembersApi(self._etcd.request)
        text = self._version_answer()
        about = readable(json_object, text)
        version = readable(lambda fields: fields.text("etcdserver", WORD, ""), about) if about is not None else ""
        try:
            listed = api.listed()
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            listed = None
        return Members(listed, api.healthy(), version or "")

    def _version_answer(self) -> str:
        """A member's answer, by which etcd is reached: the reading of the keys leaves one that does not answer."""
        for attempt in range(_TRIES):
            if attempt:
                self._sleep(_PAUSE_SEC)
            status, text = self._etcd.request("GET", "/version")
            if status:
                return text
        raise ClusterUnreachable("no member answers")


def _all_at_once(parts: Mapping[str, Callable[[], Any]], limit_sec: float) -> tuple[dict[str, Any], dict[str, str]]:
    """The value of each of *parts* that came in time, and why the others did not."""
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}

    def run(name: str, part: Callable[[], Any]) -> None:
        try:
            found[name] = part()
        except FleetCaptainError as error:
            problems[name] = str(error)

    # A thread that hangs must not keep the process: those of an executor would.
    threads = {
        name: threading.Thread(target=run, args=(name, part), daemon=True, name=name) for name, part in parts.items()
    }
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + limit_sec
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    answered, failed = dict(found), dict(problems)
    late = {name: f"no answer within {limit_sec:g} s" for name in parts if name not in answered and name not in failed}
    return answered, {name: why for name in parts if (why := {**failed, **late}.get(name))}
