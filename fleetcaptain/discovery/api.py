"""Discovery for apps: register an instance and find other services. `fleetcaptain` re-exports these functions.

They read the environment variables of a container; see `Identity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal, overload

from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.discovery.instances import Instance
from fleetcaptain.discovery.lease import Lease

__all__ = ["discover", "ensure_available", "register", "unregister"]


def register(service: str, connection: Mapping[str, Any], *, versions: Iterable[str] = ()) -> Lease:
    """Register this instance of *service* at *connection*: ``{"host": ..., "port": ...}`` and any other value that its
    users need. The host defaults to the machine's address. The registration replaces the one that the unit wrote.

    Instances of the same release discover it, and with *versions* (release tags) those of these releases too. A thread
    renews it until the lease is closed, `unregister` is called or the process ends. Raises RegistrationRefused for an
    invalid registration, ClusterUnreachable, and UnknownApp outside of any app.
    """
    return _mine().register(service, connection, versions=versions)


def unregister(service: str) -> None:
    """Remove this instance's registration of *service*, before it exits or for a while. The unit keeps running, but
    discovery leaves the instance out until it registers again or restarts. Raises ClusterUnreachable and UnknownApp.
    """
    _mine().unregister(service)


@overload
def discover(service: str, *, watch: Literal[False] = False) -> list[Instance]: ...
@overload
def discover(service: str, *, watch: Literal[True]) -> Iterator[list[Instance]]: ...
def discover(service: str, *, watch: bool = False) -> list[Instance] | Iterator[list[Instance]]:
    """The instances of *service* that this one may use: those of its own release first, then those that declare to
    serve it too. Raises NotAvailable when there is none, ClusterUnreachable, and UnknownApp outside of any app.

    With *watch*: an endless iterator over such lists, first the present one, then another after each change; an empty
    list instead of NotAvailable. It survives outages of etcd.
    """
    mine = _mine()
    return mine.watch(service) if watch else mine.discover(service)


def ensure_available(service: str, *, timeout_sec: float = 0) -> list[Instance]:
    """The instances of *service* as from `discover`; waits up to *timeout_sec* seconds for the first one.

    Raises NotAvailable when there is none by then, ClusterUnreachable when etcd does not answer by then, and UnknownApp
    outside of any app.
    """
    return _mine().ensure_available(service, timeout_sec=timeout_sec)


_of = cache(Discovery)


def _mine() -> Discovery:
    return _of(Identity.from_environment())
