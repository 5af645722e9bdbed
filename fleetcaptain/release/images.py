"""Checks whether an image is still in its registry: a HEAD for its manifest in the registry's v2 API. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from fleetcaptain.image_reference import parse_reference
from fleetcaptain.registry_login import PUBLIC, config_key, registry_host
from fleetcaptain.units.agent_calls import agent_folder

__all__ = ["ACCEPT", "ImageState", "Reference", "judged", "logins_file", "probe_argv", "probed", "reference"]

# Without these types a registry answers 404 for newer manifests.
ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "oci.image.index.v1",
    )
)
_PUBLIC = "registry-1.docker.io"
_LOOPBACK = re.compile(r"localhost(:\d+)?|127\.\d+\.\d+\.\d+(:\d+)?|\[::1\](:\d+)?")
_THERE, _GONE = 200, 404
_PROBE_SEC = 10


class ImageState(StrEnum):
    """Whether an image exists. *UNKNOWN*: its registry requires another login, or does not answer."""

    THERE = "there"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reference:
    """An image's *registry* (``host:port``), its *name* there, and the *version*: a digest, or else a tag."""

    registry: str
    name: str
    version: str

    @property
    def url(self) -> str:
        """The URL of its manifest. A registry on the loopback is called without TLS, as docker does."""
        scheme = "http" if _LOOPBACK.fullmatch(self.registry) else "https"
        return f"{scheme}://{self.registry}/v2/{self.name}/manifests/{self.version}"

    @property
    def login_key(self) -> str:
        """The name under which docker keeps the login at its registry."""
        return config_key(PUBLIC if self.registry == _PUBLIC else self.registry)


def reference(image: str) -> Reference:
    """Parse a reference; a short one (``redis:7``) gets the parts that docker adds. Raises ValueError for any other
    text."""
    found = parse_reference(image)
    if found is None:
        raise ValueError(f"{image!r} is not an image reference")
    version = found.digest or found.tag or "latest"
    if found.registry and registry_host(found.registry) != PUBLIC:
        return Reference(found.registry, found.name, version)
    return Reference(_PUBLIC, found.name if "/" in found.name else f"library/{found.name}", version)


def judged(status: int) -> ImageState:
    """The state for the HTTP *status* of a HEAD; 0: no answer."""
    return {_THERE: ImageState.THERE, _GONE: ImageState.GONE}.get(status, ImageState.UNKNOWN)


def logins_file(app: str) -> str:
    """The path of the file with the logins of *app* on its machines, as `docker_config` writes it. Only root may read
    it."""
    return f"{agent_folder(app)}/docker/config.json"


def probe_argv(images: Sequence[str], logins: str = "") -> list[str]:
    """The command that a machine runs to check *images*; it prints one status per line. Invalid references are
    skipped. *logins*: see `logins_file`; without it, or when there is no such file, no login is used."""
    found = [reference(image) for image in images if parse_reference(image)]
    pairs = [argument for one in found for argument in (one.url, one.login_key)]
    return ["sh", "-c", _script(), "probe", logins, str(_PROBE_SEC), ACCEPT, *pairs]


@cache
def _script() -> str:
    return (files("fleetcaptain.release") / "image_probe.sh").read_bytes().decode(errors="strict")


def probed(images: Sequence[str], output: str | None) -> dict[str, ImageState]:
    """Parse the *output* of `probe_argv`; None: no machine ran it."""
    lines = iter((output or "").split())
    statuses = [next(lines, "") if parse_reference(image) else "" for image in images]
    return {image: judged(_status(status)) for image, status in zip(images, statuses, strict=True)}


def _status(line: str) -> int:
    return int(line) if re.fullmatch(r"[0-9]{3}", line) else 0
