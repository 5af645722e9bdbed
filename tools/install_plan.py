"""The install plan: decides from the programs on a machine what to use, build, install and start. Pure.

A tool built from the present pins is kept. Otherwise a suitable one of the machine is used, and a build from older pins
is removed, so that it does not precede the other on PATH. Otherwise the tool is built or installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tools.found import Found, numbers
from tools.pins import (
    BASE_IMAGE,
    BUILDX,
    BY_HAND,
    DOCKER_BUILD,
    ENGINE_AT_LEAST,
    FLEETCTL,
    IGNITION_VALIDATE,
    MACHINE_TOOLS,
    PULUMI_AT_LEAST,
    PULUMI_SET,
    SCRIPTS,
    TEST_PROGRAMS,
    GoTool,
)
from tools.profile import Profile

__all__ = ["DEBIAN", "ENGINE", "PYTHON", "Step", "Verb", "dotted", "only", "plan"]

DEBIAN, ENGINE, PYTHON = "debian packages", "docker engine", ".venv"
_VENV = "python3-venv"
_JOIN_GROUP = "add yourself to the group docker: sudo usermod -aG docker $USER, and log in again"


class Verb(StrEnum):
    """The action for a tool. LACK: the user must install it by hand."""

    USE = "use"
    BUILD = "build"
    INSTALL = "install"
    START = "start"
    FETCH = "fetch"
    REMOVE = "remove"
    LACK = "lack"


@dataclass(frozen=True)
class Step:
    """One step: *verb*, the tool's *name* and *version*, and *why*. It runs when the steps *after* are done.

    *packages*: the Debian packages of an apt step. *profile*: the profile of the virtual environment. *by_hand*:
    what the user can do if the step fails.
    """

    verb: Verb
    name: str
    version: str = ""
    why: str = ""
    after: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    profile: Profile = Profile.MAIN
    by_hand: str = ""


def plan(found: Found, profile: Profile) -> tuple[Step, ...]:
    """The steps that install all of *profile* on the machine *found*; the long ones come first."""
    steps = [*_debian(found, profile), *_pulumi(found), *_docker_build(found), *_buildx(found)]
    steps += [_build(tool, why) for tool, why in _pinned(profile).items() if tool.name not in found.built]
    steps += [*_python(found, profile), *_engine(found), *_base_image(found)]
    steps = [*_go(found, steps), *steps]
    known = {step.name for step in steps}
    return tuple(replace(step, after=tuple(name for name in step.after if name in known)) for step in steps)


def only(name: str, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The step *name* of *steps*, and the steps that it needs."""
    needed = {name}
    for step in reversed(steps):
        if step.name in needed:
            needed.update(step.after)
    return tuple(step for step in steps if step.name in needed)


def dotted(version: tuple[int, ...]) -> str:
    """A version in its usual form."""
    return ".".join(map(str, version))


def _pinned(profile: Profile) -> dict[GoTool, str]:
    """The tools that no distribution ships, and the reason to build each."""
    tools = dict.fromkeys(MACHINE_TOOLS, "always built: machines run it")
    if profile >= Profile.AWS:
        tools[FLEETCTL] = "operators use it on the machines"
    if profile >= Profile.TESTS:
        tools[IGNITION_VALIDATE] = "the tests check the machines' definition with it"
    return tools


def _build(tool: GoTool, why: str) -> Step:
    return Step(Verb.BUILD, tool.name, tool.version, why, after=("go",), by_hand=BY_HAND.get(tool.name, ""))


def _go(found: Found, steps: list[Step]) -> list[Step]:
    needing = [step.name for step in steps if "go" in step.after]
    if found.go or not needing:
        return []
    return [Step(Verb.LACK, "go", why=f"not on PATH; it builds {', '.join(needing)}", by_hand=BY_HAND["go"])]


def _unsuitable(found: Found) -> str:
    """Why the machine's own Pulumi is unsuitable; empty if it is suitable."""
    if found.pulumi is None:
        return "not on PATH; no download needed"
    if numbers(found.pulumi.version) < PULUMI_AT_LEAST:
        return f"{found.pulumi.path} is {found.pulumi.version or 'of no version'}, older than {dotted(PULUMI_AT_LEAST)}"
    return "" if found.pulumi.has_host else f"there is no pulumi-language-python next to {found.pulumi.path}"


