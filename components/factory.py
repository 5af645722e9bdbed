"""Creates the kind of cluster that the stack's configuration selects."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import pulumi

from components.aws.preconditions import PLATFORM
from components.cluster.auth_settings import OPEN_KEYS, open_dirs
from components.cluster.existing import ExistingCluster
from components.cluster.existing_config import SETTINGS
from components.cluster.interface import ClusterComponent
from components.cluster.local import LocalCluster
from components.cluster.lost_paths import lost_paths
from components.cluster.reserved_ports import reserved_ports
from components.configured_secrets import has_empty_passphrase
from components.stack_file import read_stack_file
from fleetcaptain.errors import ClusterRefused, FleetCaptainError
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleetfile.values import App
from fleetcaptain.localcluster.machine_metadata import parse_metadata
from fleetcaptain.registry_login import RegistryLogin
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["choose_cluster", "default_platforms"]

# Service -> its unit, rendered only if a kind of cluster needs it.
Rendered = Callable[[], Mapping[str, UnitFile]]

_NAME = "cluster"
_AWS_PACKAGES = {"pulumi_aws", "pulumi_tls"}


def default_platforms(config: pulumi.Config) -> tuple[str, ...]:
    """The platform of images whose build names none, as docker calls it: that of the machines, if it is known; the
    computer that builds may have another processor."""
    return (PLATFORM,) if config.get("cluster") == ClusterKind.AWS else ()


def choose_cluster(
    config: pulumi.Config,
    app: App,
    rendered: Rendered,
    login: RegistryLogin | None = None,
    *,
    is_rollback: bool = False,
) -> ClusterComponent:
    """The cluster of `fleetcaptain:cluster`, for *app*, whose units *rendered* gives. *login*: the configured one at
    the registry of an existing cluster. Raises ClusterRefused with all invalid settings, and for windows whose
    machines, and services whose ports and paths, it cannot have. A rollback (*is_rollback*) does not deploy these."""
    kinds: Mapping[str, Callable[[], ClusterComponent]] = {
        ClusterKind.LOCAL: lambda: _local(config),
        ClusterKind.AWS: lambda: _aws(config, app, rendered),
        ClusterKind.EXISTING: lambda: _existing(config, login),
    }
    kind = config.get("cluster") or ClusterKind.LOCAL
    if kind not in kinds:
        problem = f"fleetcaptain:cluster must be one of {', '.join(kinds)}, not {kind!r}"
        raise ClusterRefused("Unknown kind of cluster. Nothing was changed:", [problem])
    if kind != ClusterKind.AWS and not is_rollback:
        _refuse_machines(app)
    if kind == ClusterKind.LOCAL and not is_rollback:
        _refuse_ports(app)
        _refuse_paths(app)
    return kinds[kind]()


def _refuse_machines(app: App) -> None:
    """Raise ClusterRefused if a window of *app* has machines of its own: only AWS launches some."""
    problems = [
        f"service {spec.name!r}, window {window.name!r}: machines={window.machines} is possible on AWS only, because "
        "the machines of this cluster are fixed. Remove machines=, so that the window uses the machines there are"
        for spec in app.services
        for window in spec.scale
        if window.machines
    ]
    if problems:
        raise ClusterRefused("This cluster cannot get machines for a window. Nothing was changed:", problems)


def _refuse_ports(app: App) -> None:
    """Raise ClusterRefused if a service of *app* publishes a port of the machines' own programs."""
    problems = reserved_ports(app)
    if problems:
        raise ClusterRefused(
            "Services cannot have these ports on the cluster's machines. Nothing was changed:", problems
        )


def _refuse_paths(app: App) -> None:
    """Raise ClusterRefused if a service of *app* would lose data when a machine is made again."""
    problems = lost_paths(app)
    if problems:
        raise ClusterRefused("Services would lose their data on the cluster's machines. Nothing was changed:", problems)


def _local(config: pulumi.Config) -> ClusterComponent:
    size = config.get_int("size")
    return LocalCluster(
        _NAME,
        size=3 if size is None else size,
        metadata=parse_metadata(config.get_object("metadata")),
        tls=config.get_bool("tls"),
        open_dirs=open_dirs(_listed(config, OPEN_KEYS)),
        remove_machines=_listed(config, "removeMachines"),
    )


def _aws(config: pulumi.Config, app: App, rendered: Rendered) -> ClusterComponent:
    # Imported here: it takes half a second and an extra that other clusters do not need.
    try:
        from components.aws.coreos_cluster import choose_aws
    except ModuleNotFoundError as error:
        if error.name not in _AWS_PACKAGES:
            raise
        raise FleetCaptainError(
            f"Could not declare the cluster on AWS: the Python package {error.name} is not installed. Nothing was "
            f"changed. Run `make up STACK={pulumi.get_stack()}`, or `python3 -m tools install --aws`, which install it."
        ) from error
    return choose_aws(
        _NAME,
        config,
        app,
        rendered(),
        open_dirs(_listed(config, OPEN_KEYS)),
        empty_passphrase=has_empty_passphrase(read_stack_file(), os.environ),
    )


def _existing(config: pulumi.Config, login: RegistryLogin | None) -> ClusterComponent:
    return ExistingCluster(
        _NAME,
        fleet=_listed(config, "fleet"),
        settings={name: text for name in SETTINGS if (text := config.get(name))},
        login=login,
    )


def _listed(config: pulumi.Config, name: str) -> list[str]:
    """The values of a setting with commas between them."""
    return [text.strip() for text in (config.get(name) or "").split(",") if text.strip()]
