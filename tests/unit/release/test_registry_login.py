"""Logins at registries, and the configuration of docker with them."""

from __future__ import annotations

import json

import pytest

from fleetcaptain.registry_login import (
    RegistryLogin,
    docker_config,
    login_mistake,
    logins_for,
    merged_config,
    registry_host,
)

HUB = RegistryLogin("docker.io", "acme", "p:w")
GHCR = RegistryLogin("ghcr.io", "acme", "secret")
OWN = RegistryLogin("registry.example.org:5000", "ci", "geheim-ü")
PUBLIC_KEY = "https://index.docker.io/v1/"


def test_a_password_is_not_shown() -> None:
    """A login may be in an error's text or in a log."""
    assert "secret" not in repr(GHCR)
    assert GHCR.auth not in repr(GHCR)


def test_docker_config_has_one_line_for_each_registry() -> None:
    """Which `sh` reads; docker reads the whole as JSON, in the same order for the same logins."""
    text = docker_config([OWN, GHCR, HUB])
    assert text == docker_config([HUB, OWN, GHCR])
    assert text.splitlines()[1:-1] == [
        f'"{PUBLIC_KEY}":{{"auth":"YWNtZTpwOnc="}},',
        '"ghcr.io":{"auth":"YWNtZTpzZWNyZXQ="},',
        '"registry.example.org:5000":{"auth":"Y2k6Z2VoZWltLcO8"}',
    ]
    assert json.loads(text)["auths"]["ghcr.io"] == {"auth": "YWNtZTpzZWNyZXQ="}
    assert json.loads(docker_config([])) == {"auths": {}}


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("redis:7", [HUB]),
        ("docker.io/library/redis", [HUB]),
        ("index.docker.io/acme/redis", [HUB]),
        ("ghcr.io/acme/redis", [GHCR]),
        ("registry.example.org:5000/redis@sha256:" + "a" * 64, [OWN]),
        ("registry.example.org/redis", []),
        ("not a reference", []),
    ],
)
def test_an_image_has_the_login_of_its_registry(image: str, found: list[RegistryLogin]) -> None:
    """Host and port; the public registry has several names."""
    assert list(logins_for(image, [HUB, GHCR, OWN])) == found


@pytest.mark.parametrize(
    "text", ["", "ghcr", "https://ghcr.io", "ghcr.io/acme", "ghcr.io:", "a b.io", '"ghcr.io', "g.io\n"]
)
def test_what_is_no_registry_is_refused(text: str) -> None:
    """An image's reference could not begin with it."""
    with pytest.raises(ValueError, match="must be a registry's host as in an image's reference"):
        registry_host(text)


@pytest.mark.parametrize(
    ("user", "password", "words"),
    [
        ("a", "b", ""),
        ("", "b", "user is empty"),
        ("a", "", "password is empty"),
        ("a:b", "c", "colon"),
        ("a", "hid\nden", "password contains a line break"),
        ("hid\x00den", "b", "user contains a line break"),
    ],
)
def test_a_login_that_no_registry_accepts(user: str, password: str, words: str) -> None:
    """The reason has no part of it."""
    mistake = login_mistake(user, password)
    assert (words in mistake) is bool(words) or mistake == words
    assert "hid" not in mistake


def test_dockers_own_configuration_is_kept() -> None:
    """Other registries, and all that is no login; docker would ask a store before the added login."""
    own = {
        "auths": {"ghcr.io": {"auth": "b2xk"}, "quay.io": {"auth": "b2xk"}},
        "credHelpers": {"ghcr.io": "desktop", "gcr.io": "gcloud"},
        "credsStore": "pass",
        "currentContext": "remote",
    }
    assert merged_config(own, [GHCR, HUB]) == {
        "auths": {"ghcr.io": {"auth": GHCR.auth}, "quay.io": {"auth": "b2xk"}, PUBLIC_KEY: {"auth": HUB.auth}},
        "credHelpers": {"ghcr.io": "", PUBLIC_KEY: "", "gcr.io": "gcloud"},
        "credsStore": "pass",
        "currentContext": "remote",
    }
    assert merged_config({"auths": None}, [GHCR])["auths"] == {"ghcr.io": {"auth": GHCR.auth}}
