"""A cluster on AWS as the stack's configuration asks for it, and as the app needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components import log
from components.cluster.aws.cluster import CoreOSCluster, CoreOSClusterArgs
from components.cluster.aws.ports import openings, public_services
from components.cluster.aws.settings import read
from components.repositories import repositories
from fleetcaptain.fleetfile.values import App
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["choose_aws"]

_PUBLIC_DISCOVERY = "discovery.etcd.io"


def choose_aws(
    name: str, config: pulumi.Config, app: App, files: Mapping[str, UnitFile], open_dirs: Sequence[str]
) -> CoreOSCluster:
    """The cluster, with a registry, ports and a balancer for *app*. *files* are its units, *open_dirs*: see
    `LocalCluster`.

    Raises ClusterRefused with all that is wrong with its settings, and UnitRefused.
    """
    settings = read(config.get)
    if _PUBLIC_DISCOVERY in settings.discovery_url:
        log.warn(
            f"fleetcaptain:discoveryUrl: nobody promises that {_PUBLIC_DISCOVERY} answers; without it the members know "
            "each other's addresses, and need no discovery"
        )
    args = CoreOSClusterArgs(settings, repositories(app, files), openings(app), public_services(app), tuple(open_dirs))
    return CoreOSCluster(name, args)
