"""What an app does with discovery: say that it is ready, and find the others. `fleetcaptain` re-exports it.

Everything comes from the environment that FleetCaptain gives to a container; see `Identity`.
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
    """Say that this instance serves *service*, at *connection*: ``{"host": ..., "port": ...}`` and whatever else its
    users need. Without a host, the machine's counts. It replaces what the unit registered by itself.

    Instances of the same release discover it; with *versions*, release tags, those of these releases do too. It is
    renewed in the background until the lease is closed, or `unregister` is called, or the process ends. Raises
    RegistrationRefused for what no lookup could read, ClusterUnreachable, and UnknownApp outside of any app.
    """
    return _mine().register(service, connection, versions=versions)


def unregister(service: str) -> None:
    """Say that this instance does not serve *service* any more: before it exits, or for a while. Nobody discovers it,
    though its unit runs, until it registers again or is started again. Raises ClusterUnreachable and UnknownApp.
    """
    _mine().unregister(service)


@overload
def discover(service: str, *, watch: Literal[False] = False) -> list[Instance]: ...
@overload
def discover(service: str, *, watch: Literal[True]) -> Iterator[list[Instance]]: ...
def discover(service: str, *, watch: bool = False) -> list[Instance] | Iterator[list[Instance]]:
    """The instances of *service* that this one may use: those of its own release first, then those that declare to
    serve it too. Raises NotAvailable when there is none, ClusterUnreachable, and UnknownApp outside of any app.

    With *watch*: an endless iterator over such lists, the present one at once, and another whenever it has changed; an
    empty one instead of NotAvailable. It goes on when etcd was away.
    """
    mine = _mine()
    return mine.watch(service) if watch else mine.discover(service)


def ensure_available(service: str, *, timeout_sec: float = 0) -> list[Instance]:
    """The instances of *service*, as `discover` gives them, waited for up to *timeout_sec* seconds.

    Raises NotAvailable when there is none by then, ClusterUnreachable when etcd did not answer to the end, and
    UnknownApp outside of any app.
    """
    return _mine().ensure_available(service, timeout_sec=timeout_sec)


_of = cache(Discovery)


def _mine() -> Discovery:
    return _of(Identity.from_environment())
