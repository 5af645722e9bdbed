"""The local cluster's registry forgets images: the real registry in its container, without machines."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.cluster.local import machine_image
from fleetcaptain.localcluster.docker_client import exec_in, find
from fleetcaptain.localcluster.layout import Layout
from fleetcaptain.localcluster.machines import ensure_network, ensure_registry, remove_all
from fleetcaptain.localcluster.registry_cleanup import clean_registry, collects_garbage
from tests.e2e.leftovers import note
from tests.e2e.stack import ROOT, stack_name

_OCI = "application/vnd.oci.image"
_PORT = 19733
_REPOSITORY = f"127.0.0.1:{_PORT}/shop"


@pytest.fixture
def registry(_engine: None, tmp_path: Path) -> Iterator[Any]:
    """The container of a registry."""
    identity = f"fleetcaptain/{stack_name('registry')}/0"
    layout = Layout(identity, 1, "10.127.254.0/24", _PORT, tmp_path, machine_image(), ROOT / ".tools/bin")
    note(identity)
    remove_all(identity)
    try:
        ensure_network(layout)
        ensure_registry(layout)
        (container,) = find(identity, "registry")
        _call("GET", "/v2/", attempts=100)
        yield container
    finally:
        remove_all(identity)


def _call(method: str, path: str, data: bytes = b"", kind: str = "", attempts: int = 1) -> tuple[int, str]:
    """The status, and the Location, of a request to the registry."""
    url = path if path.startswith("http") else f"http://127.0.0.1:{_PORT}{path}"
    headers = {
        "Content-Type": kind or "application/octet-stream",
        "Accept": f"{_OCI}.index.v1+json,{_OCI}.manifest.v1+json",
    }
    request = urllib.request.Request(url, data or None, headers, method=method)  # noqa: S310  on the loopback
    for attempt in range(attempts):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.headers.get("Location", "")
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            if attempt + 1 == attempts:
                raise
            time.sleep(0.1)
    raise AssertionError


def _blob(data: bytes, name: str = "shop") -> dict[str, Any]:
    """Push a blob; its descriptor."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    _, upload = _call("POST", f"/v2/{name}/blobs/uploads/")
    assert _call("PUT", f"{upload}&digest={digest}", data)[0] == 201
    return {"mediaType": f"{_OCI}.layer.v1.tar", "digest": digest, "size": len(data)}


def _manifest(value: dict[str, Any], kind: str, name: str = "shop", tag: str = "") -> dict[str, Any]:
    """Push a manifest, by its digest or a tag; its descriptor."""
    data = json.dumps({"schemaVersion": 2, "mediaType": kind, **value}).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert _call("PUT", f"/v2/{name}/manifests/{tag or digest}", data, kind)[0] == 201
    return {"mediaType": kind, "digest": digest, "size": len(data)}


def _image(content: str, name: str = "shop", tag: str = "") -> dict[str, Any]:
    """Push an image of one layer that begins with *content* and is a megabyte long."""
    config = _blob(json.dumps({"architecture": "amd64", "os": "linux", "made": content}).encode(), name)
    layer = _blob(content.encode().ljust(2**20), name)
    return _manifest({"config": config, "layers": [layer]}, f"{_OCI}.manifest.v1+json", name, tag)


def _there(digest: str, name: str = "shop") -> bool:
    return _call("HEAD", f"/v2/{name}/manifests/{digest}")[0] == 200


def _bytes(registry: Any) -> int:
    return int(exec_in(registry, "du", "-sb", "/var/lib/registry")[1].split()[0])


def test_the_registry_forgets_what_is_not_named(registry: Any) -> None:
    """Its bytes are free then. What the kept ones consist of stays, and so do other repositories; a tag goes with its
    image; what was forgotten can be pushed again."""
    assert collects_garbage(registry)
    identity = registry.labels["fleetcaptain.stack"]
    old, tagged, new = _image("old"), _image("tagged", tag="latest"), _image("new")
    index = _manifest({"manifests": [_image("amd64"), _image("arm64")]}, f"{_OCI}.index.v1+json")
    other = _image("other", "cart")
    before = _bytes(registry)
    removed = clean_registry(identity, {new["digest"], index["digest"]}, [_REPOSITORY, "elsewhere.org/cart", "x"])
    assert set(removed) == {f"shop@{one['digest']}" for one in (old, tagged)}
    assert not any(_there(one) for one in (old["digest"], tagged["digest"], "latest"))
    assert _there(new["digest"])
    assert _there(index["digest"])
    assert _there(other["digest"], "cart")
    assert 2 * 2**20 <= before - _bytes(registry) < 3 * 2**20
    assert clean_registry(identity, {new["digest"], index["digest"]}, [_REPOSITORY]) == ()
    assert _image("old") == old
    assert _there(old["digest"])


def test_nothing_is_removed_while_an_image_is_pushed(registry: Any) -> None:
    """A layer on its way would be lost."""
    identity = registry.labels["fleetcaptain.stack"]
    old = _image("old")
    assert _call("POST", "/v2/cart/blobs/uploads/")[0] == 202
    assert clean_registry(identity, (), [_REPOSITORY]) == ()
    assert _there(old["digest"])


def test_a_push_that_the_cleanup_cuts_in_two_fails_as_a_whole_and_succeeds_again(registry: Any) -> None:
    """Its layers are there, its manifest is not: the registry refuses the manifest instead of serving an image without
    its layers."""
    identity = registry.labels["fleetcaptain.stack"]
    _image("old")
    layers = [_blob(b"layer")]
    manifest = {"config": _blob(b"{}"), "layers": layers}
    assert clean_registry(identity, (), [_REPOSITORY]) != ()
    data = json.dumps({"schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json", **manifest}).encode()
    assert _call("PUT", "/v2/shop/manifests/half", data, f"{_OCI}.manifest.v1+json")[0] == 400
    assert [_blob(b"layer")] == layers
    assert _blob(b"{}") == manifest["config"]
    assert _there(_manifest(manifest, f"{_OCI}.manifest.v1+json")["digest"])
