"""``captain volumes``: the named volumes of services: where they are, and how large."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, owned_cluster, site

if TYPE_CHECKING:
    from fleetcaptain.data.service_data import VolumeRow

__all__ = ["add"]

_LIST_SEC = 120.0
_MOST, _UNITS = 10_000, ("KiB", "MiB", "GiB", "TiB", "PiB")


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("volumes")
    def list_volumes(
        *, json_wanted: Json = False, stack: Stack = None, ssh: Ssh = None, key: Key = "", app: TargetApp = None
    ) -> None:
        """List the named volumes of services, and where they are.

        STATE is `in use`; `at rest` if no container has the volume; `unused` if no service of the app has it now, and
        its data stays; `missing` if the machine has no such volume, is away or does not answer. A star marks the
        machine on which the service stays.

        Example: captain volumes
        """
        from fleetcaptain.data.service_data import former_volumes_of, volume_rows, volumes_of
        from fleetcaptain.data.volume_scripts import listing_argv, parse_listing
        from fleetcaptain.text_table import text_table

        cluster, snapshot = owned_cluster(site(app, stack, ssh, key))
        known = (volumes_of(cluster.ownership, snapshot), former_volumes_of(cluster.ownership, snapshot))
        names = sorted({name for found in known for volumes in found.values() for name in volumes})
        machines = list(snapshot.machines.values()) if names else []
        with ThreadPoolExecutor(max(1, len(machines))) as pool:
            outputs = list(pool.map(lambda one: cluster.run(one.ip, listing_argv(names), _LIST_SEC), machines))
        uses = {
            machine.id: None if output is None else parse_listing(output)
            for machine, output in zip(machines, outputs, strict=True)
        }
        rows = list(volume_rows(cluster.ownership, snapshot, uses))
        if json_wanted:
            echo_json([_data(row) for row in rows])
        elif not rows:
            echo(f"No service of {cluster.app} has a named volume.")
        else:
            cells = [(row.service, row.volume, _where(row), _size(row), _state(row)) for row in rows]
            for line in text_table(("SERVICE", "VOLUME", "MACHINE", "SIZE", "STATE"), cells):
                echo(line)
            used = {row.volume for row in rows if not row.gone}
            for row in rows:
                if row.gone and row.volume not in used and row.use is not None and not row.use.containers:
                    echo(f"To remove {row.volume}: captain ssh {row.where} -- sudo docker volume rm {row.volume}")


def _data(row: VolumeRow) -> dict[str, object]:
    return {
        "service": row.service,
        "volume": row.volume,
        "machine": row.where,
        "sizeBytes": row.use.size_kib * 1024 if row.use else None,
        "state": _state(row),
        "stays": row.keeps,
    }


def _where(row: VolumeRow) -> str:
    return f"{row.where}*" if row.keeps else row.where


def _size(row: VolumeRow) -> str:
    if row.use is None:
        return "-"
    size, unit = row.use.size_kib, 0
    while size >= _MOST:
        size, unit = size // 1024, unit + 1
    return f"{size} {_UNITS[unit]}"


def _state(row: VolumeRow) -> str:
    if row.use is None:
        return "missing"
    return "in use" if row.use.containers else "unused" if row.gone else "at rest"
