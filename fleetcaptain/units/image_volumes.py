"""Volumes that an image declares and a service does not mount. docker creates an anonymous volume for each and removes
it with the container, so its data is lost at each restart. Pure."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from itertools import zip_longest

from fleetcaptain.fleetfile.values import ServiceSpec

__all__ = ["dockerfile_volumes", "loss_warning", "unmounted", "volume_paths"]

_MOST = 20
# A path that `volumes` can mount: without a colon. A path with a variable is unknown.
_PATH = re.compile(r"/[A-Za-z0-9 ._/@+~-]{1,255}")
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_STAGE = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?\s*", re.IGNORECASE)
_VOLUME = re.compile(r"[^:]+:([^:]+)")
# docker's options for mounts, and the path in the container in their values.
_TARGETS = {
    "-v": _VOLUME,
    "--volume": _VOLUME,
    "--mount": re.compile(r"(?:.*,)?(?:dst|destination|target)=([^,]+)"),
    "--tmpfs": re.compile(r"([^:]+)"),
}


def volume_paths(declared: Iterable[str]) -> tuple[str, ...]:
    """The paths among *declared* that a service can mount, each once and in order; at most 20."""
    found = {posixpath.normpath(path) for path in declared if _PATH.fullmatch(path)}
    return tuple(sorted(found - {"/", "//"}))[:_MOST]


def dockerfile_volumes(text: str, target: str | None = None) -> tuple[str, ...]:
    """The volumes that the stage *target* of a Dockerfile declares, by default its last one, with those of the stages
    that it is built from. Volumes of its base images are not known here, nor are paths with variables."""
    stages: dict[str, list[str]] = {}
    current: list[str] = []
    for line in _instructions(text):
        instruction = _INSTRUCTION.fullmatch(line)
        word, rest = (instruction[1].upper(), instruction[2]) if instruction else ("", "")
        stage = _STAGE.fullmatch(rest)
        if word == "FROM" and stage:
            current = list(stages.get(stage[1].lower(), ()))
            if stage[2]:
                stages[stage[2].lower()] = current
        elif word == "VOLUME":
            current += _paths(rest)
    return volume_paths(stages.get(target.lower(), ()) if target else current)


def unmounted(spec: ServiceSpec, declared: Iterable[str]) -> tuple[str, ...]:
    """The paths among the *declared* ones at which *spec* mounts nothing, neither by ``volumes`` nor ``docker_args``.
    Mounts of custom ``start`` lines are not known."""
    if spec.start is not None:
        return ()
    mounted = {posixpath.normpath(path) for path in _targets(spec)}
    return tuple(path for path in declared if path not in mounted)


def loss_warning(app: str, lost: Mapping[str, Iterable[str]]) -> str:
    """The warning that each service loses what it writes to the paths *lost*; empty when there are none."""
    lines = [f"  {service}: volumes=[{', '.join(_mounted(app, service, paths))}]" for service, paths in lost.items()]
    return "\n".join(
        [
            "These services lose the data in the volumes that their images declare, at each restart and rollout. "
            "Mount a volume of the machine there:",
            *lines,
            'If the data need not be kept, pass docker_args=["--tmpfs", PATH] instead.',
        ]
        if lines
        else []
    )


def _instructions(text: str) -> list[str]:
    """The instructions of a Dockerfile, each in one line."""
    kept = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return re.sub(r"\\[ \t]*\n", " ", "\n".join(kept)).split("\n")


def _paths(rest: str) -> list[str]:
    try:
        listed = json.loads(rest)
    except (ValueError, RecursionError):
        return rest.split()
    return [path for path in listed if isinstance(path, str)] if isinstance(listed, list) else []


def _targets(spec: ServiceSpec) -> list[str]:
    """The paths in the container at which *spec* mounts a volume."""
    words = spec.docker_args
    given = [("-v", volume) for volume in spec.volumes]
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        option, equals, value = word.partition("=")
        given.append((option, value if equals else following))
    return [path[1] for option, value in given if option in _TARGETS and (path := _TARGETS[option].match(value))]


def _mounted(app: str, service: str, paths: Iterable[str]) -> list[str]:
    """A volume for each path, with a name that is unique across the apps on a machine."""
    return [f'"{app}-{service}{re.sub("[^A-Za-z0-9_.]+", "-", path)}:{path}"' for path in paths]
