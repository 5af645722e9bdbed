"""A release is one thing: recorded, current when all of it is available, gone back to as a whole."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from fleetcaptain.discovery.documents import Release
from fleetcaptain.discovery.instances import Caller
from fleetcaptain.discovery.keys import current_key, pending_key, previous_key, release_key, text_key
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.discovery.read import read_app
from fleetcaptain.discovery.resolve import lookup
from fleetcaptain.release.images import ACCEPT, reference
from fleetcaptain.release.retention import KEPT
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.units.unit_file import UnitFile
from tests.e2e.stack import Stack
from tests.fakes.unit_texts import unit_hash, with_image

_QUICK = {
    "Rolling, Service": "BlueGreen, Rolling, Service",
    "instances=True,": "instances=True,\n            rollout=BlueGreen(keep_old_sec=1, min_healthy_sec=1),",
    "restart_sec=5,": 'requires=["redis"],\n            restart_sec=5,',
}
_SERVERS_ONLY = {"restart_sec=5,": "restart_sec=6,"}
_REDIS_TOO = {**_SERVERS_ONLY, "instances=True,": "instances=True,\n            restart_sec=7,"}
_BROKEN = {**_REDIS_TOO, "python3 -m behavioral.server": "/no/such/program"}


@pytest.fixture(scope="module")
def first(stack: Stack) -> str:
    """The tag of the release that each test begins with and returns to; redis is replaced within seconds in it."""
    stack.begins_with = _QUICK
    stack.reset()
    return str(stack.outputs()["release"])


@pytest.fixture(autouse=True)
def restored(stack: Stack, first: str) -> Iterator[None]:
    """Whatever a test deployed, the first release runs again after it."""
    yield
    for key in ("release", "rollbackTo"):
        stack.must("config", "rm", f"fleetcaptain:{key}")
    stack.up()
    assert _value(stack.cluster(), current_key("behavioral")) == first


def _value(cluster: Cluster, key: str) -> str:
    node = cluster.store.read(key)
    return node.value if node else ""


def _contents(cluster: Cluster) -> Mapping[str, str]:
    return {name: unit.unit_hash for name, unit in cluster.snapshot().units.items()}


def _runs(cluster: Cluster, but: str) -> Mapping[str, tuple[str, str]]:
    """Since when each instance of every service *but* one is registered, and where."""
    entries = cluster.snapshot().live
    return {entry.unit: (entry.since, entry.machine) for entry in entries if entry.service != but}


def _releases(stack: Stack) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(stack.captain("releases", "--json").output)
    return listed


def _go_back(stack: Stack, tag: str) -> str:
    return stack.must("up", "--yes", "--config", f"fleetcaptain:rollbackTo={tag}").output


def test_the_outputs_are_what_discovery_says(stack: Stack, first: str) -> None:
    """Endpoints, release and etcd; the endpoints of an instance that moved to another port are those it has now."""
    cluster = stack.cluster()
    stack.fleetctl("stop", "app_server@2.service")
    stack.up()
    outputs = stack.outputs()
    served = [entry.connection for entry in cluster.snapshot().live if entry.service == "app_server"]
    assert sorted(outputs["endpoints"]["app_server"]) == sorted(f"http://{at['host']}:{at['port']}" for at in served)
    assert outputs["etcd"] == [f"https://{address}:2378" for address in outputs["machines"].values()]
    assert outputs["release"] == first == _value(cluster, current_key("behavioral"))


def test_a_release_that_changes_one_service_touches_no_other_and_can_be_taken_back(stack: Stack, first: str) -> None:
    """The others are in the new release at once, as they run. Going back shows the lines in its preview, rolls the one
    service, and the release that was left can be gone to again. Of all releases the last ten and the one before are
    kept."""
    cluster = stack.cluster()
    before, others = _contents(cluster), _runs(cluster, but="app_server")
    more = _copies(cluster, first)
    stack.set("release", "v2")
    with stack.edited("Fleetfile.py", _SERVERS_ONLY):
        stack.up()
        assert _runs(cluster, but="app_server") == others
        assert (_value(cluster, current_key("behavioral")), _value(cluster, previous_key("behavioral"))) == (
            "v2",
            first,
        )
        assert _value(cluster, pending_key("behavioral")) == ""
        kept = {row["tag"] for row in _releases(stack)}
        assert kept == {"v2", first, *more[-KEPT + 1 :]}
        _forget(cluster, more)
        assert [(row["tag"], row["state"], row["can_go_back"]) for row in _releases(stack)[:2]] == [
            ("v2", "current", True),
            (first, "previous", True),
        ]
        shown = stack.must("preview", "--diff", "--config", f"fleetcaptain:rollbackTo={first}").output
        assert "RestartSec=6" in shown
        assert "RestartSec=5" in shown
        _go_back(stack, first)
        assert _contents(cluster) == before
        assert _runs(cluster, but="app_server") == others
        assert stack.outputs()["release"] == first
        assert {row["tag"]: row["state"] for row in _releases(stack)}["v2"] == "previous"
        stack.must("config", "rm", "fleetcaptain:rollbackTo")
        shown = stack.preview().output
        assert "RestartSec=6" in shown
        assert "[unknown]" not in shown
        assert "[id=redis]" not in shown


def _copies(cluster: Cluster, tag: str) -> list[str]:
    """Record as many releases like *tag* as are kept, and two more."""
    data = json.loads(_value(cluster, release_key("behavioral", tag)))
    copies = [f"copy-{number}" for number in range(KEPT + 2)]
    for copy in copies:
        cluster.store.write(release_key("behavioral", copy), json.dumps({**data, "tag": copy}))
    return copies


def _forget(cluster: Cluster, tags: list[str]) -> None:
    for tag in tags:
        cluster.store.delete(release_key("behavioral", tag))


def test_a_tag_that_exists_with_other_contents_is_refused_in_the_preview(stack: Stack, first: str) -> None:
    """It names the service that differs, and nothing is touched."""
    cluster = stack.cluster()
    before = _contents(cluster)
    stack.set("release", first)
    with stack.edited("Fleetfile.py", _SERVERS_ONLY):
        error = stack.fails("preview").error
    assert f"{first} already exists" in error
    assert "app_server has another unit text" in error
    assert _contents(cluster) == before


def test_an_unknown_release_and_one_whose_image_is_gone_are_refused(stack: Stack, first: str) -> None:
    """Before anything is touched, and with what there is instead."""
    cluster = stack.cluster()
    before = _contents(cluster)
    error = stack.fails("preview", "--config", "fleetcaptain:rollbackTo=v0").error
    assert "Cannot roll back to v0: no such release" in error
    assert first in error
    _with_another_image(cluster, first, "v-gone")
    (row,) = [row for row in _releases(stack) if row["tag"] == "v-gone"]
    assert "is gone from the registry" in row["why_not"][0]
    assert not row["can_go_back"]
    error = stack.fails("up", "--yes", "--config", "fleetcaptain:rollbackTo=v-gone").error
    assert "redis: the image" in error
    assert "is gone from the registry" in error
    assert _contents(cluster) == before
    cluster.store.delete(release_key("behavioral", "v-gone"))


def _with_another_image(cluster: Cluster, tag: str, copy: str) -> None:
    """Record a release *copy* that is like *tag*, but for an image of redis that its registry does not have."""
    data = json.loads(_value(cluster, release_key("behavioral", tag)))
    redis = data["services"]["redis"]
    file, image = UnitFile.parse(_value(cluster, text_key("behavioral", redis["content"]))).without_image()
    unit = file.text
    assert image is not None
    gone = f"{image.partition('@')[0]}@sha256:{'0' * 64}"
    text = with_image(unit, gone)
    data["services"]["redis"] = {**redis, "content": unit_hash(text), "image": gone}
    cluster.store.write(text_key("behavioral", unit_hash(text)), text)
    cluster.store.write(release_key("behavioral", copy), json.dumps({**data, "tag": copy}))


def test_a_failed_deployment_says_who_is_ahead_and_one_command_brings_all_back(stack: Stack, first: str) -> None:
    """redis was replaced and the servers failed: the old redis stays for the servers of the old release, and each
    release finds its own; the release that was current still is. Then all goes back, and the new redis is gone."""
    cluster = stack.cluster()
    before = _contents(cluster)
    with stack.edited("Fleetfile.py", _BROKEN):
        result = stack.fails()
    assert (
        f"app_server (app_server@1.service, app_server@2.service, app_server@3.service, app_server@4.service) of "
        f"release {first}" in result.output
    )
    assert f"{first} is still the current release. redis already runs the new version." in result.error
    assert f"captain rollback {first} --stack {stack.name}" in result.error
    assert _value(cluster, current_key("behavioral")) == first
    old, new = _generations(cluster, before)
    with stack.as_guest_of_etcd() as url:
        known, _ = read_app(KeysApi(url), "behavioral")
    assert known.pending is not None
    pending = known.pending.unit_hashes["app_server"]
    assert [instance.unit for instance in lookup("redis", Caller(before["app_server@1.service"]), known)] == [old]
    assert [instance.unit for instance in lookup("redis", Caller(pending), known)] == [new, old]
    settings = stack.settings.read_text()
    back = stack.captain("rollback", "--yes", "--config-file", str(stack.settings))
    assert back.code == 0, back.output
    assert "The next `pulumi up` deploys the Fleetfile again." in back.output
    assert _contents(cluster) == before
    assert stack.settings.read_text() == settings
    last = json.loads(stack.captain("history", "--limit", "1", "--json").output)[0]
    assert (last["rollback"], last["release"], last["state"]) == (True, first, "done")
    again = stack.captain("rollback", "--yes")
    assert again.code == 2
    assert f"{first} is the current one because of a rollback from " in again.output


def _generations(cluster: Cluster, before: Mapping[str, str]) -> tuple[str, str]:
    """The unit of redis that was there *before*, and the one that was not."""
    units = {name for name in _contents(cluster) if "redis" in name}
    (old,), (new,) = units & set(before), units - set(before)
    return old, new


def test_an_old_generation_goes_when_nobody_of_another_release_needs_it(stack: Stack, first: str) -> None:
    """Two services change: the old redis stays until the servers are new too, and is gone when the ``up`` is done."""
    cluster = stack.cluster()
    with stack.edited("Fleetfile.py", _REDIS_TOO):
        said = stack.up().output
        assert "the old generation of redis is still required by" in said
        tag = _value(cluster, current_key("behavioral"))
        manifest = Release.from_json(_value(cluster, release_key("behavioral", tag)))
        assert manifest.tag == tag != first
        redis = {unit_hash for name, unit_hash in _contents(cluster).items() if "redis" in name}
        assert redis == {manifest.services["redis"].unit_hash}
        stack.rests()


def test_a_new_generation_that_declares_the_old_release_takes_over_at_once(stack: Stack, first: str) -> None:
    """The same changes with `versions`: nobody holds the old redis, which is gone before the servers are replaced."""
    cluster = stack.cluster()
    declared = {**_REDIS_TOO, "restart_sec=7,": f'restart_sec=7,\n            versions=["{first}"],'}
    with stack.edited("Fleetfile.py", declared):
        assert "the old generation of redis is still required by" not in stack.up().output
        (redis,) = (entry for entry in cluster.snapshot().live if entry.service == "redis")
        assert redis.versions == (first,)


def test_a_service_is_not_removed_while_another_release_requires_it(stack: Stack, first: str) -> None:
    """The servers that run are of a release that is not the current one any more, and Pulumi has forgotten them: redis
    stays, and the error names them. The next ``up`` takes them up as they run."""
    cluster = stack.cluster()
    before = _contents(cluster)
    data = json.loads(_value(cluster, release_key("behavioral", first)))
    del data["services"]["redis"], data["services"]["app_server"]
    cluster.store.write(release_key("behavioral", "v-without"), json.dumps({**data, "tag": "v-without"}))
    cluster.store.write(current_key("behavioral"), "v-without")
    (servers,) = (urn for urn in stack.urns() if urn.endswith("Unit::app_server"))
    stack.must("state", "delete", "--yes", "--target-dependents", servers)
    try:
        error = stack.fails("destroy", "--yes", "--target", "**Unit::redis").error
    finally:
        cluster.store.write(current_key("behavioral"), first)
        cluster.store.delete(release_key("behavioral", "v-without"))
    assert "Cannot remove redis" in error
    assert f"app_server@4.service) of release {first}" in error
    assert _contents(cluster) == before


def test_a_foreign_image_is_pinned_when_it_is_deployed_and_a_rollback_brings_it_back(stack: Stack) -> None:
    """Its tag moves: the preview shows that as a change of its service, and the deployment rolls it. Without an answer
    of the registry it stays as it is."""
    cluster = stack.cluster()
    built = _image(cluster, "redis")
    foreign = f"{built.partition('@')[0]}:foreign"
    one = _push(built, foreign, indent=1)
    declared = f'services=[\n        Service("cache", image="{foreign}", rollout=Rolling(min_healthy_sec=1)),'
    with stack.edited("Fleetfile.py", {"services=[": declared}):
        assert f"{foreign}@{one}" in stack.preview().output
        stack.up()
        assert _image(cluster, "cache") == f"{foreign}@{one}"
        stack.rests()
        with_one, before = str(stack.outputs()["release"]), _contents(cluster)
        two = _push(built, foreign, indent=2)
        others = _runs(cluster, but="cache")
        shown = stack.preview().output
        assert f"{foreign}@{one}" in shown
        assert f"{foreign}@{two}" in shown
        stack.up()
        assert _image(cluster, "cache") == f"{foreign}@{two}"
        assert _runs(cluster, but="cache") == others
        _without_registry(stack, two)
        _go_back(stack, with_one)
        assert _image(cluster, "cache") == f"{foreign}@{one}"
        assert _contents(cluster) == before
    stack.must("config", "rm", "fleetcaptain:rollbackTo")
    stack.up()


def _image(cluster: Cluster, service: str) -> str:
    """The image in the text of the units of a service."""
    texts = {unit.text for unit in cluster.snapshot().units.values() if unit.mark and unit.mark.service == service}
    images = {UnitFile.parse(text).without_image()[1] for text in texts}
    assert len(images) == 1, images
    return str(images.pop())


def _push(image: str, name: str, indent: int) -> str:
    """Push *image* as *name*, of the same repository, with its manifest written in another way; the digest of that."""
    source, target = reference(image), reference(name)
    get = urllib.request.Request(source.url, headers={"Accept": ACCEPT})  # noqa: S310  the cluster's own registry
    with urllib.request.urlopen(get, timeout=10) as answer:  # noqa: S310
        kind, manifest = answer.headers["Content-Type"], json.load(answer)
    data = json.dumps(manifest, indent=indent).encode()
    put = urllib.request.Request(target.url, data, {"Content-Type": kind}, method="PUT")  # noqa: S310
    with urllib.request.urlopen(put, timeout=10) as answer:  # noqa: S310
        assert answer.status == 201
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _without_registry(stack: Stack, digest: str) -> None:
    """A preview while the registry is stopped: a warning says what stays."""
    registry = stack.containers()["registry"]
    registry.stop(timeout=5)
    try:
        shown = stack.preview().output
    finally:
        registry.start()
    assert f"stays as it was deployed ({digest})" in shown


def test_a_release_is_named_after_a_commit_that_has_all_of_it(stack: Stack) -> None:
    """A file that goes into the image and is not committed makes another release; one elsewhere does not. The tag is
    never given to contents that its commit does not have."""
    app, added = stack.app, stack.app / "behavioral" / "new.py"
    notes = app / "notes.txt"
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for argv in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "one"], ["tag", "v1.4"]):
        subprocess.run(["git", *who, *argv], cwd=app, check=True)
    try:
        notes.touch()
        stack.up()
        assert stack.outputs()["release"] == "v1.4"
        added.write_text("x = 1\n")
        assert "The release is named v1.4-dirty-..." in stack.preview().output
        stack.up()
        assert stack.outputs()["release"].startswith("v1.4-dirty-")
        added.unlink()
        assert "dirty-..." not in stack.preview().output
    finally:
        for path in (added, notes):
            path.unlink(missing_ok=True)
        shutil.rmtree(app / ".git")
