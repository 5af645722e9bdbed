"""``captain render``: prints the units that a Fleetfile becomes, without a cluster and without Pulumi."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.fleetfile_option import DEFAULT_STACK, Cluster, File, rendered
from fleetcaptain.cli.printer import echo, echo_json

if TYPE_CHECKING:
    from fleetcaptain.release.service_release import Part

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def render(
        service: Annotated[
            str | None,
            typer.Argument(help="Only the unit of this service or task.", show_default=False),
        ] = None,
        *,
        file: File = Path(),
        stack: Annotated[
            str,
            typer.Option("--stack", help=f"The stack in the marks. Default: {DEFAULT_STACK}.", metavar="PROJECT/STACK"),
        ] = DEFAULT_STACK,
        cluster: Cluster = None,
        json_wanted: Json = False,
    ) -> None:
        """Print the unit texts of a Fleetfile.

        They are what fleet stores, except for the line with the image (Environment=IMAGE=...), which only a build
        knows. With `--cluster aws` the proxy has the times of the load balancer. All instances of a service have
        the same text. A periodic task has two units. Exits with 2 when the Fleetfile has mistakes.

        Example: captain render app_server --file examples/behavioral
        """
        from fleetcaptain.agent.agent_unit import agent_unit
        from fleetcaptain.mode import Mode
        from fleetcaptain.release.service_release import Part, parts_of_app
        from fleetcaptain.units.agent_calls import agent_name
        from fleetcaptain.units.names import periodic_units, task_unit

        app, files, tasks = rendered(file, stack, cluster)
        agent = agent_name(app.app).removesuffix(".service")
        parts = [*parts_of_app(app, files), Part(agent, agent_unit(app.app, stack), 1, Mode.FLEET_GLOBAL)]
        units = [(part.service, _names_shown(part), part.unit.text) for part in parts]
        for task in app.tasks:
            name, pair = task.name, tasks[task.name]
            unit, timer = periodic_units(name) if task.every else (task_unit(name, "<run>"), "")
            units.append((name, unit, pair.unit.text))
            if pair.timer is not None:
                units.append((name, timer, pair.timer.text))
        chosen = [unit for unit in units if service in (None, unit[0])]
        if not chosen:
            known = ", ".join(dict.fromkeys(name for name, _, _ in units))
            raise typer.BadParameter(f"{service!r} is not one of {known}", param_hint="SERVICE")
        if json_wanted:
            echo_json([{"service": name, "names": names, "unit": text} for name, names, text in chosen])
        elif service is not None and len(chosen) == 1:
            echo(chosen[0][2].rstrip("\n"))
        else:
            echo("\n\n".join(f"# {names}\n{text.rstrip()}" for _, names, text in chosen))


def _names_shown(part: Part) -> str:
    """The names of the units of *part*, with what only a deployment knows in angle brackets."""
    from fleetcaptain.mode import Mode
    from fleetcaptain.units.names import global_name, instance_names

    if part.mode is Mode.FLEET_GLOBAL:
        return global_name(part.service)
    if part.mode is Mode.PER_MACHINE:
        return f"{part.service}@<machine id>.service"
    stem = f"{part.service}-<hash>" if part.mode is Mode.BLUE_GREEN else part.service
    names = instance_names(stem, part.instances)
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
