"""Whether an image is in a registry that requires a login: the script of a machine, in each shell that is installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fleetcaptain.registry_login import RegistryLogin, docker_config
from fleetcaptain.release import images as probe
from fleetcaptain.release.images import ImageState, probe_argv, probed
from tests.fakes.guarded_registry import GuardedRegistry, guarded_registry
from tests.programs import program
from tests.unit.units.shell_machine import SHELLS

SCRIPT = Path(probe.__file__).with_name("image_probe.sh")
THERE, GONE, UNKNOWN = ImageState.THERE, ImageState.GONE, ImageState.UNKNOWN


@pytest.fixture
def registry() -> Iterator[GuardedRegistry]:
    """A registry with one image."""
    with guarded_registry() as server:
        yield server


def probed_by(
    shell: str, folder: Path, images: Sequence[str], logins: Sequence[RegistryLogin] | None
) -> list[ImageState]:
    """The states of *images*, found with *logins*; None: the machine has no file of logins. The login is never among
    curl's arguments."""
    file, log = folder / "config.json", folder / "arguments"
    if logins is not None:
        file.write_text(docker_config(logins))
    curl = folder / "curl"
    curl.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>"{log}"\nexec {program("curl")} "$@"\n')
    curl.chmod(0o755)
    _, *rest = probe_argv(images, str(file))
    environ = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run([shell, *rest], env=environ, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert not any(secret in log.read_text() for secret in ("Basic", "Bearer", "geheim", "abc.DEF"))
    return list(probed(images, done.stdout).values())


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("realm", [False, True])
def test_an_image_is_found_with_the_login(
    registry: GuardedRegistry, tmp_path: Path, shell: str, *, realm: bool
) -> None:
    """By HTTP Basic and by a token. Only a registry that lets the login in says that an image is gone."""
    registry.realm = registry.token_url if realm else ""
    images = [f"{registry.host}/acme/db@{registry.digest}", f"{registry.host}/acme/db:lost", registry.image]
    right = RegistryLogin(registry.host, registry.user, registry.password)
    wrong = RegistryLogin(registry.host, registry.user, "other")
    other = RegistryLogin("ghcr.io", registry.user, registry.password)
    assert probed_by(shell, tmp_path, images, [other, right]) == [THERE, GONE, THERE]
    assert probed_by(shell, tmp_path, images, [wrong]) == [UNKNOWN] * 3
    registry.requests.clear()
    assert probed_by(shell, tmp_path, images, [other]) == [UNKNOWN] * 3
    assert registry.credentials == []


@pytest.mark.parametrize("shell", SHELLS)
def test_without_a_file_of_logins_nothing_is_known(registry: GuardedRegistry, tmp_path: Path, shell: str) -> None:
    """Nor is anything printed."""
    assert probed_by(shell, tmp_path, [registry.image], None) == [UNKNOWN]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_login_goes_nowhere_else(registry: GuardedRegistry, tmp_path: Path, shell: str) -> None:
    """Neither to a token server on the network without TLS, nor where one redirects to."""
    login = RegistryLogin(registry.host, registry.user, registry.password)
    hosts = ("registry.example", "127.example", "127.0.0.1@10.0.0.1", "localhost.example:80", "10.127.0.1")
    for realm in [*(f"http://{host}/token" for host in hosts), f"ftp://{registry.host}/token", registry.host]:
        registry.realm = realm
        assert probed_by(shell, tmp_path, [registry.image], [login]) == [UNKNOWN]
        arguments = (tmp_path / "arguments").read_text().splitlines()
        (tmp_path / "arguments").unlink()
        assert len(arguments) == 1, realm  # the registry alone was asked
    with guarded_registry() as elsewhere:
        registry.realm, registry.redirect = registry.token_url, elsewhere.token_url
        assert probed_by(shell, tmp_path, [registry.image], [login]) == [UNKNOWN]
        assert elsewhere.requests == []
    assert [header for _, header in registry.credentials] == [registry.basic]


def test_the_registries_answers_shift_no_other(registry: GuardedRegistry, tmp_path: Path) -> None:
    """A registry that does not answer, or answers too much, is unknown, and the next one keeps its own state."""
    login = RegistryLogin(registry.host, registry.user, registry.password)
    with guarded_registry() as talkative:
        talkative.realm = "200 404\t" * 9000
        images = ["127.0.0.1:1/acme/db:1", talkative.image, registry.image]
        assert probed_by(SHELLS[0], tmp_path, images, [login]) == [UNKNOWN, UNKNOWN, THERE]


def test_a_file_that_only_root_can_read_is_read_by_sudo(registry: GuardedRegistry, tmp_path: Path) -> None:
    """As the user of the connection may, on a machine."""
    login = RegistryLogin(registry.host, registry.user, registry.password)
    (tmp_path / "hidden").write_text(docker_config([login]))
    sudo = tmp_path / "sudo"
    sudo.write_text(f'#!/bin/sh\n[ "$*" = "-n cat {tmp_path}/config.json" ] && exec cat "{tmp_path}/hidden"\n')
    sudo.chmod(0o755)
    assert probed_by(SHELLS[0], tmp_path, [registry.image], None) == [THERE]


def test_shellcheck_finds_nothing() -> None:
    """As POSIX sh."""
    argv = [str(program("shellcheck")), "-s", "sh", str(SCRIPT)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
