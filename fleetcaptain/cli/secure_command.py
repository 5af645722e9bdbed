"""``captain secure``: etcd's authentication, by passwords, on a cluster that has no certificates."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, site
from fleetcaptain.errors import ClusterRefused

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def secure(
        *,
        apply: Annotated[bool, typer.Option("--apply", help="Do the steps, one machine after the other.")] = False,
        undo: Annotated[
            bool, typer.Option("--undo", help="Turn authentication off, and remove the passwords.")
        ] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --apply or --undo.")] = False,
        open_dirs: Annotated[
            list[str] | None,
            typer.Option(
                "--open", help="A directory of etcd that stays open to everybody; may be repeated.", metavar="/DIR"
            ),
        ] = None,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
    ) -> None:
        """Show who can write etcd, and secure an existing cluster.

        Without --apply or --undo nothing is changed. Exits with 2 when a step is refused, and with 4 when a machine
        does not come back or authentication was turned off again. Both can be run again after an interruption.
        """
        from fleetcaptain.fleet.ssh import Endpoint
        from fleetcaptain.securing.securing import Securing, open_operator
        from fleetcaptain.securing.security_state import APPLY, UNDO, as_json, lines, refuse

        if apply and undo:
            raise typer.BadParameter("not both", param_hint="--apply, --undo")
        endpoint = site(None, stack, ssh, key, any_app=True).endpoint
        if not isinstance(endpoint, Endpoint):
            raise ClusterRefused(
                "captain secure works on the machines, which it reaches over SSH only.",
                ["Name them with --ssh core@address, or set fleetcaptain:fleet to ssh:// addresses."],
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


_DONE = {
    "apply": "etcd is secured. `pulumi up` and captain find root's password on the machines, over SSH. Run `captain "
    "secure --apply` again after machines were added; `captain secure --undo` takes it back.",
    "undo": "etcd has no authentication any more, and the machines have no passwords.",
}
