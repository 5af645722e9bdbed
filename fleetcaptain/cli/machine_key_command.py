"""``captain machine-key``: gives the machines of an existing cluster the key with which they open secrets."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.printer import echo
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, site

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def machine_key(
        *,
        renew: Annotated[
            bool, typer.Option("--renew", help="Replace the key; then deploy each app again with `pulumi up`.")
        ] = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
    ) -> None:
        """Give the machines of a cluster the key for secrets.

        The key is made on a machine, and kept on the machines only. Run this once on an existing cluster, and after
        adding machines. A cluster that a stack makes has its key already; its machines from before there were keys get
        a copy. After an interruption, run the same command again.

        Example: captain machine-key --ssh core@10.0.0.11
        """
        from fleetcaptain.fleet.ssh import Endpoint
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.secrets.key_distribution import MachineKeys, verdicts

        endpoint = site(None, stack, ssh, key, any_app=True).endpoint
        made = isinstance(endpoint, Endpoint) and endpoint.managed
        keys = MachineKeys(open_cluster(endpoint, "fleetcaptain"), echo)
        keys.distribute(renew=renew, made=made)
        echo("\n".join(f"{state.address}  {says}" for state, says in verdicts(keys.states())))
