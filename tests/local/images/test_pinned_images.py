"""Foreign images, asked for by the real buildx: what it prints of a registry on the loopback is what is read."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from components import pinned_image
from components.pinned_image import Pinned, PinnedImageProvider, resolve
from fleetcaptain.fleet.process_output import run
from tests.fakes.guarded_registry import GuardedRegistry, guarded_registry
from tests.programs import program

_OCI = "application/vnd.oci.image"


class Registry(http.server.ThreadingHTTPServer):
    """A registry with one repository, which speaks plain http. *tags*: tag -> digest; *asked*: all manifests by tag
    that were asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.asked: list[str] = []

    @property
    def image(self) -> str:
        """What the image is called."""
        return f"127.0.0.1:{self.server_port}/acme/db:1"

    def put(self, data: Any) -> dict[str, Any]:
        """Store *data*; what a manifest says of it."""
        blob = json.dumps(data, indent=3).encode()
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        self.blobs[digest] = blob
        return {"mediaType": data.get("mediaType", f"{_OCI}.config.v1+json"), "digest": digest, "size": len(blob)}

    def platform(self, architecture: str, *volumes: str) -> dict[str, Any]:
        """Store an image for one platform."""
        config = {"architecture": architecture, "os": "linux", "config": {"Volumes": {path: {} for path in volumes}}}
        config["rootfs"] = {"type": "layers", "diff_ids": []}
        manifest = {"schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json", "config": self.put(config)}
        return {**self.put({**manifest, "layers": []}), "platform": {"architecture": architecture, "os": "linux"}}

    def index(self, *platforms: dict[str, Any]) -> dict[str, Any]:
        """Store an image for several platforms."""
        return self.put({"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": list(platforms)})


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_HEAD(self) -> None:
        """The headers alone."""
        self._answer()

    def do_GET(self) -> None:
        """A manifest or a configuration."""
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        name = self.path.partition("?")[0].rpartition("/")[2]
        if name in self.server.tags:
            self.server.asked.append(name)
        digest = self.server.tags.get(name, name)
        blob = self.server.blobs.get(digest, b"{}")
        self.send_response(200 if digest in self.server.blobs or self.path == "/v2/" else 404)
        self.send_header("Docker-Content-Digest", digest)
        self.send_header("Content-Type", json.loads(blob).get("mediaType", "application/json"))
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        return blob

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry without anything in it."""
    program("docker")
    with Registry() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_tag_is_resolved_and_followed_when_it_moves(registry: Registry) -> None:
    """An image for one platform and one for several; a tag that did not move asks for nothing but its manifest."""
    one = registry.platform("amd64", "/data")
    registry.tags["1"] = one["digest"]
    first, warning = resolve(registry.image, None, run)
    assert (first, warning) == (Pinned(f"{registry.image}@{one['digest']}", ("/data",), inspected=True), "")
    several = registry.index(one, registry.platform("arm64", "/arm"))
    registry.tags["1"] = several["digest"]
    second, warning = resolve(registry.image, first, run)
    assert (second, warning) == (
        Pinned(f"{registry.image}@{several['digest']}", ("/arm", "/data"), inspected=True),
        "",
    )
    registry.asked.clear()
    assert resolve(registry.image, second, run) == (second, "")
    assert registry.asked == ["1"]


def test_a_tag_that_is_not_there_is_said_in_the_registrys_words(registry: Registry) -> None:
    """By the tag then, as nothing was deployed."""
    found, warning = resolve(registry.image, None, run)
    assert found == Pinned(registry.image)
    assert f"{registry.image}: not found" in warning


@pytest.mark.parametrize("backlog", [0, 8])
def test_a_registry_that_does_not_answer_changes_nothing(backlog: int) -> None:
    """One that is not there, and one that accepts and never says anything: what was deployed stays."""
    program("docker")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if backlog:
            silent.listen(backlog)
        name = f"127.0.0.1:{silent.getsockname()[1]}/acme/db:1"
        known = Pinned(f"{name}@sha256:{'0' * 64}", ("/data",), inspected=True)
        found, warning = resolve(name, known, run)
    assert found == known
    assert ("did not answer within" if backlog else "connection refused") in warning


def checked(registry: GuardedRegistry, logins: dict[str, Any]) -> dict[str, Any]:
    """What the provider adds for the image of *registry*, with these *logins* in the stack's configuration."""
    provider = PinnedImageProvider()
    provider.configure(ConfigureRequest(Config({"fleetcaptain:registryLogins": json.dumps(logins)}, "fleetcaptain")))
    inputs = provider.check({}, {"reference": registry.image, "release": ""}).inputs
    assert inputs is not None
    return inputs


@pytest.mark.parametrize("realm", [False, True])
def test_a_registry_that_requires_a_login_is_asked_with_the_configured_one(
    monkeypatch: pytest.MonkeyPatch, *, realm: bool
) -> None:
    """By HTTP Basic and by a token. With a wrong password, or without a login, the image keeps its tag and the warning
    says why."""
    program("docker")
    warnings: list[str] = []
    monkeypatch.setattr(pinned_image, "warn", warnings.append)
    with guarded_registry() as registry:
        registry.realm = registry.token_url if realm else ""
        right = {"user": registry.user, "password": registry.password}
        found = checked(registry, {registry.host: right})
        assert (found["ref"], found["volumes"]) == (f"{registry.image}@{registry.digest}", ["/data"])
        assert warnings == []
        for logins in ({registry.host: {**right, "password": "s3cret"}}, {"ghcr.io": right}):
            assert checked(registry, logins)["ref"] == registry.image
        assert len(warnings) == 2
        assert all("Could not get the digest" in text and "s3cret" not in text for text in warnings)
