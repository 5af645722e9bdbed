"""Probes this machine; the result is a `Found`."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.base_image import has_base_image
from tools.docker_engine import engine_version
from tools.found import Engine, Found, Pulumi
from tools.gobuild import present
from tools.pins import BUILDX, DOCKER_BUILD, PULUMI, TEST_PROGRAMS
from tools.plugins import find_docker_build, users_docker_config
from tools.project_layout import Layout
from tools.shell import answer
from tools.venv import venv_profile

__all__ = ["look"]

_OWN_SOCKET = ("", "unix:///var/run/docker.sock", "unix:///run/docker.sock")


def look(layout: Layout, environ: Mapping[str, str]) -> Found:
    """The programs on the machine, without those built here that are on PATH."""
    ours = (str(layout.bin), str(layout.venv / "bin"))
    path = os.pathsep.join(part for part in environ.get("PATH", "").split(os.pathsep) if part not in ours)
    own_config = users_docker_config(environ, layout)
    docker = shutil.which("docker", path=path) or ""
    plugin = find_docker_build(environ, layout, path)
    known = present(layout)
    if not plugin:
        # A build that Pulumi does not have yet does not count.
        known.pop(DOCKER_BUILD.name, None)
    engine = _engine(environ, own_config) if docker else Engine()
    return Found(
        root=os.geteuid() == 0,
        apt=shutil.which("apt-get", path=path) is not None,
        systemd=Path("/run/systemd/system").is_dir(),
        go=shutil.which("go", path=path) or "",
        built=frozenset(name for name, current in known.items() if current),
        stale=frozenset(name for name, current in known.items() if not current),
        # Only if it is used: each of them starts a large program.
        pulumi=None if known.get(PULUMI.name) else _pulumi(path),
        docker_build=plugin,
        buildx="" if known.get(BUILDX.name) else _buildx(docker, own_config),
        docker=docker,
        dockerd=shutil.which("dockerd", path=f"{path}:/usr/sbin:/sbin") or "",
        engine=engine,
        base_image=bool(engine.version) and has_base_image(),
        ssh=shutil.which("ssh", path=path) or "",
        test_programs=frozenset(name for name in TEST_PROGRAMS if shutil.which(name, path=path)),
        ensurepip=importlib.util.find_spec("ensurepip") is not None,
        venv=venv_profile(layout),
    )


def _pulumi(path: str) -> Pulumi | None:
    found = shutil.which("pulumi", path=path)
    if found is None:
        return None
    _, version = answer([found, "version"])
    return Pulumi(found, version, (Path(found).parent / "pulumi-language-python").exists())


def _buildx(docker: str, own_config: Path) -> str:
    """The version of the CLI's own plugin."""
    if not docker:
        return ""
    has, output = answer([docker, "--config", str(own_config), "buildx", "version"])
    return next((word for word in output.split() if word[:1] == "v"), "v?") if has else ""


def _engine(environ: Mapping[str, str], own_config: Path) -> Engine:
    _, context = answer(["docker", "--config", str(own_config), "context", "show"])
    elsewhere = environ.get("DOCKER_HOST", "") not in _OWN_SOCKET or (
        not environ.get("DOCKER_HOST") and context not in ("default", "")
    )
    answers, output = engine_version()
    return Engine(version=output, elsewhere=elsewhere) if answers else Engine(error=output, elsewhere=elsewhere)
