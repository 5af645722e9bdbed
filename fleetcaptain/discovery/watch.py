"""Changes of what a lookup answers, as they happen."""

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

# After so long without a change all is read again, so that nothing that went by unseen stays unseen.
QUIET_SEC = 30.0
_PAUSE_SEC = 1.0


def changes(
    api: KeysApi, app: str, service: str, asker: Caller, sleep: Callable[[float], None] = time.sleep
) -> Iterator[list[Instance]]:
    """The instances of *service* that *asker* may use, at once, and again whenever they have changed; empty when there
    are none. It has no end, and goes on when etcd was away; only the first look raises ClusterUnreachable.
    """
    last: list[Instance] | None = None
    while True:
        try:
            known, index = read_app(api, app)
            try:
                found = list(lookup(service, asker, known))
            except NotAvailable:
                found = []
            if found != last:
                last = found
                yield found
            next_change(api, app, service, index + 1, QUIET_SEC)
        except ClusterUnreachable as error:
            if last is None:
                raise
            log.warning("%s keeps what it knew: %s", service, error)
            sleep(_PAUSE_SEC)


def next_change(api: KeysApi, app: str, service: str, index: int, timeout_sec: float) -> None:
    """Wait, for *timeout_sec* seconds at most, until something from *index* on may change the lookup of *service*.

    Rollouts write much into the app's directory that changes no lookup; it is passed over.
    """
    deadline = time.monotonic() + timeout_sec
    while (left := deadline - time.monotonic()) > 0:
        event = api.wait(app_dir(app), index, left)
        # Nothing came, or too much since *index* for etcd to remember: then all has to be read again.
        if event is None or not event.node or not event.done:
            return
        if _concerns(str(event.node.get("key", "")), app, service):
            return
        index = int(event.node.get("modifiedIndex", index)) + 1


def _concerns(key: str, app: str, service: str) -> bool:
    """Whether a change at *key* can change what a lookup of *service* answers."""
    parts = (service_dir(app, service), releases_dir(app), current_key(app), pending_key(app))
    return any(f"{part}/".startswith(f"{key}/") or key.startswith(f"{part}/") for part in parts)
