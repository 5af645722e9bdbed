"""The provider of a foreign image: what it asks of the registry, and what stays when that does not answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from components import pinned_image
from components.pinned_image import Pinned, PinnedImageProvider, resolve
from fleetcaptain.fleet.process_output import Finished
from fleetcaptain.release.pinned import config_argv, manifest_argv, pin

OLD, NEW = '{"schemaVersion": 2}', '{"schemaVersion": 2, "n": 1}'
OLD_REF, NEW_REF = pin("redis:7", OLD), pin("redis:7", NEW)
CONFIG = '{"config": {"Volumes": {"/data": {}}}}'
DEPLOYED = Pinned(OLD_REF, ("/data",), inspected=True)

Answer = Finished | Exception


class Buildx:
    """Prints these answers: the manifest, and the configuration. *commands* are all that ran."""

    def __init__(self, manifest: Answer | str, config: Answer | str = CONFIG) -> None:
        self.commands: list[list[str]] = []
        self._manifest, self._config = manifest, config

    def __call__(self, argv: Sequence[str], timeout_sec: float) -> Finished:
        """Run a command."""
        assert 0 < timeout_sec < 10
        self.commands.append(list(argv))
        answer = self._manifest if "--raw" in argv else self._config
        if isinstance(answer, Exception):
            raise answer
        return Finished(0, answer, "") if isinstance(answer, str) else answer


FAULTS: list[tuple[Answer | str, str]] = [
    (Finished(1, "", "ERROR: failed to do request: connection refused\n"), "connection refused"),
    (subprocess.TimeoutExpired("docker", 4), "did not answer within 4 s"),
    (FileNotFoundError("no docker"), "could not be started: no docker"),
    ("not a manifest", "it is not valid JSON"),
    (Finished(1, OLD, ""), "no reason given"),
]


def test_a_new_image_is_pinned_and_inspected() -> None:
    """Two commands: its manifest by the tag, and its configuration by the digest."""
    buildx = Buildx(NEW)
    assert resolve("redis:7", None, buildx) == (Pinned(NEW_REF, ("/data",), inspected=True), "")
    assert buildx.commands == [manifest_argv("redis:7"), config_argv(NEW_REF)]


def test_a_tag_that_did_not_move_costs_one_command() -> None:
    """And one that moved is another image."""
    buildx = Buildx(OLD)
    assert resolve("redis:7", DEPLOYED, buildx) == (DEPLOYED, "")
    assert buildx.commands == [manifest_argv("redis:7")]
    assert resolve("redis:7", DEPLOYED, Buildx(NEW))[0].ref == NEW_REF


@pytest.mark.parametrize(("fault", "why"), FAULTS)
def test_without_a_registry_what_was_deployed_stays(fault: Answer | str, why: str) -> None:
    """Nothing is rolled because a registry is down; the warning says which image, and why."""
    found, warning = resolve("redis:7", DEPLOYED, Buildx(fault))
    assert found == DEPLOYED
    assert why in warning
    assert "redis:7" in warning
    assert "stays as it was deployed" in warning


@pytest.mark.parametrize("known", [None, Pinned("redis:7")])
@pytest.mark.parametrize(("fault", "why"), FAULTS)
def test_without_a_registry_a_new_image_is_deployed_by_its_tag(
    known: Pinned | None, fault: Answer | str, why: str
) -> None:
    """The machines may have it; so it is the next time, until the registry answers."""
    found, warning = resolve("redis:7", known, Buildx(fault))
    assert found == Pinned("redis:7")
    assert why in warning
    assert "is deployed by its tag" in warning
    assert resolve("redis:7", known, Buildx(NEW))[0].ref == NEW_REF


def test_volumes_that_could_not_be_read_are_asked_for_again() -> None:
    """The image itself is pinned."""
    buildx = Buildx(OLD, Finished(1, "", "ERROR: too many requests"))
    found, warning = resolve("redis:7", None, buildx)
    assert (found, warning) == (Pinned(OLD_REF), "")
    assert resolve("redis:7", found, Buildx(OLD))[0] == DEPLOYED


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> tuple[Callable[..., dict[str, Any]], list[str]]:
    """Checks inputs with a registry's answer: what comes of them; and all warnings."""
    warnings: list[str] = []
    monkeypatch.setattr(pinned_image, "warn", warnings.append)

    def check(olds: dict[str, Any], answer: Answer | str, release: str = "") -> dict[str, Any]:
        monkeypatch.setattr(pinned_image, "run", Buildx(answer))
        result = PinnedImageProvider().check(olds, {"reference": "redis:7", "release": release, "__provider": "p"})
        assert result.inputs is not None
        return result.inputs

    return check, warnings


def test_what_is_found_is_an_input_so_that_each_preview_knows_it(
    checked: tuple[Callable[..., dict[str, Any]], list[str]],
) -> None:
    """It is kept, read back as it is, and the engine compares."""
    check, warnings = checked
    found = check({}, OLD)
    assert found == {
        "reference": "redis:7",
        "release": "",
        "__provider": "p",
        "ref": OLD_REF,
        "volumes": ["/data"],
        "inspected": True,
    }
    provider = PinnedImageProvider()
    assert provider.create(found).outs == found
    assert provider.read("redis:7", found).inputs == {key: found[key] for key in found if key != "__provider"}
    moved = check(found, NEW)
    assert provider.update("redis:7", found, moved).outs == moved
    assert moved["ref"] == NEW_REF
    assert warnings == []
    assert check(moved, FileNotFoundError("no docker")) == moved
    assert len(warnings) == 1


def test_a_registry_is_asked_with_its_login_which_is_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a new password shows no change. A command gets no login but its registry's."""
    configs: list[Any] = []

    def run(argv: Sequence[str], timeout_sec: float, *, environ: Mapping[str, str]) -> Finished:
        configs.append(json.loads(Path(environ["DOCKER_CONFIG"], "config.json").read_text())["auths"])
        return Buildx(OLD)(argv, timeout_sec)

    monkeypatch.setattr(pinned_image, "run", run)
    logins = {host: {"user": "acme", "password": "s3cret"} for host in ("ghcr.io", "docker.io")}
    stack = {"fleetcaptain:registryLogins": json.dumps(logins), "fleetcaptain:size": "3"}
    provider = PinnedImageProvider()
    provider.configure(ConfigureRequest(Config(stack, "fleetcaptain")))
    found = provider.check({}, {"reference": "ghcr.io/acme/redis:7", "release": ""}).inputs
    assert found is not None
    assert found.keys() == {"reference", "release", "ref", "volumes", "inspected"}
    assert configs[0]["ghcr.io"] == {"auth": "YWNtZTpzM2NyZXQ="}
    assert "https://index.docker.io/v1/" not in configs[0]


def test_a_release_with_a_name_keeps_its_images(
    checked: tuple[Callable[..., dict[str, Any]], list[str]],
) -> None:
    """Its contents never change, so a tag that moved is for the next release; nothing is asked."""
    check, warnings = checked
    first = check({}, OLD, "v1")
    assert check(first, NEW, "v1") == first
    assert check(first, FileNotFoundError("no docker"), "v1") == first
    assert warnings == []
    assert check(first, NEW, "v2")["ref"] == NEW_REF
