"""Whether an image is still in its registry: a HEAD for its manifest, by the registries' v2 API. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from fleetcaptain.image_reference import parse_reference

__all__ = ["ACCEPT", "ImageState", "Reference", "judged", "probe_argv", "probed", "reference"]

# Without these a registry answers 404 for manifests of the newer kinds.
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
_PUBLIC_NAMES = ("docker.io", "index.docker.io")
_LOOPBACK = re.compile(r"localhost(:\d+)?|127\.\d+\.\d+\.\d+(:\d+)?|\[::1\](:\d+)?")
_THERE, _GONE = 200, 404
_PROBE_SEC = 10
_SCRIPT = """\
for url in "$@"; do
  curl -s -g --proto =http,https --max-redirs 0 -o /dev/null -I -m {seconds} -w "%{{http_code}}\\n" \\
    -H "Accept: {accept}" "$url"
done
"""


class ImageState(StrEnum):
    """*UNKNOWN*: its registry did not say; it asks for a login, or does not answer."""

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
        """Where its manifest is. As docker does, a registry on the loopback is asked without TLS."""
        scheme = "http" if _LOOPBACK.fullmatch(self.registry) else "https"
        return f"{scheme}://{self.registry}/v2/{self.name}/manifests/{self.version}"


def reference(image: str) -> Reference:
    """The parts of a reference, with what docker adds to a short one (``redis:7``). Raises ValueError for what is
    none."""
    found = parse_reference(image)
    if found is None:
        raise ValueError(f"{image!r} is no reference of an image")
    version = found.digest or found.tag or "latest"
    if found.registry and found.registry not in _PUBLIC_NAMES:
        return Reference(found.registry, found.name, version)
    return Reference(_PUBLIC, found.name if "/" in found.name else f"library/{found.name}", version)


def judged(status: int) -> ImageState:
    """What the HTTP *status* of a HEAD means; 0: there was no answer."""
    return {_THERE: ImageState.THERE, _GONE: ImageState.GONE}.get(status, ImageState.UNKNOWN)


def probe_argv(images: Sequence[str]) -> list[str]:
    """The command that a machine runs to ask for *images*; it prints one status a line. What is no reference is not
    asked for."""
    script = _SCRIPT.format(seconds=_PROBE_SEC, accept=ACCEPT)
    return ["sh", "-c", script, "probe", *(reference(image).url for image in images if parse_reference(image))]


def probed(images: Sequence[str], output: str | None) -> dict[str, ImageState]:
    """What the *output* of that command says; None: no machine ran it."""
    lines = iter((output or "").split())
    statuses = [next(lines, "") if parse_reference(image) else "" for image in images]
    return {image: judged(_status(status)) for image, status in zip(images, statuses, strict=True)}


def _status(line: str) -> int:
    return int(line) if re.fullmatch(r"[0-9]{3}", line) else 0