def _pulumi(found: Found) -> list[Step]:
    ours = {tool.name for tool in (*PULUMI_SET, SCRIPTS)}
    why = _unsuitable(found)
    if not why and not ours & found.built and found.pulumi is not None:
        removed = Step(Verb.REMOVE, "pulumi built here", why="older than the pins, and this machine has its own")
        own = Step(Verb.USE, "pulumi", found.pulumi.version, f"with its Python host, {found.pulumi.path}")
        return [own, removed] if ours & found.stale else [own]
    why = why or "the other programs of the set were built here"
    steps = [_build(tool, why) for tool in PULUMI_SET if tool.name not in found.built]
    if SCRIPTS.name not in found.built:
        by_hand = BY_HAND[SCRIPTS.name]
        steps.append(Step(Verb.INSTALL, SCRIPTS.name, SCRIPTS.version, why, after=("go",), by_hand=by_hand))
    return steps


def _docker_build(found: Found) -> list[Step]:
    name, version = DOCKER_BUILD.name, DOCKER_BUILD.version
    if name in found.built:
        return []
    if found.docker_build:
        return [Step(Verb.USE, name, "", found.docker_build)]
    if _unsuitable(found) or "pulumi" in found.built:
        return [_build(DOCKER_BUILD, "neither on PATH nor among Pulumi's plugins")]
    return [Step(Verb.INSTALL, name, version, "Pulumi's own download, else built", by_hand=BY_HAND[name])]


def _buildx(found: Found) -> list[Step]:
    if BUILDX.name in found.built:
        return []
    if found.buildx:
        return [Step(Verb.USE, BUILDX.name, found.buildx, "the Docker CLI has it")]
    return [_build(BUILDX, "the Docker CLI has no such plugin")]


def _debian(found: Found, profile: Profile) -> list[Step]:
    """One apt step for all missing packages, or the steps for the user if apt is unavailable."""
    engine = found.engine.version or found.engine.elsewhere
    wanted = {
        "docker": ("docker.io", not found.docker or not (engine or found.dockerd)),
        "ssh": ("openssh-client", not found.ssh),
        _VENV: (_VENV, found.venv is None and not found.ensurepip),
        **{name: (name, profile >= Profile.TESTS and name not in found.test_programs) for name in TEST_PROGRAMS},
    }
    missing = {name: package for name, (package, needed) in wanted.items() if needed}
    if not missing:
        return []
    if found.apt and found.root:
        packages = tuple(missing.values())
        return [Step(Verb.INSTALL, DEBIAN, " ".join(packages), "not here", packages=packages, by_hand=BY_HAND[DEBIAN])]
    why = "not here, and only root may install it" if found.apt else "not here, and there is no apt-get to install it"
    return [Step(Verb.LACK, name, why=why, by_hand=BY_HAND[name]) for name in missing]


def _python(found: Found, profile: Profile) -> list[Step]:
    if found.venv is not None and found.venv >= profile:
        return []
    lacking = f"the packages for {profile.purpose} are missing"
    why = lacking if found.venv is not None else "missing, or older than pyproject.toml or its lock"
    after = () if found.ensurepip else (DEBIAN, _VENV)
    by_hand = "; ".join(
        ["python3 -m venv .venv", *(f".venv/bin/pip install {' '.join(line)}" for line in profile.pip_installs)]
    )
    return [Step(Verb.INSTALL, PYTHON, "", why, after=after, profile=profile, by_hand=by_hand)]


def _engine(found: Found) -> list[Step]:
    engine = found.engine
    if engine.version and numbers(engine.version) >= ENGINE_AT_LEAST:
        return [Step(Verb.USE, ENGINE, engine.version, "it answers")]
    for holds, why, by_hand in (
        (engine.version, f"{engine.version} answers, older than {dotted(ENGINE_AT_LEAST)}", BY_HAND["docker"]),
        (found.docker and engine.elsewhere, f"it does not answer: {engine.error}", "see DOCKER_HOST"),
        ("permission denied" in engine.error, "permission denied", _JOIN_GROUP),
        (found.dockerd and found.systemd, "it does not run", "sudo systemctl start docker"),
        (found.dockerd and not found.root, "it does not run, and only root may start it", "sudo dockerd"),
    ):
        if holds:
            return [Step(Verb.LACK, ENGINE, why=why, by_hand=by_hand)]
    return [Step(Verb.START, ENGINE, "", "none answers", after=(DEBIAN, "docker"), by_hand=BY_HAND["docker"])]


def _base_image(found: Found) -> list[Step]:
    if found.base_image:
        return []
    return [Step(Verb.FETCH, BASE_IMAGE, "", "not in the engine", after=(ENGINE,), by_hand=BY_HAND[BASE_IMAGE])]
