"""Pins foreign images to the digests that their tags have at a deployment. Pure.

A registry's answers are validated strictly; the digest is computed here from the manifest, not taken from the registry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from fleetcaptain.printable import last_lines
from fleetcaptain.units.image_volumes import volume_paths
from fleetcaptain.untrusted import Fields, Unreadable, json_object

__all__ = ["config_argv", "config_volumes", "kept_warning", "manifest_argv", "pin", "tag_warning"]

# No builder is needed, and the one that the operator selected may not run.
_INSPECT = ("docker", "buildx", "imagetools", "inspect", "--builder", "default")
_SCHEMA = 2
# The configurations of an image for ten platforms, each with its history.
_LONGEST_CONFIG = 256 * 1024
_LINES = 3


def manifest_argv(reference: str) -> list[str]:
    """The command that prints the exact bytes of the manifest of *reference*, with two requests. With ``--format`` it
    would fetch the manifests and configurations of all platforms."""
    return [*_INSPECT, "--raw", reference]


def config_argv(ref: str) -> list[str]:
    """The command that prints the configuration of the image *ref*, or those of its platforms."""
    return [*_INSPECT, "--format", "{{json .Image}}", ref]


def pin(reference: str, manifest: str) -> str:
    """*reference* with the digest of its *manifest*: ``redis:7@sha256:...``. Raises Unreadable for an invalid or
    incomplete manifest."""
    # With a replacement character the text is not the exact bytes of the registry.
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
    """The warning that *reference* stays at the image *ref*: its registry did not give a digest."""
    return (
        f"Could not get the digest of {reference} from its registry: {_last(why)}\n"
        f"The image stays as it was deployed ({ref.rpartition('@')[2]}). Check the connection and the "
        "login (docs/registries.md), then run `pulumi preview` again to see whether the tag has moved."
    )


def tag_warning(reference: str, why: str) -> str:
    """The warning that *reference* is deployed by its tag: its registry did not give a digest."""
    return (
        f"Could not get the digest of {reference} from its registry: {_last(why)}\n"
        "The image is deployed by its tag: instances may run different images, and a rollback may not restore this "
        f'one. Check its name and the login (docs/registries.md), or set the digest: image="{reference}@sha256:...".'
    )


def _last(why: str) -> str:
    return last_lines(why, _LINES) or "no reason given"
