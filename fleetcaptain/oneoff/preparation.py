"""Reads from the cluster what a one-off needs, and puts its session together."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from fleetcaptain.discovery.keys import current_key, machines_dir, release_key, tasks_dir, text_key
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.fleet.local_endpoint import LocalEndpoint
from fleetcaptain.fleet.machine_lookup import machine_named
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.oneoff.machine_scripts import attach_script, client_script, guard_argv
from fleetcaptain.oneoff.one_off import OneOff, Streams, container_words, environment_of, secrets_of
from fleetcaptain.oneoff.remote_session import Session
from fleetcaptain.oneoff.source import (
    container_of,
    instance_on,
    release_hash,
    released_text,
    service_in,
    source_of,
)
from fleetcaptain.release.repository import manifest_of
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["Wish", "attached_session", "client_of", "one_off", "session_of", "ssh_endpoint"]

_ID_BYTES = 4
# A unit's limit is docker's own, and so much longer; see `units.render`.
_STOP_MARGIN_SEC = 10
_CONSOLE_GRACE_SEC = 2


@dataclass(frozen=True)
class Wish:
    """A one-off as the operator asks for it: *service* ("" for the only one), the tag of a *release* and the name of a
    *machine* ("" for the usual ones), *command*, *streams*, and *entrypoint* (None: that of the service)."""

    service: str
    command: tuple[str, ...]
    streams: Streams
    release: str = ""
    machine: str = ""
    entrypoint: str | None = None


def ssh_endpoint(endpoint: Endpoint | LocalEndpoint) -> Endpoint:
    """*endpoint*, if commands can run on its machines. Raises ClusterUnreachable."""
    if isinstance(endpoint, LocalEndpoint):
        raise ClusterUnreachable(
            "Cannot run a command on a machine: the stack reaches the cluster without SSH. Name a machine with "
            "--ssh core@address --app name."
        )
    return endpoint


def one_off(cluster: Cluster, stack: str, wish: Wish) -> OneOff:
    """The one-off of *wish* on *cluster*. Raises NotAvailable for a service, release or machine that is not there."""
    app, store = cluster.app, cluster.store
    snapshot = cluster.snapshot()
    service = service_in(wish.service, app, stack, snapshot, _tasks(cluster, snapshot))
    machine = machine_named(wish.machine, snapshot.machines.values()) if wish.machine else None
    current = store.read(current_key(app))
    tag = wish.release or (current.value if current else "")
    release = manifest_of(store.read(release_key(app, tag))) if tag else None
    released: UnitFile | None = None
    unit_hash = release.services[service].unit_hash if release and service in release.services else ""
    if wish.release:
        unit_hash = release_hash(tag, service, release)
        text = store.read(text_key(app, unit_hash))
        released = released_text(tag, service, release, text.value if text else None)
    heard = {node.key.rpartition("/")[2] for node in store.below(machines_dir(app))}
    source = source_of(app, stack, service, snapshot, heard, current=unit_hash, released=released, machine=machine)
    return OneOff(
        app,
        service,
        source.unit,
        source.file,
        source.machine,
        _new_id(),
        wish.command,
        wish.streams,
        wish.entrypoint,
    )


def client_of(one: OneOff) -> str:
    """The script of the client of *one*. Raises UnitRefused."""
    words = container_words(one)
    return client_script(words, environment_of(one, words), one.id, secrets_of(one))


def session_of(endpoint: Endpoint, one: OneOff) -> Session:
    """The session that runs *one*. Raises UnitRefused."""
    grace_sec = max(1, one.file.stop_limit_sec - _STOP_MARGIN_SEC)
    script = client_of(one)
    guard = guard_argv(one.id, script, one.name, grace_sec)
    return Session(endpoint.to(one.machine.ip), one.id, tuple(guard), script, one.streams, grace_sec)


def attached_session(
    cluster: Cluster, endpoint: Endpoint, stack: str, name: str, command: Sequence[str]
) -> tuple[Session, str, Machine]:
    """The session of a console in a running instance, with its unit and machine. *name*: a service (its first
    instance) or ``service@number``. Raises NotAvailable."""
    snapshot = cluster.snapshot()
    wished, _, number = name.removesuffix(".service").partition("@")
    service = service_in(wished, cluster.app, stack, snapshot, _tasks(cluster, snapshot))
    unit, machine = instance_on(cluster.app, stack, service, number, snapshot)
    id_, container, streams = _new_id(), container_of(cluster.app, unit), Streams(stdin=True, terminal=True)
    script = attach_script(container, command, id_, terminal=True)
    guard = guard_argv(id_, script, container, _CONSOLE_GRACE_SEC, attached=True)
    return Session(endpoint.to(machine.ip), id_, tuple(guard), script, streams, _CONSOLE_GRACE_SEC), unit, machine


def _tasks(cluster: Cluster, snapshot: Snapshot) -> set[str]:
    """The app's tasks that have run, and those that are installed."""
    below = f"{tasks_dir(cluster.app)}/"
    run = {node.key.removeprefix(below).partition("/")[0] for node in cluster.store.below(tasks_dir(cluster.app))}
    files = ((unit.mark, unit.file) for unit in snapshot.units.values())
    return run | {mark.service for mark, file in files if file.of_task and mark and mark.app == cluster.app}


def _new_id() -> str:
    return secrets.token_hex(_ID_BYTES)
