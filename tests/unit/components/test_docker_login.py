"""The logins of this computer's docker."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from components.configured_logins import ConfiguredLogins
from components.docker_login import docker_environment, machine_logins
from fleetcaptain.errors import FleetCaptainError, UnitRefused
from fleetcaptain.registry_login import RegistryLogin

LOGIN = RegistryLogin("ghcr.io", "acme", "s3cret")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's folder of docker."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def write(own: Path, **config: Any) -> None:
    """Write docker's configuration."""
    (own / "config.json").write_text(json.dumps(config))


def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Install the credential helper `test`."""
    program = tmp_path / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_a_command_gets_a_private_folder_which_is_removed(own: Path) -> None:
    """With the operator's plugins, contexts and other logins; the operator's own folder stays as it is."""
    write(own, auths={"quay.io": {"auth": "b2xk"}}, currentContext="remote")
    (own / "cli-plugins").mkdir()
    (own / "cli-plugins" / "docker-buildx").touch()
    before = (own / "config.json").read_text()
    with docker_environment([LOGIN]) as environ:
        assert environ is not None
        folder = Path(environ["DOCKER_CONFIG"])
        assert environ["PATH"] == os.environ["PATH"]
        assert (folder.stat().st_mode & 0o777, (folder / "config.json").stat().st_mode & 0o777) == (0o700, 0o600)
        config = json.loads((folder / "config.json").read_text())
        assert config["auths"] == {"quay.io": {"auth": "b2xk"}, "ghcr.io": {"auth": LOGIN.auth}}
        assert config["currentContext"] == "remote"
        assert (folder / "cli-plugins" / "docker-buildx").exists()
    assert not folder.exists()
    assert (own / "cli-plugins" / "docker-buildx").exists()
    assert (own / "config.json").read_text() == before


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_folder_without_a_configuration_is_no_obstacle(own: Path, text: str | None) -> None:
    """Nor one that docker itself would not read."""
    if text is not None:
        (own / "config.json").write_text(text)
    with docker_environment([LOGIN]) as environ:
        assert environ is not None
        assert json.loads(Path(environ["DOCKER_CONFIG"], "config.json").read_text())["auths"].keys() == {"ghcr.io"}


@pytest.mark.parametrize("broken", ["iterdir", "symlink_to"])
def test_a_folder_that_cannot_be_read_or_made_is_named(own: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """And nothing of the logins is left. An error of the command itself is its own."""

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(own))

    (own / "contexts").mkdir()
    before = {*Path(tempfile.gettempdir()).glob("fleetcaptain-docker-*")}
    with monkeypatch.context() as patched:
        patched.setattr(Path, broken, fail)
        with pytest.raises(FleetCaptainError) as caught, docker_environment([LOGIN]):
            pass
    assert str(own) in str(caught.value)
    assert "DOCKER_CONFIG" in str(caught.value)
    assert LOGIN.auth not in str(caught.value)
    assert {*Path(tempfile.gettempdir()).glob("fleetcaptain-docker-*")} <= before
    with pytest.raises(TimeoutError), docker_environment([LOGIN]):
        raise TimeoutError


def test_without_logins_a_command_runs_as_always() -> None:
    """With the operator's own folder."""
    with docker_environment([]) as environ:
        assert environ is None


def test_a_login_is_taken_from_the_configuration(own: Path) -> None:
    """As `docker login` writes it; the public registry has a name of its own."""
    auth = base64.b64encode(b"acme:s3cret").decode()
    write(own, auths={"ghcr.io": {"auth": auth}, "https://index.docker.io/v1/": {"auth": auth}})
    configured = ConfiguredLogins((RegistryLogin("quay.io", "ci", "0ther"),), ("docker.io", "ghcr.io"))
    hub = RegistryLogin("docker.io", "acme", "s3cret")
    assert machine_logins(configured) == (hub, LOGIN, *configured.logins)


@pytest.mark.parametrize("setting", [{"credsStore": "test"}, {"credHelpers": {"ghcr.io": "test"}}])
def test_a_login_is_taken_from_a_credential_helper(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, Any]
) -> None:
    """One for all registries, or for this one."""
    helper(tmp_path, monkeypatch, """[ "$1 $(cat)" = "get ghcr.io" ] && echo '{"Username":"acme","Secret":"s3cret"}'""")
    write(own, **setting)
    assert machine_logins(ConfiguredLogins(from_docker=("ghcr.io",))) == (LOGIN,)


@pytest.mark.parametrize(
    ("config", "script", "words"),
    [
        ({}, "", "docker has no login"),
        ({"auths": {"ghcr.io": {}}}, "", "docker has no login"),
        ({"auths": {"ghcr.io": {"auth": "czNjcmV0"}}}, "", "docker could not read its login"),
        (
            {"auths": {"ghcr.io": {"identitytoken": "s3cret"}}},
            "",
            "identity token, which machines cannot use",
        ),
        ({"credsStore": "test"}, """echo '{"Username":"<token>","Secret":"s3cret"}'""", "has an identity token"),
        ({"credsStore": "test"}, "echo the keychain is locked; exit 1", "the keychain is locked"),
        ({"credsStore": "test"}, "echo credentials not found in native keychain; exit 1", "docker has no login"),
        ({"credsStore": "test"}, "echo s3cret", "docker could not read its login"),
    ],
)
def test_without_a_usable_login_the_error_names_the_registry(
    own: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], script: str, words: str
) -> None:
    """Each of them, and the command that makes one; never the secret."""
    helper(own.parent, monkeypatch, script)
    write(own, **config)
    with pytest.raises(UnitRefused) as caught:
        machine_logins(ConfiguredLogins(from_docker=("ghcr.io", "quay.io")))
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["ghcr.io", "quay.io"]
    assert words in caught.value.problems[0]
    assert "`docker login ghcr.io`" in caught.value.problems[0]
    assert "s3cret" not in str(caught.value)
