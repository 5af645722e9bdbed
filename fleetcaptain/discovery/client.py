"""The discovery client that the functions for apps and the command line share."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from fleetcaptain.discovery.documents import Registration, drained
from fleetcaptain.discovery.failing_instances import FailingService
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.discovery.instances import Instance
from fleetcaptain.discovery.keys import TTL_SEC
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.discovery.lease import Lease
from fleetcaptain.discovery.read import read_app
from fleetcaptain.discovery.resolve import lookup
from fleetcaptain.discovery.watch import QUIET_SEC, changes, next_change
from fleetcaptain.errors import ClusterUnreachable, NotAvailable, RegistrationRefused
from fleetcaptain.untrusted import readable

__all__ = ["Discovery", "registration"]

_PAUSE_SEC = 1.0


class Discovery:
    """Discovery for the caller *identity*. Safe to share between threads.

    *keys*: makes the client of etcd; one that is not at the identity's URL ignores its first argument.
    """

    def __init__(
        self,
        identity: Identity,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        keys: Callable[..., KeysApi] = KeysApi,
    ) -> None:
        self.identity = identity
        self._keys = keys
        self._api = keys(identity.etcd, clock=clock, sleep=sleep)
        self._clock = clock
        self._sleep = sleep
        self._leases: dict[str, Lease] = {}
        self._lock = threading.Lock()

    def register(self, service: str, connection: Mapping[str, Any], *, versions: Iterable[str] = ()) -> Lease:
        """Register and renew until the lease is closed. Raises ClusterUnreachable and RegistrationRefused."""
        lease = Lease(
            self._api,
            self.identity.key(service),
            registration(self.identity, service, "app", connection, versions),
            shared=self.identity.owns(service),
            withdraw=lambda: self._withdraw(service),
            clock=self._clock,
        )
        with self._lock:
            self._stop(service)
            lease.start()
            self._leases[service] = lease
        return lease

    def announce(self, service: str, connection: Mapping[str, Any], *, versions: Iterable[str] = ()) -> None:
        """Register once, for a program that ends: the machine agent renews while the unit is active.

        The agent renews only the unit's own service; any other registration expires after `TTL_SEC`.
        """
        value = registration(self.identity, service, "beacon", connection, versions)
        with self._lock:
            self._stop(service)
            self._api.put(self.identity.key(service), value, TTL_SEC)

    def unregister(self, service: str) -> None:
        """Remove the caller's registration, if there is one. Raises ClusterUnreachable."""
        with self._lock:
            self._stop(service)
            self._withdraw(service)

    def discover(self, service: str) -> list[Instance]:
        """The instances that the caller may use. Raises NotAvailable and ClusterUnreachable."""
        known, _ = read_app(self._api, self.identity.app)
        return list(lookup(service, self.identity.caller, known))

    def failing(self, service: str) -> FailingService | None:
        """*service*, if alive checks of its instances, of any release, fail. Raises ClusterUnreachable."""
        known, _ = read_app(self._api, self.identity.app)
        return known.failing(service)

    def watch(self, service: str) -> Iterator[list[Instance]]:
        """As `changes`."""
        return changes(self._api, self.identity.app, service, self.identity.caller, self._sleep)

    def ensure_available(self, service: str, *, timeout_sec: float = 0) -> list[Instance]:
        """Wait for the instances. Raises NotAvailable, or ClusterUnreachable when etcd does not answer by then."""
        api = self._keys(self.identity.etcd, patience_sec=0)
        deadline = self._clock() + timeout_sec
        while True:
            try:
                known, index = read_app(api, self.identity.app)
                try:
                    return list(lookup(service, self.identity.caller, known))
                except NotAvailable:
                    if self._clock() >= deadline:
                        raise
                next_change(api, self.identity.app, service, index + 1, min(QUIET_SEC, deadline - self._clock()))
            except ClusterUnreachable:
                left = deadline - self._clock()
                if left <= 0:
                    raise
                self._sleep(min(_PAUSE_SEC, left))

    def _stop(self, service: str) -> None:
        lease = self._leases.pop(service, None)
        if lease is not None:
            lease.stop()

    def _withdraw(self, service: str) -> None:
        key = self.identity.key(service)
        answer = self._api.get(key)
        text = str(answer.node.get("value", ""))
        found = readable(Registration.from_json, text)
        if found is not None and (found.machine, found.unit) != (self.identity.machine, self.identity.name):
            return
        if self.identity.owns(service):
            # Without this mark the machine agent would write the unit's own registration again: the unit is active.
            mark = drained(registration(self.identity, service, "beacon", {}, ()))
            compare = {"prevExist": "false"} if answer.gone else {"prevValue": text}
            self._api.put(key, mark, TTL_SEC, **compare)
        elif found is not None:
            self._api.delete(key, prevValue=text)


def registration(
    identity: Identity, service: str, lease: str, connection: Mapping[str, Any], versions: Iterable[str]
) -> str:
    """The value of a registration. Machine, lease and run come first: the unit's lines recognize the owner by them.

    The versions that the Fleetfile declares for the caller's own service are added. Raises RegistrationRefused.
    """
    declared = identity.versions if service == identity.service else ()
    value = {
        "machine": identity.machine,
        "lease": lease,
        "run": identity.run,
        "service": service,
        "unit": identity.name,
        "content": identity.unit_hash,
        "host": identity.host,
        "ports": {},
        "connection": {"host": identity.host, **connection},
        "versions": list(dict.fromkeys([*declared, *versions])),
        "since": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    try:
        text = json.dumps(value, separators=(",", ":"))
        Registration.from_json(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise RegistrationRefused(
            f"Cannot register {service!r}: {error}. Lookups would ignore it. Nothing was changed. Correct the name of "
            "the service, its connection or its versions, then register again."
        ) from error
    return text
