"""The logins at registries of a stack's configuration: what is read, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.configured_logins import ConfiguredLogins, configured_logins
from fleetcaptain.errors import UnitRefused
from fleetcaptain.registry_login import RegistryLogin

OWN, FOREIGN = "fleetcaptain:registryLogin", "fleetcaptain:registryLogins"
EXISTING = {"fleetcaptain:cluster": "existing", "fleetcaptain:registry": "registry.example.org:5000/team"}
LOGIN = {"user": "acme", "password": "s3cret"}


def refused(own: Any, foreign: Any, *, encrypted: bool = True, **more: str) -> str:
    """The refusal. It has no part of a login."""
    config = {**EXISTING, **{f"fleetcaptain:{key}": text for key, text in more.items()}}
    config |= {key: json.dumps(value) for key, value in ((OWN, own), (FOREIGN, foreign)) if value is not None}
    with pytest.raises(UnitRefused) as caught:
        configured_logins(config, [OWN, FOREIGN] if encrypted else [])
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


def test_without_settings_there_are_none() -> None:
    """Also with the defaults of Pulumi.yaml."""
    assert configured_logins({}, []) == ConfiguredLogins()
    assert configured_logins({OWN: "", FOREIGN: "{}"}, []) == ConfiguredLogins()


def test_the_own_registry_and_foreign_ones() -> None:
    """A registry has a host, also when images are below a path; the public one has one name; Pulumi makes a number of
    digits."""
    foreign = {"ghcr.io": {"user": 123, "password": "x"}, "index.docker.io": LOGIN}
    config = {**EXISTING, OWN: json.dumps(LOGIN), FOREIGN: json.dumps(foreign)}
    found = configured_logins(config, [OWN, FOREIGN])
    assert found.own == RegistryLogin("registry.example.org:5000", "acme", "s3cret")
    assert found.foreign == (RegistryLogin("docker.io", "acme", "s3cret"), RegistryLogin("ghcr.io", "123", "x"))
    assert found.from_docker == ()


def test_a_login_of_the_own_registry_may_be_among_the_others() -> None:
    """A push uses it too."""
    foreign = {"registry.example.org:5000": LOGIN}
    found = configured_logins({**EXISTING, FOREIGN: json.dumps(foreign)}, [FOREIGN])
    assert (found.own, found.foreign) == (RegistryLogin("registry.example.org:5000", "acme", "s3cret"), ())


def test_dockers_own_login_is_taken_by_request() -> None:
    """Of the own registry and of others."""
    config = {**EXISTING, OWN: "docker", FOREIGN: json.dumps({"ghcr.io": "docker"})}
    found = configured_logins(config, [])
    assert (found.logins, found.from_docker) == ((), ("ghcr.io", "registry.example.org:5000"))


def test_a_password_in_clear_is_refused_with_the_command_that_encrypts_it() -> None:
    """Each of them."""
    message = refused(LOGIN, {"ghcr.io": LOGIN}, encrypted=False)
    assert f"`pulumi config set --secret --path '{OWN}.password'`" in message
    assert f"""`pulumi config set --secret --path '{FOREIGN}["ghcr.io"].password'`""" in message
    assert message.count("in clear") == 2


def test_one_password_in_clear_beside_an_encrypted_one_is_refused() -> None:
    """The stack's file says which; Pulumi itself says it of the whole setting only."""
    config = {**EXISTING, OWN: json.dumps(LOGIN), FOREIGN: json.dumps({"ghcr.io": LOGIN, "quay.io": LOGIN})}
    clear = [(FOREIGN, "quay.io", "password"), (FOREIGN, "ghcr.io", "user"), (OWN, "user")]
    with pytest.raises(UnitRefused) as caught:
        configured_logins(config, [OWN, FOREIGN], clear)
    (problem,) = caught.value.problems
    assert problem.startswith(f'the password of {FOREIGN}["quay.io"] is in clear')


@pytest.mark.parametrize(
    ("own", "foreign", "words"),
    [
        ({"user": "acme"}, None, f"{OWN} has no password; set it: `pulumi config set --secret --path"),
        ({"password": "s3cret"}, None, f"{OWN} has no user; set it: `pulumi config set --path '{OWN}.user' NAME`"),
        ({**LOGIN, "token": "s3cret"}, None, f"{OWN} has more than a user and a password"),
        ({**LOGIN, "user": True}, None, f"{OWN} must have two texts"),
        ({**LOGIN, "password": 7}, None, f"{OWN} must have two texts"),
        ({**LOGIN, "user": "a:b"}, None, f"{OWN}: the user contains a colon"),
        ("s3cret", None, f'{OWN} must be "docker", or a user and a password'),
        (None, {"ghcr.io": "s3cret"}, f'{FOREIGN}["ghcr.io"] must be "docker", or a user and a password'),
        (None, ["s3cret"], f"{FOREIGN} must have a login for each registry"),
        (None, {"https://ghcr.io": LOGIN}, "'https://ghcr.io' must be a registry's host"),
        (None, {"docker.io": LOGIN, "index.docker.io": LOGIN}, "are both for docker.io"),
        (LOGIN, {"registry.example.org:5000": LOGIN}, "are both for registry.example.org:5000"),
    ],
)
def test_what_is_no_login_is_refused(own: Any, foreign: Any, words: str) -> None:
    """By the name of its setting."""
    assert words in refused(own, foreign)


def test_the_own_login_needs_an_existing_cluster_and_its_registry() -> None:
    """It would be ignored without."""
    assert f"{OWN} is for fleetcaptain:cluster=existing" in refused(LOGIN, None, cluster="local")
    assert f"{OWN} requires fleetcaptain:registry with a host" in refused(LOGIN, None, registry="registry")
