"""The digest of a foreign image, and its volumes, from what buildx prints of a registry that may say anything."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.release.images import reference
from fleetcaptain.release.pinned import config_volumes, kept_warning, pin, tag_warning
from fleetcaptain.untrusted import LONGEST_BYTES, Unreadable

# As `docker buildx imagetools inspect` of buildx 0.35 prints them.
INDEX = """{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "digest": "sha256:2d5a620d0dab7b816457feb2a8db9a01d77cde4bb13fce7d66e72715bc6974c8",
      "size": 260,
      "platform": {"architecture": "amd64", "os": "linux"}
    }
  ]
}"""
ONE = """{
  "architecture": "amd64",
  "os": "linux",
  "config": {
    "Env": ["A=b"],
    "Volumes": {
      "/data": {}
    }
  },
  "rootfs": {"type": "layers", "diff_ids": []}
}
"""
PLATFORMS = f"""{{
  "linux/amd64": {ONE},
  "linux/arm64": {{"architecture": "arm64", "config": {{"Volumes": {{"/data": {{}}, "/arm": {{}}}}}}}},
  "linux/386": {{"architecture": "386", "config": {{}}}},
  "unknown/unknown": null
}}
"""


def test_an_image_is_pinned_to_the_digest_of_its_manifest() -> None:
    """Byte by byte; docker takes tag and digest together, and the registry is asked for the digest."""
    digest = hashlib.sha256(INDEX.encode()).hexdigest()
    for name in ("redis:7", "redis", "registry.example:5000/a/b:v1"):
        pinned = pin(name, INDEX)
        assert pinned == f"{name}@sha256:{digest}"
        assert reference(pinned).version == f"sha256:{digest}"


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "Name: redis:7",
        INDEX[1:],
        INDEX[:-1],
        "[]",
        '"sha256:1"',
        '{"schemaVersion": 1}',
        '{"schemaVersion": "2"}',
        '{"mediaType": "x"}',
        '{"schemaVersion": 2, "x": "\ufffd"}',
        '{"schemaVersion": 2, "x": "\\ud800"}',
        '{"schemaVersion": 2, "x": "' + "x" * LONGEST_BYTES + '"}',
        '{"x":' * 5000,
    ],
)
def test_what_is_no_whole_manifest_pins_nothing(manifest: str) -> None:
    """A digest of anything else names no image."""
    with pytest.raises(Unreadable):
        pin("redis:7", manifest)


@pytest.mark.parametrize(
    ("configs", "paths"),
    [
        (ONE, ("/data",)),
        (PLATFORMS, ("/arm", "/data")),
        ("{}", ()),
        ('{"config": {}, "rootfs": {}}', ()),
        ('{"config": {"Volumes": null}}', ()),
        ('{"rootfs": {}}', ()),
    ],
)
def test_the_volumes_of_an_image_are_those_of_all_its_platforms(configs: str, paths: tuple[str, ...]) -> None:
    """An image of one platform has no platform's name above it."""
    assert config_volumes(configs) == paths


@pytest.mark.parametrize(
    "configs",
    ["", "null", "[]", '{"config": 1}', '{"config": {"Volumes": ["/data"]}}', '{"linux/amd64": {"config": 1}}'],
)
def test_other_configurations_are_unreadable(configs: str) -> None:
    """The next preview asks again."""
    with pytest.raises(Unreadable):
        config_volumes(configs)


KEYS = st.text() | st.sampled_from(["config", "Volumes", "rootfs", "/data"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda one: st.lists(one) | st.dictionaries(KEYS, one)
)


@given(VALUES)
def test_whatever_a_registry_says_is_read_or_refused(value: Any) -> None:
    """Nothing else happens."""
    for read in (config_volumes, lambda text: (pin("redis:7", text),)):
        try:
            found = read(json.dumps(value))
        except Unreadable:
            continue
        assert all(path.isprintable() for path in found)


def test_the_warnings_say_which_image_why_and_what_to_do() -> None:
    """The reason is cut: it may be of any size."""
    why = "\n".join(["old"] * 50 + ["x" * 5000, "", "ERROR: denied", ""])
    kept = kept_warning("redis:7", "redis:7@sha256:abc", why)
    tagged = tag_warning("redis:7", why)
    for warning in (kept, tagged):
        assert warning.startswith("Could not get the digest of redis:7 from its registry: ")
        assert "ERROR: denied" in warning
        assert "docs/registries.md" in warning
        assert len(warning) < 1500
    assert "stays as it was deployed (sha256:abc)" in kept
    assert 'image="redis:7@sha256:..."' in tagged
    assert "no reason given" in tag_warning("redis:7", "")
