"""``captain secure``: password authentication for etcd on a cluster without certificates."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, site
from fleetcaptain.errors import ClusterRefused

__all__ = ["add"]

_DONE = {
    "apply": "etcd is secured. `pulumi up` and captain read root's password from the machines over SSH. After adding "
    "machines, run `captain secure --apply` again. To revert, run `captain secure --undo`.",
    "undo": "etcd's authentication is off and the passwords are removed from the machines.",
}


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def secure(
        *,
        apply: Annotated[bool, typer.Option("--apply", help="Secure the cluster, one machine at a time.")] = False,
        undo: Annotated[bool, typer.Option("--undo", help="Turn authentication off and remove the passwords.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
        open_dirs: Annotated[
            list[str] | None,
            typer.Option(
                "--open", help="A directory of etcd that stays open to every client. Repeatable.", metavar="/DIR"
            ),
        ] = None,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
    ) -> None:
        """Show who can write etcd, and secure an existing cluster.

        Changes nothing without --apply or --undo. Exits with 2 when a step is refused, and with 4 when a machine does
        not come back or authentication was turned off again. After an interruption, run the same command again.

        Example: captain secure --apply
        """
        from fleetcaptain.fleet.ssh import Endpoint
        from fleetcaptain.securing.securing import Securing, open_operator
        from fleetcaptain.securing.security_state import APPLY, UNDO, as_json, lines, refuse

        if apply and undo:
            raise typer.BadParameter("cannot be combined", param_hint="--apply, --undo")
        endpoint = site(None, stack, ssh, key, any_app=True).endpoint
        if not isinstance(endpoint, Endpoint):
            raise ClusterRefused(
                "Cannot secure this cluster: captain secure reaches the machines over SSH only. Nothing was changed.",
                ["Name the machines with --ssh core@address, or set fleetcaptain:fleet to ssh:// addresses."],
            )
        securing = Securing(open_operator(endpoint), lambda line: echo(line, error=json_wanted))
        wanted, dirs = (APPLY if apply else UNDO if undo else ""), open_dirs or []
        if not (wanted and yes):
            found = securing.inspect()
            if not json_wanted or wanted:
                echo("\n".join(lines(found, dirs)), error=json_wanted)
            elif not wanted:
                echo_json(as_json(found, dirs))
        if not wanted:
            return
        if not yes:
            refuse(found, wanted, dirs)
            typer.confirm(f"Do you want to {'secure' if apply else 'open'} this cluster?", abort=True, err=json_wanted)
        if apply:
            securing.apply(dirs)
        else:
            securing.undo()
        if json_wanted:
            echo_json(as_json(securing.inspect(), dirs))
        else:
            echo(_DONE[wanted])
