"""Carries out one step of the plan."""

from __future__ import annotations

from collections.abc import Mapping

from tools.base_image import fetch_base_image
from tools.debian import install_packages
from tools.docker_engine import Daemon
from tools.gobuild import build, copy_scripts, remove
from tools.install_plan import DEBIAN, ENGINE, PYTHON, Step, Verb
from tools.pins import BASE_IMAGE, BUILDX, DOCKER_BUILD, GO_TOOLS, PULUMI_SET, SCRIPTS
from tools.plugins import add_to_pulumi, install_docker_build, mirror_docker_config, users_docker_config
from tools.project_layout import Layout
from tools.tool_failure import ToolFailed
from tools.venv import install_venv

__all__ = ["work"]

_TOOLS = {tool.name: tool for tool in GO_TOOLS}


def work(step: Step, layout: Layout, environ: Mapping[str, str]) -> str:
    """Do *step*; returns a detail for its outcome, if any. Raises ToolFailed."""
    if step.verb is Verb.LACK:
        raise ToolFailed(step.why, by_hand=step.by_hand)
    if step.verb is Verb.USE:
        return ""
    if step.verb is Verb.BUILD:
        build(_TOOLS[step.name], layout)
        if step.name == BUILDX.name:
            mirror_docker_config(users_docker_config(environ, layout), layout)
        if step.name == DOCKER_BUILD.name:
            add_to_pulumi(layout, environ)
        return ""
    if step.verb is Verb.REMOVE:
        remove((*(tool.name for tool in PULUMI_SET), SCRIPTS.name), layout)
        return ""
    return _other(step, layout, environ)


def _other(step: Step, layout: Layout, environ: Mapping[str, str]) -> str:
    if step.name == DEBIAN:
        install_packages(step.packages, layout)
    elif step.name == SCRIPTS.name:
        copy_scripts(layout)
    elif step.name == PYTHON:
        install_venv(layout, step.profile, step.by_hand)
    elif step.name == ENGINE:
        return Daemon(layout).ensure()
    elif step.name == BASE_IMAGE:
        return fetch_base_image(layout)
    elif step.name == DOCKER_BUILD.name:
        return install_docker_build(layout, environ)
    else:
        raise ToolFailed(f"cannot {step.verb} {step.name}")
    return ""
