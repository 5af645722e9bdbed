"""The cluster that a command works on, by one rule for all commands.

Options come first: ``--etcd``, ``--ssh``, ``--stack``. Without them a container's environment names the cluster (a unit
sets FLEETCAPTAIN_ETCD and FLEETCAPTAIN_APP), and elsewhere the selected stack's outputs do.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.errors import ClusterUnreachable, FleetfileError, with_more
from fleetcaptain.fleet.address import Address
from fleetcaptain.fleet.connection import ClusterKind, Connection
from fleetcaptain.fleet.local_endpoint import LocalEndpoint
from fleetcaptain.fleet.owning_checkout import Checkout, copied_from, refused_copy
from fleetcaptain.fleet.project_files import from_project, project_folder
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.printable import last_lines

if TYPE_CHECKING:
    from fleetcaptain.rollout.cluster import Cluster
    from fleetcaptain.rollout.observe import Snapshot

__all__ = [
    "Etcd",
    "Key",
    "Site",
    "Ssh",
    "Stack",
    "TargetApp",
    "by_environment",
    "discovery_for",
    "fleetfile_folder",
    "keys_of",
    "offer_settings",
    "owned_cluster",
    "site",
    "stack_site",
]

Stack = Annotated[
    str | None,
    typer.Option("--stack", help="The Pulumi stack of the cluster. Default: the selected stack.", metavar="NAME"),
]
Ssh = Annotated[
    list[str] | None,
    typer.Option("--ssh", help="A machine of the cluster, instead of a stack. Repeatable.", metavar="USER@HOST"),
]
Key = Annotated[
    str, typer.Option("--key", help="The private key for --ssh. Default: the keys of ssh-agent.", metavar="FILE")
]
TargetApp = Annotated[
    str | None,
    typer.Option("--app", help="The app's name in its Fleetfile. Default: the app of the stack.", metavar="NAME"),
]
Etcd = Annotated[
    str | None, typer.Option("--etcd", help="The URL of the cluster's etcd, instead of a stack.", metavar="URL")
]


@dataclass(frozen=True)
class Site:
    """A cluster's *endpoint*, the *app* on it, and the *stack* (``project/stack``) that deployed the app, "" if
    unknown. *kind*: of the cluster, None if only its machines are named."""

    endpoint: Endpoint | LocalEndpoint
    app: str
    stack: str = ""
    kind: ClusterKind | None = None


def by_environment(
    etcd: str | None, stack: str | None, ssh: Sequence[str] | None, environ: Mapping[str, str] = os.environ
) -> bool:
    """Whether etcd's URL is an option or the environment's, as in a container. Raises typer.BadParameter for *etcd*
    together with *stack* or *ssh*."""
    if etcd and (stack or ssh):
        raise typer.BadParameter("excludes --stack and --ssh", param_hint="--etcd")
    inside = bool(environ.get("FLEETCAPTAIN_ETCD") or environ.get("FLEETCAPTAIN_APP"))
    return bool(etcd) or (inside and not stack and not ssh)


def discovery_for(
    app: str | None, etcd: str | None, stack: str | None, ssh: Sequence[str] | None, key: str
) -> Discovery:
    """Discovery on the cluster that the options name: as the unit that calls it, or as an operator, who has no unit.
    Raises UnknownApp, and as `site`."""
    if by_environment(etcd, stack, ssh):
        return Discovery(Identity.from_environment(app=app, etcd=etcd))
    where = site(app, stack, ssh, key)
    return Discovery(Identity(where.app), keys=keys_of(where.endpoint))


def keys_of(endpoint: Endpoint | LocalEndpoint) -> Callable[..., KeysApi]:
    """Makes clients of the cluster's etcd with the rights of a container, through SSH where that leads to it. No
    connection is opened before the first request."""
    if isinstance(endpoint, LocalEndpoint):
        return lambda _url, **more: KeysApi(endpoint.etcd, **more)
    from fleetcaptain.fleet.tunnel import Tunnel

    tunnel = Tunnel(endpoint)
    return lambda _url, **more: KeysApi(tunnel.etcd_url, mark_unreachable=tunnel.mark_unreachable, **more)


def _pulumi(stack: str | None, *words: str) -> subprocess.CompletedProcess[str]:
    """What pulumi says to *words* of *stack*. Raises OSError if it does not start."""
    argv = ["pulumi", *words, *(["--stack", stack] if stack else [])]
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="backslashreplace", check=False
    )


def _outputs_of(stack: str | None) -> str:
    try:
        done = _pulumi(stack, "stack", "output", "--json")
    except OSError as error:
        raise _unknown(f"could not start pulumi: {error}.") from error
    if done.returncode:
        said = last_lines(done.stderr).removeprefix("error: ").rstrip(".") or f"exit code {done.returncode}"
        raise _unknown(f"`pulumi stack output` failed: {said}.")
    return done.stdout


def fleetfile_folder(stack: str | None) -> Path:
    """The present folder if it has a Fleetfile, or else that of the stack's setting ``fleetcaptain:project``, as pulumi
    tells it, which raises FleetfileError if it does not."""
    here, root = Path(), project_folder(Path.cwd())
    if root is None or (here / "Fleetfile.py").is_file():
        return here
    try:
        done = _pulumi(stack, "config", "get", "fleetcaptain:project")
    except OSError as error:
        raise _no_fleetfile(f"could not start pulumi: {error}") from error
    if done.returncode:
        raise _no_fleetfile(last_lines(done.stderr).removeprefix("error: ") or f"exit code {done.returncode}")
    return root / done.stdout.rstrip("\n")


def _no_fleetfile(why: str) -> FleetfileError:
    return FleetfileError(
        "Could not find a Fleetfile:",
        [
            "there is none in this folder, and `pulumi config get fleetcaptain:project` failed: " + why.rstrip("."),
            "select a stack (`--stack NAME`), or name the folder with --file",
        ],
    )


def offer_settings(stack: str | None) -> None:
    """Let `pulumi.Config` in a Fleetfile find the settings of *stack*, without secrets, as in a deployment: in the
    variable in which Pulumi passes them. Nothing happens where pulumi knows none."""
    if project_folder(Path.cwd()) is None or "PULUMI_CONFIG" in os.environ:
        return
    try:
        settings = json.loads(_pulumi(stack, "config", "--json").stdout)
        found = {key: entry["value"] for key, entry in settings.items() if "value" in entry and not entry["secret"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    os.environ["PULUMI_CONFIG"] = json.dumps(found)


def site(
    app: str | None,
    stack: str | None,
    ssh: Sequence[str] | None,
    key: str,
    outputs_of: Callable[[str | None], str] = _outputs_of,
    *,
    changes: bool = False,
    any_app: bool = False,
) -> Site:
    """The cluster that the options name; with *any_app* the app is optional. Raises as `stack_site`, which has the
    cluster without *ssh*."""
    if ssh:
        if not app and not any_app:
            raise typer.BadParameter("is required with --ssh", param_hint="--app")
        try:
            return Site(Endpoint(tuple(Address.of(host).written for host in ssh), key), app or "")
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--ssh") from error
    try:
        return stack_site(app, stack, outputs_of, changes=changes)
    except ClusterUnreachable as error:
        raise with_more(error, "Or name a machine of the cluster: --ssh core@address --app name.") from error


def owned_cluster(where: Site) -> tuple[Cluster, Snapshot]:
    """The cluster at *where*, as the stack of the app sees it, and what is on it."""
    from fleetcaptain.rollout.connect import open_cluster
    from fleetcaptain.rollout.strategies.restart import stack_of

    cluster = open_cluster(where.endpoint, where.app)
    snapshot = cluster.snapshot()
    return cluster.owned_by(where.stack or stack_of(where.app, snapshot)), snapshot


def stack_site(
    app: str | None, stack: str | None, outputs_of: Callable[[str | None], str] = _outputs_of, *, changes: bool = False
) -> Site:
    """The cluster of *stack*, None for the selected one, and *app* on it, None for the stack's.

    Raises ClusterUnreachable when the stack's outputs name no cluster. For a command that *changes* the cluster, raises
    ClusterRefused in a copy of the checkout that the stack's cluster belongs to.
    """
    try:
        outputs: dict[str, Any] = json.loads(outputs_of(stack))
        owner = outputs.get("stack", "") if app in (None, outputs["app"]) else ""
        connection = Connection.parse(outputs["connection"])
        found = Site(_located(connection).endpoint, app or outputs["app"], owner, connection.kind)
        if changes:
            _refuse_copy(connection)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unknown(
            "the stack has no `connection` and `app` outputs. Deploy it first with `pulumi up`, or select another one."
        ) from error
    return found


def _refuse_copy(connection: Connection) -> None:
    root = project_folder(Path.cwd())
    if connection.kind is not ClusterKind.LOCAL or root is None:
        return
    keys, identity = from_project(str(connection.folder)), connection.stack
    path = copied_from(Checkout.recorded(root / keys), Checkout.at(root), keys, identity)
    if path:
        raise refused_copy(
            identity,
            path,
            [
                f"To change that cluster, run the same command in {path}.",
                "To take the cluster over here, or to start another one here, run `make preview`: it names the steps.",
            ],
        )


def _located(connection: Connection) -> Connection:
    root = project_folder(Path.cwd())
    if root is None and connection.has_relative_files:
        raise _unknown("the stack's key is relative to the folder of the Pulumi program, and this folder is not in it.")
    return connection.located(root or Path.cwd())


def _unknown(why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"Cannot determine the cluster: {why} Nothing was changed. Run this command in the folder of the Pulumi "
        "program, with its stack selected (`pulumi stack select NAME`, or --stack NAME), and with the environment in "
        "which `pulumi stack output` works there, such as PULUMI_BACKEND_URL; in a checkout of FleetCaptain "
        '`eval "$(python3 -m tools env)"` sets it.'
    )
