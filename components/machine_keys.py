"""The machines' keys for secrets, asked for once by resources that a preview checks at about the same time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from fleetcaptain.machine.secrets_key import MachineKey
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.polling import REFRESH_SEC
from fleetcaptain.secrets.secret_store import SecretStore

__all__ = ["recent_keys"]

_lock = threading.Lock()
_found: WeakKeyDictionary[Cluster, tuple[float, Mapping[str, MachineKey | None]]] = WeakKeyDictionary()


def recent_keys(cluster: Cluster) -> Mapping[str, MachineKey | None]:
    """Address -> the key of that machine, as it was at most `REFRESH_SEC` seconds ago. A machine without a key may get
    one at any time, so it is asked each time. Raises ClusterUnreachable when none answers."""
    with _lock:
        at, keys = _found.get(cluster, (float("-inf"), {}))
        if cluster.clock() - at > REFRESH_SEC or None in keys.values():
            keys = SecretStore(cluster).keys()
            _found[cluster] = cluster.clock(), keys
        return keys
