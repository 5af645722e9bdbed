"""The login of a registry, from the real Pulumi's configuration to the provider that asks for a digest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.guarded_registry import GuardedRegistry, guarded_registry
from tests.local.terminal.session import Screen, Session
from tests.programs import program


@pytest.fixture
def registry() -> Iterator[GuardedRegistry]:
    """A registry that requires a login."""
    program("docker")
    with guarded_registry() as server:
        yield server


@pytest.fixture
def session(tmp_path: Path, registry: GuardedRegistry) -> Session:
    """A stack whose configuration has the user, and not yet the password."""
    session = Session.make(tmp_path, "tests.local.hosting.foreign_image")
    setting = f'fleetcaptain:registryLogins["{registry.host}"].user'
    assert session.pulumi("config", "set", "--path", setting, registry.user).code == 0
    return session


def set_password(session: Session, registry: GuardedRegistry, password: str, *options: str) -> None:
    """Set it, by the command that errors and docs show."""
    setting = f'fleetcaptain:registryLogins["{registry.host}"].password'
    screen = session.pulumi("config", "set", *options, "--path", setting, password)
    assert screen.code == 0, screen.text


def run(session: Session, registry: GuardedRegistry, *argv: str) -> Screen:
    """Run the program."""
    return session.pulumi(*argv, IMAGE=registry.image)


def test_a_new_password_is_no_change_and_none_is_in_clear(session: Session, registry: GuardedRegistry) -> None:
    """Neither in the state nor on the screen. With the new one the registry is asked."""
    set_password(session, registry, registry.password, "--secret")
    screen = run(session, registry, "up", "--yes", "--skip-preview")
    assert f"{registry.image}@{registry.digest}" in screen.text
    assert "warning" not in screen.text
    registry.password = "an0ther"  # noqa: S105  as its owner may change it
    set_password(session, registry, registry.password, "--secret")
    again = run(session, registry, "up", "--yes", "--diff")
    assert "2 unchanged" in again.text, again.text
    assert "warning" not in again.text
    texts = [path.read_text() for path in session.folder.glob("state/**/*.json")]
    for secret in ("geheim", "an0ther"):
        assert not any(secret in text for text in (*texts, screen.text, again.text))


def test_a_password_in_clear_ends_the_program(session: Session, registry: GuardedRegistry) -> None:
    """Before anything is asked, and also beside one that is encrypted; the error names the setting."""
    set_password(session, registry, registry.password)
    other = 'fleetcaptain:registryLogins["ghcr.io"]'
    assert session.pulumi("config", "set", "--path", f"{other}.user", "acme").code == 0
    assert session.pulumi("config", "set", "--path", "--secret", f"{other}.password", "0ther").code == 0
    screen = run(session, registry, "preview")
    assert screen.code != 0
    assert f'fleetcaptain:registryLogins["{registry.host}"] is in clear' in screen.text
    assert f"{other} is in clear" not in screen.text
    assert registry.requests == []
