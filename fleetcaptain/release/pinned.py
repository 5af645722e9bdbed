"""Images that others push, pinned to the digests that their tags have at a deployment. Pure.

What a registry says is read by strict rules; the digest is computed here from the manifest, and not believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from fleetcaptain.printable import last_lines
from fleetcaptain.units.image_volumes import volume_paths
from fleetcaptain.untrusted import Fields, Unreadable, json_object

__all__ = ["config_argv", "config_volumes", "kept_warning", "manifest_argv", "pin", "tag_warning"]

# A builder that the operator selected may not run; none is needed.
_INSPECT = ("docker", "buildx", "imagetools", "inspect", "--builder", "default")
_SCHEMA = 2
# The configurations of an image for ten platforms, each with its history.
_LONGEST_CONFIG = 256 * 1024
_LINES = 3


def manifest_argv(reference: str) -> list[str]:
    """The command that prints the manifest of *reference* byte by byte, by one request beside the one for its digest. A
    format would have it ask for the manifests and configurations of all platforms."""
    return [*_INSPECT, "--raw", reference]


def config_argv(ref: str) -> list[str]:
    """The command that prints the configuration of the image *ref*, or those of its platforms."""
    return [*_INSPECT, "--format", "{{json .Image}}", ref]


def pin(reference: str, manifest: str) -> str:
    """*reference* with the digest of its *manifest*: ``redis:7@sha256:...``. Raises Unreadable for what is none, or is
    not whole."""
    # Without these the text is not byte by byte what the registry has.
    if "\ufffd" in manifest:
        raise Unreadable("it is not UTF-8")
    json_object(manifest).number("schemaVersion", _SCHEMA, _SCHEMA)
    return f"{reference}@sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


def config_volumes(configs: str) -> tuple[str, ...]:
    """The volumes that an image declares for any of its platforms. Raises Unreadable."""
    image = json_object(configs, _LONGEST_CONFIG)
    return volume_paths(path for fields in _platforms(image) for path in fields.fields("config").mapping("Volumes"))


def _platforms(image: Fields) -> list[Fields]:
    """One image, or one for each platform (``linux/amd64``)."""
    if "config" in image or "rootfs" in image:
        return [image]
    return [Fields(one) for one in image.values() if isinstance(one, Mapping)]


def kept_warning(reference: str, ref: str, why: str) -> str:
    """The warning that *reference* stays the image *ref*, as it was deployed: its registry could not be asked."""
    return (
        f"Could not ask the registry of {reference} for its digest: {_last(why)}\n"
        f"The image stays as it was deployed ({ref.rpartition('@')[2]}). Check the connection and `docker login`, and "
        "run `pulumi preview` again to see whether the tag has moved."
    )


def tag_warning(reference: str, why: str) -> str:
    """The warning that *reference* is deployed by its tag: its registry could not be asked."""
    return (
        f"Could not ask the registry of {reference} for its digest: {_last(why)}\n"
        "The image is deployed by its tag: instances may run different images, and a rollback may not bring this one "
        f'back. Check its name and `docker login`, or write the digest: image="{reference}@sha256:...".'
    )


def _last(why: str) -> str:
    return last_lines(why, _LINES) or "no reason was given"
