"""Images of old releases: machines and registry forget them, and a rollback to a kept release pulls nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from fleetcaptain.discovery.keys import images_key, release_key
from fleetcaptain.localcluster.docker_client import exec_in
from fleetcaptain.localcluster.registry_cleanup import digests_in
from fleetcaptain.release.kept_images import KeptImages
from fleetcaptain.release.repository import Releases, read_releases
from fleetcaptain.release.rollback import images_of
from tests.e2e.stack import Stack

_MACHINES = ("m1", "m2", "m3")
_DEPLOYED = [f"v{number}" for number in range(1, 7)]
# The agents look for a new key once a minute, and not before they have run for three.
_CLEANED_SEC = 300
_FORMAT = "{{.Repository}}@{{.Digest}}"


@pytest.fixture(scope="module")
def deployed_often(stack: Stack) -> Iterator[Stack]:
    """The example after six more deployments, each with an image of its own."""
    for tag in _DEPLOYED:
        _deploy(stack, tag)
    yield stack
    stack.must("config", "rm", "fleetcaptain:release")


def _deploy(stack: Stack, tag: str) -> None:
    (stack.app / "behavioral" / "deployed.py").write_text(f"tag = {tag!r}\n")
    stack.set("release", tag)
    stack.up()


def _releases(stack: Stack) -> Releases:
    return read_releases(stack.cluster().store, "behavioral")


def _images(stack: Stack, *tags: str) -> set[str]:
    """The images of the releases *tags*."""
    releases = _releases(stack)
    return set(images_of(manifest for tag in tags if (manifest := releases.named(tag)) is not None))


def _on_machines(stack: Stack) -> set[str]:
    """What the machines have, by docker's own lists."""
    outputs = (
        exec_in(stack.containers()[name], "docker", "images", "--digests", "--format", _FORMAT) for name in _MACHINES
    )
    return {line for _, output in outputs for line in output.split()}


def _in_registry(stack: Stack) -> frozenset[str]:
    """The digests of the manifests that the registry has."""
    folders = "/var/lib/registry/docker/registry/v2/repositories/*/*/_manifests/revisions/sha256/*/link"
    _, output = exec_in(stack.containers()["registry"], "sh", "-c", f"cat {folders}")
    return digests_in([output])


def _pulls(stack: Stack, since: float) -> list[str]:
    """Every pull on a machine since that time."""
    until = f"{time.time():.3f}"
    events = ["docker", "events", "--since", f"{since:.3f}", "--until", until, "--filter", "event=pull"]
    outputs = (exec_in(stack.containers()[name], *events) for name in _MACHINES)
    return [line for _, output in outputs for line in output.splitlines()]


def test_machines_keep_the_images_of_the_last_releases_only(deployed_often: Stack) -> None:
    """Each removal has a line in the log, and what runs goes on."""
    stack = deployed_often
    kept = _images(stack, *_DEPLOYED[-3:])
    deadline = time.monotonic() + _CLEANED_SEC
    while not _on_machines(stack) <= kept:
        assert time.monotonic() < deadline, _on_machines(stack) - kept
        time.sleep(2)
    journal = ["journalctl", "-t", "fleetcaptain-agent", "--no-pager"]
    logged = "".join(exec_in(stack.containers()[name], *journal)[1] for name in _MACHINES)
    assert _on_machines(stack) == kept, logged
    for image in _images(stack, *_DEPLOYED[:3]) - kept:
        assert f"removed the image {image}: no kept release of behavioral names it" in logged
    node = stack.cluster().store.read(images_key("behavioral"))
    assert node is not None
    assert set(KeptImages.parse(node.value).keep) == kept
    stack.rests()


def test_a_rollback_to_a_kept_release_pulls_nothing(deployed_often: Stack) -> None:
    """The images are still on every machine where they are needed; the one before them has to be pulled again."""
    stack = deployed_often
    for tag, pulls in ((_DEPLOYED[-3], False), (_DEPLOYED[0], True)):
        since = time.time()
        stack.must("up", "--yes", "--skip-preview", "--config", f"fleetcaptain:rollbackTo={tag}")
        assert bool(_pulls(stack, since)) is pulls, _pulls(stack, since)
    stack.must("config", "rm", "fleetcaptain:rollbackTo")


def test_the_registry_keeps_the_images_of_recorded_releases_only(deployed_often: Stack) -> None:
    """Those that a rollback can go to; the registry answers when the `up` is done, so that the next one can push."""
    stack = deployed_often
    forgotten = _images(stack, *_DEPLOYED[1:3]) - _images(stack, _DEPLOYED[0], *_DEPLOYED[3:])
    assert digests_in(forgotten) <= _in_registry(stack)
    for tag in _DEPLOYED[1:3]:
        stack.cluster().store.delete(release_key("behavioral", tag))
    _deploy(stack, "v7")
    recorded = digests_in(images_of(_releases(stack).manifests))
    assert len(forgotten) == 2
    assert not digests_in(forgotten) & _in_registry(stack)
    assert recorded <= _in_registry(stack)
    _deploy(stack, "v8")
