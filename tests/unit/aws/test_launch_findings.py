"""The verdicts of the preflight: what stops a new cluster, or keeps this computer from reaching it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from components.aws.account_facts import NO_KEY_PAIR, AccountFacts, Quota
from components.aws.client_facts import ClientFacts
from components.aws.launch_findings import Made, findings, provider_only, usable_zones
from components.aws.settings import Settings, read
from tests.unit.aws.declared import CLIENT, CONFIG, PUBLIC_KEY, ZONES

ACCOUNT = AccountFacts(
    "eu-west-1",
    ZONES,
    offer=ZONES,
    public_key=f"ssh-ed25519 {PUBLIC_KEY} ann",
    addresses=Quota(5, 0),
    vcpus=Quota(32, 0),
    spot_vcpus=Quota(32, 0),
    vcpus_each=2,
)


def settings(**config: str) -> Settings:
    """The settings of a cluster of three machines, but for *config*."""
    return read({**CONFIG, **config}.get)


def errors(
    account: AccountFacts = ACCOUNT,
    client: ClientFacts = CLIENT,
    made: Made | None = None,
    config: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The errors for such a cluster."""
    return findings(settings(**(config or {})), account, client, made or Made()).errors


def test_a_cluster_that_can_start_has_no_findings() -> None:
    """Through both ways in."""
    assert findings(settings(), ACCOUNT, CLIENT, Made()) == findings(settings(allowSshFrom=""), ACCOUNT, CLIENT, Made())
    assert errors() == ()


def test_all_findings_are_in_one_report() -> None:
    """Programs, keys, zones and quotas."""
    account = replace(ACCOUNT, public_key="ssh-rsa AAAAother", offer=ZONES[:1], addresses=Quota(5, 3))
    found = errors(account, replace(CLIENT, missing=("aws", "session-manager-plugin")), config={"allowSshFrom": ""})
    assert [line.split(":")[0].split(" is")[0] for line in found] == [
        "aws",
        "session-manager-plugin",
        "fleetcaptain",
        "fleetcaptain",
        "the machines need 3 elastic IP addresses, and 2 of your quota of 5 are free in eu-west-1. Request a higher "
        "quota (EC2-VPC Elastic IPs) in Service Quotas, or release what you do not use",
    ]
    assert all("set fleetcaptain:allowSshFrom" in line for line in found[:2])


@pytest.mark.parametrize(
    ("account", "client", "config", "message"),
    [
        (NO_KEY_PAIR, {}, {}, "has no key pair ann"),
        ("ssh-rsa AAAAother", {}, {}, "ssh has no private key of the key pair ann"),
        ("ssh-rsa AAAAother", {}, {"sshKey": "~/ann"}, "~/ann is not the private key of the key pair ann"),
        (None, {"key_problem": "there is no file ~/ann"}, {"sshKey": "~/ann"}, "there is no file ~/ann"),
    ],
)
def test_the_key_opens_the_machines(
    account: str | None, client: Mapping[str, Any], config: dict[str, str], message: str
) -> None:
    """By the public key that AWS has."""
    (found,) = errors(replace(ACCOUNT, public_key=account), replace(CLIENT, **client), config=config)
    assert message in found


@pytest.mark.parametrize(
    ("public_key", "keys"), [("ssh-rsa AAAAother", None), (None, frozenset({"AAAAmine"})), ("", None)]
)
def test_what_is_unknown_is_no_error(public_key: str | None, keys: frozenset[str] | None) -> None:
    """A key on a card, or an account in which asking is not permitted; a pair that is missing is no unknown one."""
    account = AccountFacts("eu-west-1", ZONES, public_key=public_key, unknown=("quotas: no permission",))
    found = findings(settings(), account, replace(CLIENT, keys=keys), Made())
    assert len(found.errors) == (public_key == NO_KEY_PAIR)
    assert found.notes == ("quotas: no permission",)


@pytest.mark.parametrize(
    ("config", "made", "vcpus", "addresses", "expected"),
    [
        ({"size": "3"}, Made(), Quota(6, 0), Quota(3, 0), 0),
        ({"size": "3"}, Made(), Quota(6, 1), Quota(3, 1), 2),
        ({"size": "4"}, Made(3), Quota(8, 6), Quota(3, 3), 0),
        ({"size": "5"}, Made(3), Quota(8, 6), Quota(3, 3), 1),
        ({"size": "5"}, Made(3, 1), Quota(8, 6), Quota(3, 3), 0),
        ({"size": "4"}, Made(3, 3), Quota(8, 8), Quota(3, 3), 0),
        ({"size": "12"}, Made(), Quota(24, None), Quota(5, 0), 0),
        ({"size": "12"}, Made(), Quota(23, None), Quota(5, 0), 1),
    ],
)
def test_quotas_suffice_for_what_is_still_to_be_made(
    config: dict[str, str], made: Made, vcpus: Quota, addresses: Quota, expected: int
) -> None:
    """Two vCPUs for each machine, an address for each member."""
    assert len(errors(replace(ACCOUNT, vcpus=vcpus, addresses=addresses), made=made, config=config)) == expected


def test_spot_instances_have_a_quota_of_their_own() -> None:
    """Members never use it."""
    account = replace(ACCOUNT, vcpus=Quota(6, 0), spot_vcpus=Quota(3, 0))
    (found,) = errors(account, config={"size": "5", "spot": "true"})
    assert "need 4 vCPUs of spot instances, and 3 of your quota of 3 are free" in found


def test_only_zones_that_offer_the_type_are_used() -> None:
    """Letters are shuffled per account, so the first three may lack it."""
    account = replace(ACCOUNT, zones=(*ZONES, "eu-west-1d"), offer=(*ZONES[1:], "eu-west-1d"))
    assert usable_zones(settings(), account) == (*ZONES[1:], "eu-west-1d")
    assert usable_zones(settings(), replace(account, offer=None)) == account.zones
    assert errors(account) == ()
    (found,) = errors(account, config={"zones": ",".join(ZONES[:2])})
    assert found == (
        "fleetcaptain:zones: eu-west-1a: no t3.medium is offered; the zones that offer t3.medium are eu-west-1b, "
        "eu-west-1c, eu-west-1d"
    )
    assert errors(account, made=Made(has_zones=True), config={"zones": ",".join(ZONES[:2])}) == ()


def test_another_address_is_a_warning() -> None:
    """Someone else may deploy from there; an unknown address says nothing."""
    found = findings(settings(), ACCOUNT, replace(CLIENT, address="203.0.113.9"), Made())
    assert found.errors == ()
    (warning,) = found.warnings
    assert "comes from 203.0.113.9, which is not in 198.51.100.0/24" in warning
    assert "allowSshFrom 198.51.100.0/24,203.0.113.9/32" in warning
    assert findings(settings(), ACCOUNT, replace(CLIENT, address=""), Made()).warnings == ()


def test_credentials_that_only_the_provider_has_do_not_open_a_session() -> None:
    """The AWS CLI starts it."""
    (found,) = provider_only(settings(allowSshFrom=""), ["accessKey", "secretKey", "profile"])
    assert found.startswith("aws:accessKey, aws:secretKey: ")
    assert provider_only(settings(allowSshFrom=""), ["profile", "region"]) == []
    assert provider_only(settings(), ["accessKey"]) == []
