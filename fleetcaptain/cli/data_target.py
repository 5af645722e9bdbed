"""What the commands on the data of a service share: their options, and the data that these name."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from fleetcaptain.cli.printer import progress
from fleetcaptain.cli.target_cluster import site

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fleetcaptain.data.backup import Backup

__all__ = ["DataMachine", "Stop", "Volume", "backup_of", "ended_in_order"]

Volume = Annotated[str, typer.Option("--volume", help="The volume. Default: the only one.", metavar="NAME")]
DataMachine = Annotated[
    str,
    typer.Option("--machine", help="The machine. Default: that on which the service is.", metavar="NAME|ADDRESS|ID"),
]
Stop = Annotated[bool, typer.Option("--stop", help="Stop the service meanwhile, and start it again.")]


@contextmanager
def ended_in_order() -> Iterator[None]:
    """In the block SIGTERM and SIGHUP are as ^C: Python would end at once, and leave the service stopped."""
    default = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    for number in default:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in default:
            signal.signal(number, signal.SIG_DFL)


def backup_of(  # noqa: PLR0917  the options of the command
    service: str,
    volume: str,
    machine: str,
    stop: bool,
    stack: str | None,
    ssh: Sequence[str] | None,
    key: str,
    app: str | None,
) -> Backup:
    """What copies the data of *service* that the options name. Raises NotAvailable."""
    from fleetcaptain.data.backup import Backup
    from fleetcaptain.data.service_data import data_of
    from fleetcaptain.oneoff.preparation import ssh_endpoint
    from fleetcaptain.rollout.connect import open_cluster
    from fleetcaptain.rollout.strategies.restart import stack_on

    where = site(app, stack, ssh, key, changes=True)
    endpoint = ssh_endpoint(where.endpoint)
    cluster = open_cluster(endpoint, where.app)
    snapshot = cluster.snapshot()
    cluster = cluster.owned_by(where.stack or stack_on(where.app, service, snapshot))
    data = data_of(cluster.ownership, service, volume, machine, snapshot)
    return Backup(cluster, endpoint, service, data, progress, stop)
