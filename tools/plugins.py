"""The plugin folders of Docker and Pulumi."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.gobuild import build
from tools.pins import DOCKER_BUILD
from tools.project_layout import Layout, put
from tools.shell import run
from tools.tool_failure import ToolFailed

__all__ = [
    "add_to_pulumi",
    "find_docker_build",
    "install_docker_build",
    "mirror_docker_config",
    "pulumi_home",
    "users_docker_config",
]

_DOWNLOAD_SEC = 120
_PLUGIN_FOLDER = f"resource-docker-build-v{DOCKER_BUILD.version}"


def users_docker_config(environ: Mapping[str, str], layout: Layout) -> Path:
    """The Docker CLI's folder without this toolchain."""
    named = environ.get("DOCKER_CONFIG", "")
    return Path(named) if named and Path(named) != layout.docker_config else Path.home() / ".docker"


def mirror_docker_config(own: Path, layout: Layout) -> None:
    """Make ``.tools/docker`` the folder *own* plus the built buildx.

    The CLI looks for a user's plugins only in its own folder, and nothing outside of the project may be written. So
    this folder replaces it (DOCKER_CONFIG) and links to all of its contents: logins, contexts, plugins.
    """
    _link(own, layout.docker_config, excluded="cli-plugins")
    _link(own / "cli-plugins", layout.docker_config / "cli-plugins", excluded="docker-buildx")


def _link(own: Path, mirror: Path, excluded: str) -> None:
    mirror.mkdir(parents=True, exist_ok=True)
    wanted = {path.name for path in own.iterdir() if path.name != excluded} if own.is_dir() else set()
    for link in mirror.iterdir():
        if link.is_symlink() and (link.name not in wanted or link.readlink() != own / link.name):
            link.unlink()
    for name in wanted:
        if not os.path.lexists(mirror / name):
            (mirror / name).symlink_to(own / name)


def pulumi_home(environ: Mapping[str, str], layout: Layout) -> Path:
    """Pulumi's own folder: the one that PULUMI_HOME names, else the user's, else one in the project. Once the project
    has one, it stays in use: the plugins are in it."""
    named = environ.get("PULUMI_HOME", "")
    if named:
        return Path(named)
    theirs = Path.home() / ".pulumi"
    return theirs if theirs.is_dir() and not layout.pulumi_home.is_dir() else layout.pulumi_home


def find_docker_build(environ: Mapping[str, str], layout: Layout, path: str) -> str:
    """The docker-build plugin on *path* or among Pulumi's plugins; empty when it is in neither."""
    on_path = shutil.which(DOCKER_BUILD.name, path=path)
    downloaded = pulumi_home(environ, layout) / "plugins" / _PLUGIN_FOLDER / DOCKER_BUILD.name
    return on_path or (str(downloaded) if downloaded.exists() else "")


def install_docker_build(layout: Layout, environ: Mapping[str, str]) -> str:
    """Have Pulumi download the plugin, and build it where that cannot be done. Says which."""
    log = layout.log("pulumi plugin install")
    log.unlink(missing_ok=True)
    env = {"PULUMI_HOME": str(pulumi_home(environ, layout))}
    argv = ("pulumi", "plugin", "install", "resource", "docker-build", DOCKER_BUILD.version)
    try:
        run(argv, log, env=env, timeout=_DOWNLOAD_SEC)
    except ToolFailed:
        build(DOCKER_BUILD, layout)
        add_to_pulumi(layout, environ)
        return "built, because Pulumi could not download it"
    return "downloaded by Pulumi"


def add_to_pulumi(layout: Layout, environ: Mapping[str, str]) -> None:
    """Copy the built plugin to Pulumi's own: one on PATH works too, but Pulumi warns about it at every step."""
    folder = pulumi_home(environ, layout) / "plugins" / _PLUGIN_FOLDER
    put(folder / DOCKER_BUILD.name, layout.installed(DOCKER_BUILD.name).read_bytes(), mode=0o755)
