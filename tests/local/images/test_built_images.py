"""Images built and pushed by the real Pulumi, its plugin and BuildKit: stages, arguments, and where a secret goes."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetcaptain.fleet.process_output import run
from tests.local.images.built import SECRET
from tests.local.images.push_registry import PushRegistry, push_registry
from tests.local.terminal.session import Screen, Session
from tests.programs import program

# `nonce` is another one in each run, so no step of an earlier run is used again.
_DOCKERFILE = f"""\
FROM scratch AS base
COPY root /
COPY nonce /

FROM base AS web
ARG NODE_VERSION
RUN --mount=type=secret,id={SECRET} read token < /run/secrets/{SECRET}; \
    echo "node $NODE_VERSION, ${{#token}} letters" > /built

FROM base AS broken
RUN --mount=type=secret,id={SECRET} read token < /run/secrets/{SECRET}; echo "no rule for $token" >&2; exit 1

FROM base
"""


@dataclass(frozen=True)
class Built:
    """A stack with an image, its registry, and the value of its secret."""

    session: Session
    registry: PushRegistry
    value: str

    def pulumi(self, *argv: str, target: str = "web", node: str = "22") -> Screen:
        """Run ``pulumi`` with *argv*."""
        return self.session.pulumi(*argv, REGISTRY=self.registry.address, TARGET=target, NODE_VERSION=node)

    def up(self, *argv: str, target: str = "web", node: str = "22") -> Screen:
        """Deploy after a refresh, as the product does; all that is shown."""
        return self.pulumi("up", "--yes", "--skip-preview", "--refresh", "--diff", *argv, target=target, node=node)

    def set_secret(self, value: str) -> None:
        """Set the secret as its user does."""
        assert self.pulumi("config", "set", "--secret", f"fleetcaptain:secrets.{SECRET}", value).code == 0


def _copy_shell(root: Path) -> None:
    """Copy the shell of this computer with its libraries, as a base image would have to be pulled."""
    shell = Path("/bin/sh").resolve()
    libraries = re.findall(r"(/\S+) \(0x", run(["ldd", str(shell)], 10).output)
    for source, name in ((shell, "/bin/sh"), *((Path(found), found) for found in libraries)):
        target = root / name.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The image, deployed."""
    program("docker")
    folder = tmp_path_factory.mktemp("built")
    (folder / "app").mkdir()
    _copy_shell(folder / "app" / "root")
    (folder / "app" / "nonce").write_text(secrets.token_hex())
    (folder / "app" / "Dockerfile").write_text(_DOCKERFILE)
    with push_registry() as registry:
        built = Built(Session.make(folder, "tests.local.images.built"), registry, f"s3cret-{secrets.token_hex()}")
        built.set_secret(built.value)
        try:
            screen = built.up()
            assert screen.code == 0, screen.text
            assert built.value not in screen.text
            yield built
        finally:
            run(["docker", "image", "rm", "--force", f"{registry.address}/acme/shop:latest"], 60)


def state_of(built: Built) -> str:
    """The state, as the backend keeps it."""
    (file,) = (built.session.folder / "state").rglob("stacks/**/dev.json")
    return file.read_text()


def test_a_stage_is_built_with_its_argument_and_its_secret(built: Built) -> None:
    """The step had both, or it would have failed or written something else."""
    assert f"node 22, {len(built.value)} letters".encode() in built.registry.texts()


def test_a_build_secret_is_in_no_layer_no_history_and_no_state(built: Built) -> None:
    """The history names the mount alone. `stack export` has the value encrypted, as the state has."""
    registry = built.registry
    config = registry.document(registry.document(registry.tags["latest"])["config"]["digest"])
    steps = [step["created_by"] for step in config["history"]]
    assert any("read token" in step for step in steps), steps
    exported = built.pulumi("stack", "export").text
    resources = json.loads(state_of(built))["checkpoint"]["latest"]["resources"]
    (image,) = [one for one in resources if one["type"] == "docker-build:index:Image"]
    for properties in (image["inputs"], image["outputs"]):
        assert "ciphertext" in json.dumps(properties["secrets"])
    for where in (registry.texts().decode(errors="replace"), exported, state_of(built)):
        assert built.value not in where


def test_another_value_of_a_secret_changes_nothing(built: Built) -> None:
    """The update after it has nothing to do."""
    digests = set(built.registry.blobs)
    built.set_secret("other-value-of-it")
    try:
        screen = built.up("--expect-no-changes")
        assert screen.code == 0, screen.text
        assert set(built.registry.blobs) == digests
    finally:
        built.set_secret(built.value)


def test_what_is_not_sent_and_modes_and_times_change_nothing(built: Built) -> None:
    """As in another clone, on a later day, by a user with another umask, who has edited another part of the app."""
    app, digests = built.session.folder / "app", set(built.registry.blobs)
    (app / "README.md").write_text("other")
    for path in app.rglob("*"):
        if path.is_file():
            path.chmod(path.stat().st_mode | 0o020)
            os.utime(path, (1_700_000_000, 1_700_000_000))
    screen = built.up("--expect-no-changes")
    assert screen.code == 0, screen.text
    assert set(built.registry.blobs) == digests
    (app / "root" / "more").touch()
    try:
        assert "contextHash" in built.pulumi("preview", "--diff").text
    finally:
        (app / "root" / "more").unlink()


@pytest.mark.parametrize(("change", "shown"), [({"node": "24"}, "NODE_VERSION"), ({"target": "base"}, "target")])
def test_another_argument_or_target_shows_in_a_preview(built: Built, change: dict[str, str], shown: str) -> None:
    """By its name."""
    screen = built.pulumi("preview", "--diff", **change)
    assert screen.code == 0, screen.text
    (line,) = [line for line in screen.text.splitlines() if shown in line]
    assert "=>" in line


def test_a_build_that_prints_its_secret_fails_without_it(built: Built) -> None:
    """The error has what the step printed, with the name in the place of the value."""
    screen = built.up(target="broken")
    assert screen.code != 0
    assert f"no rule for [secret {SECRET}]" in screen.text, screen.text
    assert built.value not in screen.text
    assert built.value not in state_of(built)
