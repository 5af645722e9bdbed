"""Watches the instances that a lookup finds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from fleetcaptain.discovery.instances import Caller, Instance
from fleetcaptain.discovery.keys import app_dir, current_key, pending_key, releases_dir, service_dir
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.discovery.log import log
from fleetcaptain.discovery.read import read_app
from fleetcaptain.discovery.resolve import lookup
from fleetcaptain.errors import ClusterUnreachable, NotAvailable

__all__ = ["QUIET_SEC", "changes", "next_change"]

# After this long without a change everything is read again, so that a missed change is noticed.
QUIET_SEC = 30.0
_PAUSE_SEC = 1.0


def changes(
    api: KeysApi, app: str, service: str, caller: Caller, sleep: Callable[[float], None] = time.sleep
) -> Iterator[list[Instance]]:
    """The instances of *service* that *caller* may use, now and after each change; empty when there are none. The
    iterator is endless and survives outages of etcd; only the first read raises ClusterUnreachable.
    """
    last: list[Instance] | None = None
    while True:
        try:
            known, index = read_app(api, app)
            try:
                found = list(lookup(service, caller, known))
            except NotAvailable:
                found = []
            if found != last:
                last = found
                yield found
            next_change(api, app, service, index + 1, QUIET_SEC)
        except ClusterUnreachable as error:
            if last is None:
                raise
            log.warning("Kept the last known instances of %s: %s", service, error)
            sleep(_PAUSE_SEC)


def next_change(api: KeysApi, app: str, service: str, index: int, timeout_sec: float) -> None:
    """Wait, for *timeout_sec* seconds at most, for a change from *index* on that may affect a lookup of *service*.

    Changes that affect no lookup, such as a rollout's own keys, are skipped.
    """
    deadline = time.monotonic() + timeout_sec
    while (left := deadline - time.monotonic()) > 0:
        event = api.wait(app_dir(app), index, left)
        # Timeout, or more changes since *index* than etcd remembers: everything must be read again.
        if event is None or not event.node or not event.done:
            return
        if _concerns(str(event.node.get("key", "")), app, service):
            return
        index = int(event.node.get("modifiedIndex", index)) + 1


def _concerns(key: str, app: str, service: str) -> bool:
    """Whether a change at *key* may affect a lookup of *service*."""
    parts = (service_dir(app, service), releases_dir(app), current_key(app), pending_key(app))
    return any(f"{part}/".startswith(f"{key}/") or key.startswith(f"{part}/") for part in parts)
