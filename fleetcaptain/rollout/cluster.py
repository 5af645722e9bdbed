"""A cluster as rollouts see it: fleet, etcd and the machines' journals behind one value."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Protocol

from fleetcaptain.discovery.documents import registration_at
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import registration_key, services_dir, windows_dir
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import TICK_SEC
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.polling import LOOK_SEC, REFRESH_SEC, Nudger, Poller
from fleetcaptain.rollout.recorder import Recorder
from fleetcaptain.rollout.standstill import JOURNAL_FIELDS, PROPERTIES, events_in
from fleetcaptain.rollout.unit_journal import JOURNAL_ENTRY, last_run
from fleetcaptain.schedule.stored_windows import windows_in
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.untrusted import WORD, read_all
from fleetcaptain.waiting import wait_until

__all__ = ["Cluster", "Run"]


class Run(Protocol):
    """Runs commands on machines."""

    def __call__(self, address: str, argv: list[str], timeout_sec: float, text: str = "", /) -> str | None:
        """Run *argv* on the machine at *address* with *text* as its input. Returns its standard output, or None if the
        machine is unreachable."""


# systemd's own messages, which are left out, and earlier runs are among them.
_JOURNAL_ENTRIES, _JOURNAL_LINES = 100, 20
_COMMAND_SEC = 30.0
# A lock lives for 30 s. A lock renewed less than `_FRESH_SEC` ago is not renewed again before the next change.
_RENEW_SEC, _FRESH_SEC = 2.0, 0.5
_FACTS = ("Result", "ExecMainStatus", *PROPERTIES)
_EVENTS = 30


def _boot_clock() -> float:
    """Seconds, including time that the computer sleeps, because locks expire during that time."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Cluster:
    """One app's view of a cluster. Safe to share between threads.

    *run* reaches the machines for journals; *clock* and *sleep* are seconds; *wall_clock* is the time of day,
    in seconds of the Unix clock.
    """

    def __init__(
        self,
        app: str,
        fleet: FleetClient,
        store: EtcdStore,
        run: Run,
        *,
        clock: Callable[[], float] = _boot_clock,
        sleep: Callable[[float], None] = time.sleep,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self.ownership = Ownership(app, "")
        self.fleet = fleet
        self.store = store
        self.clock = clock
        self.sleep = sleep
        self.wall_clock = wall_clock
        self.run = run
        self.recorder = Recorder()
        self._poller = Poller(self._fetch, clock)
        self._nudger = Nudger(clock)
        self._fence: Callable[[], None] = lambda: None

    def owned_by(self, stack: str, adopt: Iterable[str] = ()) -> Cluster:
        """The same cluster for *stack* (``project/stack``): a rollout changes only units of this stack and units that
        it adopts (see `Ownership`). Without a stack no unit is ours."""
        owned = copy.copy(self)
        owned.ownership = Ownership(self.app, stack, frozenset(adopt))
        return owned

    def fenced(self, renew: Callable[[], None], recorder: Recorder | None = None) -> Cluster:
        """The same cluster, which calls *renew* before each change and during each wait. An error of *renew* ends the
        wait or prevents the change. *recorder* gets each snapshot that the rollout reads."""
        fenced = copy.copy(self)
        fenced.recorder = recorder or self.recorder
        renewed = float("-inf")

        def fence(after_sec: float) -> None:
            nonlocal renewed
            if self.clock() - renewed >= after_sec:
                renew()
                renewed = self.clock()

        def sleep(seconds: float) -> None:
            left = seconds
            while left > 0:
                self.sleep(min(left, TICK_SEC))
                fence(_RENEW_SEC)
                left -= TICK_SEC

        fenced.sleep = sleep
        fenced._fence = lambda: fence(_FRESH_SEC)
        return fenced

    def snapshot(self, since: float | None = None) -> Snapshot:
        """The present state of the cluster, shared with threads that read it at the same time.

        *since*: a snapshot up to `LOOK_SEC` old is good enough if it was taken after this moment.
        """
        now = self.clock()
        found = self._poller.after(now if since is None else max(since, now - LOOK_SEC))
        self.recorder.snapshot(self.ownership, found, self.clock())
        return found

    def wait(
        self,
        pending: Callable[[], str],
        timeout_sec: float,
        timed_out: Callable[[str], Exception],
        report: Callable[[str], None] = lambda _line: None,
        *,
        pause_sec: float = TICK_SEC,
    ) -> None:
        """`wait_until` by this cluster's clock; its pauses renew the lock of a fenced one."""
        wait_until(pending, timeout_sec, report, timed_out, pause_sec=pause_sec, clock=self.clock, sleep=self.sleep)

    def snapshot_for_refresh(self) -> Snapshot:
        """The cluster for a refresh. One reading, up to `REFRESH_SEC` old, serves all resources that Pulumi
        refreshes at about the same time; it is never older than this process's last change of a unit."""
        return self._poller.after(max(self.clock() - REFRESH_SEC, self._poller.changed_at))

    def put(self, name: str, file: UnitFile, desired: DesiredState = DesiredState.LAUNCHED) -> None:
        """Give unit *name* the text *file* and the desired state *desired*; see `FleetClient.put`."""
        with self._changing():
            self.fleet.put(name, file, desired)
        self._nudger.changed()

    def set_desired_state(self, name: str, desired: DesiredState) -> None:
        """Set the desired state of unit *name* to *desired*; see `FleetClient.set_desired`."""
        with self._changing():
            self.fleet.set_desired(name, desired)
        self._nudger.changed()

    def delete(self, name: str) -> None:
        """Delete unit *name*; see `FleetClient.delete`."""
        with self._changing():
            self.fleet.delete(name)

    def nudge(self, name: str, desired: DesiredState) -> None:
        """Wake fleet's agents, if it is time to, by setting the desired state of unit *name* to the value it already
        has. A unit that was deleted in the meantime has no effect; an unreachable fleet is noticed by the next
        snapshot."""
        if self._nudger.due():
            with suppress(ClusterUnreachable):
                self.fleet.set_desired(name, desired)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Around each change: runs the fence first. Snapshots from before its end are too old for a refresh."""
        self._fence()
        try:
            yield
        finally:
            self._poller.changed_at = self.clock()

    def _fetch(self) -> Snapshot:
        nodes = self.store.below(services_dir(self.app))
        registrations, ignored = read_all(registration_at, ((node.key, node.value) for node in nodes))
        units = self.fleet.units()
        # A leftover registration of our unit does not describe another app's unit that now has its name.
        others = {unit.name for unit in units if unit.mark is not None and unit.mark.app != self.app}
        ours = (entry for entry in registrations if entry.unit not in others)
        below = self.store.below(windows_dir(self.app))
        windows, bad = windows_in(((node.key, node.value) for node in below), self.app)
        found = Snapshot.of(units, self.fleet.states(), self.fleet.machines(), ours, (*ignored, *bad))
        return replace(found, windows=windows)

    def unregister(self, service: str, unit: str) -> None:
        """Remove the registration of a deleted unit, or any other value at its key."""
        with self._changing():
            self.store.delete(registration_key(self.app, service, unit), recursive=True)

    def facts(self, instance: Instance) -> Mapping[str, str]:
        """systemd's properties of an instance on its machine: ``Result``, ``ExecMainStatus`` and the `PROPERTIES` of a
        halted one. Empty if unreachable."""
        properties = [f"--property={fact}" for fact in _FACTS]
        output = self._on_machine(instance, ["systemctl", "show", *properties, instance.name])
        pairs = (line.split("=", 1) for line in output.splitlines() if "=" in line)
        return {name: value for name, value in pairs if name in _FACTS and WORD.fullmatch(value)}

    def journal(self, instance: Instance) -> tuple[str, ...]:
        """The last lines of an instance's last run in its journal on its machine, oldest first; see `last_run`. Empty
        if unreachable."""
        shown = ["--output", "json", f"--output-fields={','.join(JOURNAL_ENTRY)}", "--lines", str(_JOURNAL_ENTRIES)]
        argv = ["journalctl", "--no-pager", "--all", *shown, "--unit", instance.name]
        return last_run(self._on_machine(instance, argv))[-_JOURNAL_LINES:]

    def unit_events(self, instance: Instance) -> tuple[str, ...]:
        """systemd's events of an instance on its machine, oldest first; see `events_in`. Empty if unreachable."""
        shown = ["--output", "json", f"--output-fields={','.join(JOURNAL_FIELDS)}", "--lines", str(_EVENTS)]
        argv = ["journalctl", "--no-pager", *shown, "_PID=1", f"UNIT={instance.name}"]
        return events_in(self._on_machine(instance, argv))

    def _on_machine(self, instance: Instance, argv: list[str]) -> str:
        if instance.machine is None:
            return ""
        return self.run(instance.machine, argv, _COMMAND_SEC) or ""
