"""``captain plan``: what a deployment of the Fleetfile would change, without Pulumi and without a build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.fleetfile_option import BY_OPTION, Cluster, StackFile
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, fleetfile_folder, offer_settings, site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetcaptain.history.rollout_record import RolloutRecord
    from fleetcaptain.rollout.change_plan import ServiceChange

__all__ = ["add"]

_NOTE = "Images count as unchanged; a build may change them. `pulumi preview` shows images, tasks and machines too."


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def plan(
        *,
        file: StackFile = Path(),
        json_wanted: Json = False,
        cluster: Cluster = None,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
    ) -> None:
        """Show what a deployment of a Fleetfile would change.

        For each service: what happens to its instances, how many serve at least meanwhile, how long it takes by the
        last three rollouts, whether its windows change, and the lines of its unit that change. Nothing is built or
        changed. With `--ssh` add `--cluster aws` for a cluster on AWS. Exits with 2 when the Fleetfile has mistakes.

        Example: captain plan
        """
        from fleetcaptain.fleetfile import load
        from fleetcaptain.history.stored_records import read_records
        from fleetcaptain.release.balanced_app import adapted
        from fleetcaptain.release.service_release import parts_of_app
        from fleetcaptain.rollout.change_plan import planned
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.rollout.strategies.restart import services_on, stack_of
        from fleetcaptain.units.render import render_app

        offer_settings(stack)
        fleetfile = load(fleetfile_folder(stack) if file == Path() else file, BY_OPTION)
        where = site(fleetfile.app, stack, ssh, key)
        app = adapted(fleetfile, cluster or where.kind)
        observed = open_cluster(where.endpoint, app.app)
        snapshot = observed.snapshot()
        owner = where.stack or stack_of(app.app, snapshot)
        ownership = observed.owned_by(owner).ownership
        parts = parts_of_app(app, render_app(app, owner))
        changes = planned(parts, ownership, snapshot, observed.wall_clock())
        kept = {*(part.service for part in parts), *(change.replaces for change in changes)}
        removed = [service for service in services_on(ownership, snapshot) if service not in kept]
        records = {
            change.service: read_records(observed.store, app.app, change.service)[0]
            for change in changes
            if change.update is not None
        }
        if json_wanted:
            echo_json(
                {
                    "services": [_as_json(change, records.get(change.service, ())) for change in changes],
                    "removed": removed,
                }
            )
            return
        for change in changes:
            echo(_sentence(change, records.get(change.service, ())))
            for line in change.lines:
                echo(f"    {line}")
        for service in removed:
            echo(f"{service}: removed, the Fleetfile does not have it")
        echo(_NOTE, error=True)


def _sentence(change: ServiceChange, records: Sequence[RolloutRecord]) -> str:
    from fleetcaptain.rollout.expected_duration import format_expected

    if change.is_new:
        new = f"replaces {change.replaces}" if change.replaces else "new"
        return f"{change.service}: {new}, with {change.instances} instance{'s' if change.instances > 1 else ''}"
    if change.update is None:
        return f"{change.service}: {'only its windows change' if change.windows_change else 'unchanged'}"
    return format_expected(change.update, records) + ("; its windows change too" if change.windows_change else "")


def _as_json(change: ServiceChange, records: Sequence[RolloutRecord]) -> dict[str, Any]:
    from fleetcaptain.rollout.expected_duration import expected_sec, lowest

    found: dict[str, Any] = {
        "service": change.service,
        "new": change.is_new,
        "replaces": change.replaces or None,
        "changed": change.update is not None,
        "windows_change": change.windows_change,
    }
    if change.update is not None:
        seconds, number = expected_sec(change.update, records)
        found |= {"lowest": lowest(change.update), "seconds": round(seconds, 1) if number else None}
    return {**found, "instances": change.instances, "lines": list(change.lines)}
