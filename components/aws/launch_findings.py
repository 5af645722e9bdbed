"""What would keep a new cluster from starting, or this computer from reaching it. Pure: facts in, verdicts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from components.aws.account_facts import NO_KEY_PAIR, AccountFacts, Quota
from components.aws.client_facts import ClientFacts
from components.aws.settings import Settings

__all__ = ["PROVIDER_KEYS", "Findings", "Made", "findings", "provider_only", "usable_zones"]

_LEAST_ZONES = 2
_INSTALL = {
    "ssh": "install OpenSSH's client",
    "aws": "install version 2 of the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    "session-manager-plugin": "install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html",
}
PROVIDER_KEYS = ("accessKey", "secretKey", "token", "assumeRoles", "assumeRoleWithWebIdentity")
"""The credentials of Pulumi's provider in the namespace ``aws``; the AWS CLI does not see them."""


@dataclass(frozen=True)
class Made:
    """The parts that the stack has already: *members*, with their addresses, and *workers*. *has_zones*: etcd's volumes
    fix the zones, whatever AWS lists today."""

    members: int = 0
    workers: int = 0
    has_zones: bool = False


@dataclass(frozen=True)
class Findings:
    """*errors* stop the deployment; *warnings* do not; *notes*: what could not be checked."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def usable_zones(settings: Settings, account: AccountFacts) -> tuple[str, ...]:
    """The zones for the machines: those of the settings, else those of the region that offer the instance type."""
    if settings.zones:
        return settings.zones
    return tuple(zone for zone in account.zones if account.offer is None or zone in account.offer)


def findings(settings: Settings, account: AccountFacts, client: ClientFacts, made: Made) -> Findings:
    """All findings for a cluster with *settings*, of which the stack has *made* a part."""
    warnings = _address_warnings(settings, client)
    errors = [*_client_errors(settings, client), *_key_errors(settings, account, client)]
    errors += [*([] if made.has_zones else _zone_errors(settings, account)), *_quota_errors(settings, account, made)]
    return Findings(tuple(errors), tuple(warnings), account.unknown)


def provider_only(settings: Settings, keys: Sequence[str]) -> list[str]:
    """The error for credentials that only Pulumi's provider has, if ssh needs the AWS CLI. *keys*: the keys of the
    namespace ``aws`` that are set."""
    used = [f"aws:{key}" for key in PROVIDER_KEYS if key in keys]
    if settings.allow_ssh_from or not used:
        return []
    return [
        f"{', '.join(used)}: ssh uses AWS Systems Manager, and the AWS CLI does not know credentials that only Pulumi "
        "has. Write them to a profile and run `pulumi config set aws:profile NAME`, or set fleetcaptain:allowSshFrom"
    ]


def _client_errors(settings: Settings, client: ClientFacts) -> list[str]:
    alternative = "" if settings.allow_ssh_from else ", or set fleetcaptain:allowSshFrom to your own addresses"
    return [f"{name} is not on PATH: {_INSTALL[name]}{alternative if name != 'ssh' else ''}" for name in client.missing]


def _key_errors(settings: Settings, account: AccountFacts, client: ClientFacts) -> list[str]:
    pair, file = settings.key_pair, settings.ssh_key
    errors = [f"fleetcaptain:sshKey: {client.key_problem}"] if client.key_problem else []
    if account.public_key == NO_KEY_PAIR:
        why = f"the region {account.region} has no key pair {pair} (`aws ec2 describe-key-pairs` lists them)"
        return [*errors, f"fleetcaptain:keyPair: {why}"]
    words = (account.public_key or "").split()
    if len(words) > 1 and client.keys is not None and words[1] not in client.keys:
        if file:
            errors.append(f"fleetcaptain:sshKey: {file} is not the private key of the key pair {pair}")
        else:
            errors.append(
                f"fleetcaptain:keyPair: ssh has no private key of the key pair {pair}. Add it to your agent with "
                "`ssh-add FILE`, or run `pulumi config set fleetcaptain:sshKey FILE`"
            )
    return errors


def _zone_errors(settings: Settings, account: AccountFacts) -> list[str]:
    region, kind = account.region, settings.instance_type
    errors = [
        f"fleetcaptain:zones: the region {region} has no zone {zone}"
        for zone in settings.zones
        if zone not in account.zones
    ]
    offer = account.offer
    if offer is not None:
        lacking = [zone for zone in settings.zones if zone in account.zones and zone not in offer]
        listed = f"the zones that offer {kind} are {', '.join(offer)}" if offer else f"no zone of it offers {kind}"
        if lacking:
            errors.append(f"fleetcaptain:zones: {', '.join(lacking)}: no {kind} is offered; {listed}")
    if not settings.zones and len(usable_zones(settings, account)) < _LEAST_ZONES:
        count = len(account.zones)
        if count < _LEAST_ZONES:
            why = f"the region {region} has {count} zone{'' if count == 1 else 's'}; etcd's members need at least two"
        else:
            why = f"fleetcaptain:instanceType: etcd's members need two zones of the region {region}, and {listed}"
        errors.append(why)
    return errors


def _quota_errors(settings: Settings, account: AccountFacts, made: Made) -> list[str]:
    members = max(0, settings.members - made.members)
    workers = max(0, settings.workers - made.workers)
    spot = workers if settings.spot else 0
    each = account.vcpus_each or 0
    wanted = (
        ("elastic IP addresses", "EC2-VPC Elastic IPs", account.addresses, members),
        ("vCPUs", "Running On-Demand Standard instances", account.vcpus, (members + workers - spot) * each),
        ("vCPUs of spot instances", "All Standard Spot Instance Requests", account.spot_vcpus, spot * each),
    )
    return [
        f"the machines need {needed} {what}, and {_free(quota)} in {account.region}. Request a higher quota "
        f"({name}) in Service Quotas, or release what you do not use"
        for what, name, quota, needed in wanted
        if quota is not None and needed > quota.limit - (quota.used or 0)
    ]


def _free(quota: Quota) -> str:
    if quota.used is None:
        return f"your quota is {quota.limit}"
    return f"{max(0, quota.limit - quota.used)} of your quota of {quota.limit} are free"


def _address_warnings(settings: Settings, client: ClientFacts) -> list[str]:
    if not (settings.allow_ssh_from and client.address):
        return []
    if any(ip_address(client.address) in ip_network(block) for block in settings.allow_ssh_from):
        return []
    return [
        f"fleetcaptain:allowSshFrom: this computer comes from {client.address}, which is not in "
        f"{', '.join(settings.allow_ssh_from)}: ssh to the machines would time out. Run `pulumi config set "
        f"fleetcaptain:allowSshFrom {','.join([*settings.allow_ssh_from, client.address + '/32'])}`"
    ]
