"""The paths of a local machine that go with its container, so that services cannot keep data there. Pure."""

from __future__ import annotations

from fleetcaptain.fleetfile.values import App
from fleetcaptain.localcluster.volumes import KEPT_PATHS
from fleetcaptain.units.docker import docker_run, written_volumes

__all__ = ["lost_paths"]


def lost_paths(app: App) -> list[str]:
    """What is wrong: each service or task of *app* that writes to a path which is lost when the machine is made
    again."""
    return [
        f"{spec.name}: {path} of a local machine is lost when the machine is made again, as after a change of its "
        f'image. Use a named volume ("{app.app}-{spec.name}:/in/the/container"), a path below {KEPT_PATHS["srv"]}, '
        "which is kept, or :ro if it is only read"
        for spec in app.containers
        for line in ([docker_run(spec, app.app)] if spec.start is None else spec.start)
        for path in sorted(written_volumes(line))
        if path.startswith("/")
        and not any(f"{path.rstrip('/')}/".startswith(f"{kept}/") for kept in KEPT_PATHS.values())
    ]
