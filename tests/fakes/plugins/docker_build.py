"""The stand-in for pulumi-docker-build: no image is built, but each has a digest, which follows from its inputs."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version

from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, Plugin, nothing, words

__all__ = ["PLUGIN"]

_INPUTS = words("platforms buildArgs builder buildOnPreview context dockerfile exec exports network push")


def _image(given: Given) -> Made:
    given.get("registries")  # who pushes it is nothing to the image
    text = json.dumps({key: given.get(key) for key in sorted(_INPUTS)}, sort_keys=True)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return Made(digest[-12:], {"digest": digest, "contextHash": digest[-12:], "ref": ""})


PLUGIN = Plugin(
    version("pulumi-docker-build"),
    {
        "docker-build:index:Image": Kind(
            _image, nothing, updates=dict.fromkeys(_INPUTS | {"registries"}, lambda given: _image(given).outputs)
        )
    },
)
