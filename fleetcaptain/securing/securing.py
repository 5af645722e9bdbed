"""Secures a cluster's etcd by passwords, and reverts that: one machine at a time, then etcd itself.

Each step first reads the present state, so an interrupted run can be continued or undone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any

from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import lock_key
from fleetcaptain.discovery.v3access import V3Access
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError, RolloutFailed
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.fleet.tunnel import Result, Tunnel
from fleetcaptain.printable import last_lines
from fleetcaptain.rollout.lock import Lock, this_process
from fleetcaptain.securing.machine_login import INSPECT, READ, UNITS, Login, Passwords, units_in
from fleetcaptain.securing.security_state import (
    APPLY,
    UNDO,
    Beat,
    Secured,
    SecuredMachine,
    argv_to,
    beats_in,
    dirs_open_to,
    refuse,
    to_do,
)

__all__ = ["Operator", "Securing", "open_operator"]

_LOCK = "/fleetcaptain/_securing"
_MACHINES = "/v2/keys/_coreos.com/fleet/machines?recursive=true"
_COMMAND_SEC = 60.0
_BACK_SEC = 120.0
_TICK_SEC = 1.0
_OK = 200


@dataclass(frozen=True)
class Operator:
    """An operator's connection to a cluster. *run* (host, argv, seconds, input) runs a command on a machine; *to*
    returns the host for a machine's address; *hosts* are the endpoint's; *log_in* makes *store* use a password of root
    from now on. *clock* and *sleep* are in seconds."""

    fleet: FleetClient
    store: EtcdStore
    run: Callable[[str, list[str], float, str], Result]
    to: Callable[[str], str]
    hosts: tuple[str, ...]
    log_in: Callable[[str], None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]


class Securing:
    """The steps of `captain secure` on the cluster of *operator*. *report* gets a line for each step."""

    def __init__(self, operator: Operator, report: Callable[[str], None]) -> None:
        self._operator = operator
        self._report = report
        self._access = Access(operator.store.request)
        self._v3access = V3Access(operator.store.request)
        self._lock = Lock(operator.store, _LOCK, this_process(), "etcd's authentication")

    def inspect(self) -> Secured:
        """Read the present state. Raises ClusterUnreachable and FleetCaptainError."""
        machines = self._machines()
        # With certificates the v3 API is not on HTTP, and there is nothing to secure.
        is_certified = any(machine.login.has_certificates for machine in machines)
        v2, v3 = self._access.enforced(), None if is_certified else self._v3access.enforced()
        guest: Mapping[str, list[str]] | None = None
        if v2:
            with suppress(FleetCaptainError):
                guest = self._access.guest()
        directories = () if v2 and guest is None else self._directories()
        rollouts = () if v2 and guest is None else self._rollouts()
        return Secured(v2, v3, machines, guest, directories, rollouts)

    def apply(self, open_dirs: Collection[str] = ()) -> None:
        """Prepare every machine, then turn authentication on. Open directories stay open.

        Raises ClusterRefused, with nothing changed; RolloutFailed when a machine did not come back or authentication
        was turned off again; Locked.
        """
        secured = self._accepted(APPLY, open_dirs)
        passwords = self._known(secured) or Passwords.random()
        self._operator.log_in(passwords.root)
        with self._locked():
            kept = dirs_open_to(self._access.guest()) if secured.v2 else ()
            self._each(secured, APPLY, passwords)
            before = self._beats()
            self._report("turning etcd's authentication on")
            with nullcontext() if secured.is_on else self._or_off(passwords):
                self._v3access.enforce(passwords.root)
                self._access.enforce({*open_dirs, *kept}, passwords.users)
                self._wait_for_beats(before)

    def undo(self) -> None:
        """Turn authentication off, then remove everything from every machine. Raises as `apply`."""
        secured = self._accepted(UNDO)
        passwords = self._known(secured)
        if passwords is not None:
            self._operator.log_in(passwords.root)
        with self._locked():
            if passwords is not None:
                self._report("turning etcd's authentication off")
                self._relax(passwords)
            self._each(secured, UNDO)

    def _relax(self, passwords: Passwords) -> None:
        self._v3access.relax(passwords.root, self._operator.store.bearing)
        self._access.relax()

    def _accepted(self, what: str, open_dirs: Collection[str] = ()) -> Secured:
        secured = self.inspect()
        refuse(secured, what, open_dirs)
        return secured

    def _known(self, secured: Secured) -> Passwords | None:
        """The passwords that the machines already have."""
        if secured.keeper is None:
            return None
        result = self._root(secured.keeper, ["sh", "-c", READ])
        passwords = Passwords.of(result.output)
        if passwords is None:
            raise FleetCaptainError(
                f"Could not read the passwords on {secured.keeper.host}: their format is invalid. Nothing was changed. "
                "Check the files in /etc/fleetcaptain there."
            )
        return passwords

    def _each(self, secured: Secured, what: str, passwords: Passwords | None = None) -> None:
        machines = to_do(secured, what)
        for number, machine in enumerate(machines, 1):
            self._report(f"{machine.host} ({number} of {len(machines)})")
            try:
                self._change(machine, what, passwords)
            except (ClusterUnreachable, RolloutFailed) as error:
                others = ", ".join(one.host for one in machines[number:])
                later = f" Not changed yet: {others}." if others else ""
                raise RolloutFailed(
                    f"{error}{later} To continue, run `captain secure --{what}` again"
                    + ("; to revert, run `captain secure --undo`." if what == APPLY else ".")
                ) from error

    def _change(self, machine: SecuredMachine, what: str, passwords: Passwords | None) -> None:
        """Change one machine and wait until it is back with all of its units."""
        beat = self._beats().get(machine.id)
        # Units of a machine that fleet marked as lost run elsewhere by now, and the machine stops its own.
        units = self._units(machine) if machine.listed else {}
        result = self._root(machine, argv_to(machine, what)[2:], passwords.text if passwords else "")
        if result.code != 0:
            raise RolloutFailed(f"{machine.host}: the command failed with exit code {result.code}: {_last(result)}.")
        restarts = what == APPLY or "password" in machine.login.facts
        deadline = self._operator.clock() + _BACK_SEC
        while missing := self._missing(machine, beat if restarts else None, units):
            if self._operator.clock() > deadline:
                raise RolloutFailed(f"{machine.host}: after {_BACK_SEC:g} s {missing}.")
            self._wait()
        after = self._units(machine)
        active = {name: since for name, (state, since) in units.items() if state == "active"}
        moved = sorted(name for name, since in active.items() if after.get(name, ("", since))[1] != since)
        self._report(
            f"{machine.host}: fleetd is back, its units kept running"
            + (f"; these restarted by themselves: {', '.join(moved)}" if moved else "")
        )

    def _missing(self, machine: SecuredMachine, beat: Beat | None, units: Mapping[str, tuple[str, str]]) -> str:
        """What *machine* still lacks: a new key in etcd, its place in fleet's list, or *units* that were active."""
        found = self._beats().get(machine.id)
        if found is None or (beat is not None and found.created == beat.created):
            return "its fleetd has not registered again; see `journalctl -u fleet` there"
        if machine.id not in {one.id for one in self._operator.fleet.machines()}:
            return "it is not in fleet's list"
        now = self._units(machine)
        down = [name for name, (state, _) in units.items() if state == "active" and now.get(name, ("",))[0] != "active"]
        return f"these units no longer run: {', '.join(sorted(down))}" if down else ""

    def _wait_for_beats(self, before: Mapping[str, Beat]) -> None:
        """Return when every machine has written its key again. Raises RolloutFailed."""
        self._report(f"waiting for the heartbeats of {len(before)} machines")
        # fleetd writes twice within its key's life.
        longest = max((beat.ttl_sec for beat in before.values()), default=0)
        deadline = self._operator.clock() + 2 * longest + 30
        before = {**before, **self._beats()}
        while True:
            now = self._beats()
            silent = sorted(
                name for name, beat in before.items() if name not in now or now[name].modified == beat.modified
            )
            if not silent:
                return
            if self._operator.clock() > deadline:
                raise RolloutFailed(f"No heartbeat from {', '.join(silent)} since etcd requires a login.")
            self._wait()

    @contextmanager
    def _or_off(self, passwords: Passwords) -> Iterator[None]:
        """Turn authentication off again when the body fails or is interrupted."""
        try:
            yield
        except BaseException as error:
            self._report("turning etcd's authentication off again")
            try:
                self._relax(passwords)
            except FleetCaptainError as another:
                raise RolloutFailed(
                    f"{error} Could not turn etcd's authentication off again: {another} Run `captain secure --undo`."
                ) from error
            if not isinstance(error, FleetCaptainError):
                raise
            raise RolloutFailed(
                f"{error} etcd's authentication was turned off again, so the cluster is as open as before. The "
                "machines stay prepared. Check `journalctl -u fleet` there, then run `captain secure --apply` again, "
                "or `captain secure --undo`."
            ) from error

    def _machines(self) -> tuple[SecuredMachine, ...]:
        """fleet's machines, and the endpoint's other hosts, whose fleetd may be down."""
        found = {}
        for machine in sorted(self._operator.fleet.machines(), key=lambda one: one.ip):
            found[machine.id] = self._inspected(
                SecuredMachine(machine.id, self._operator.to(machine.ip), machine.ip, True)
            )
        for host in self._operator.hosts:
            if all(one.host != host for one in found.values()):
                one = self._inspected(SecuredMachine("", host, host.rpartition("@")[2].partition(":")[0], False))
                # fleet may name the same machine by another address.
                found.setdefault(one.login.machine_id or host, replace(one, id=one.login.machine_id))
        return tuple(found.values())

    def _inspected(self, machine: SecuredMachine) -> SecuredMachine:
        try:
            result = self._root(machine, ["sh", "-c", INSPECT])
        except ClusterUnreachable as error:
            return replace(machine, problem=str(error))
        login = Login.of(result.output)
        if not login.machine_id:
            return replace(machine, problem=f"`sudo -n sh` fails there: {_last(result)}")
        if machine.id and login.machine_id != machine.id:
            return replace(machine, problem=f"its /etc/machine-id is not {machine.id}, as fleet says")
        return replace(machine, login=login)

    def _root(self, machine: SecuredMachine, argv: list[str], text: str = "") -> Result:
        return self._operator.run(machine.host, ["sudo", "-n", *argv], _COMMAND_SEC, text)

    def _units(self, machine: SecuredMachine) -> dict[str, tuple[str, str]]:
        return units_in(self._root(machine, ["sh", "-c", UNITS]).output)

    def _beats(self) -> dict[str, Beat]:
        status, text = self._operator.store.request("GET", _MACHINES, "")
        return beats_in(text) if status == _OK else {}

    def _directories(self) -> tuple[str, ...]:
        """etcd's other visible directories and keys; fleet's are hidden."""
        _, text = self._operator.store.request("GET", "/v2/keys/", "")
        with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            nodes: list[dict[str, Any]] = json.loads(text)["node"].get("nodes", ())
            return tuple(sorted(str(node["key"]) for node in nodes if node["key"] != "/fleetcaptain"))
        return ()

    def _rollouts(self) -> tuple[str, ...]:
        found = []
        for app in self._access.apps():
            directory = lock_key(app, "").rstrip("/")
            found += [f"{app}/{node.key.rpartition('/')[2]}" for node in self._operator.store.below(directory)]
        return tuple(found)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock.acquire(self._operator.sleep, self._report)
        try:
            yield
        finally:
            # The lock expires by itself; the error that is being raised is more useful.
            with suppress(FleetCaptainError):
                self._lock.release()

    def _wait(self) -> None:
        self._operator.sleep(_TICK_SEC)
        self._lock.renew()


def _last(result: Result) -> str:
    return last_lines(f"{result.output}\n{result.errors}") or "nothing"


def open_operator(endpoint: Endpoint) -> Operator:
    """The operator of the cluster at *endpoint*. No connection is opened before the first request."""
    tunnel, passwords = Tunnel(endpoint), [""]
    return Operator(
        FleetClient(Transport(tunnel.fleet_url, mark_unreachable=tunnel.mark_unreachable)),
        EtcdStore(
            tunnel.etcd_url,
            mark_unreachable=tunnel.mark_unreachable,
            password=lambda: passwords[-1] or tunnel.etcd_password(),
        ),
        tunnel.run,
        endpoint.to,
        endpoint.hosts,
        passwords.append,
        time.monotonic,
        time.sleep,
    )
