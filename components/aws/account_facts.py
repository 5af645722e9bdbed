"""What AWS answers about the account before the machines are made: key pair, zones, quotas. Pulumi's provider asks,
with its credentials."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pulumi_aws as aws

from components.aws.settings import Settings

__all__ = ["NO_KEY_PAIR", "AccountFacts", "Quota", "ask_account"]

_T = TypeVar("_T")

NO_KEY_PAIR = ""
"""In place of the public key of a key pair that does not exist."""

_ADDRESSES, _VCPUS, _SPOT_VCPUS = "L-0263D0A3", "L-1216C47A", "L-34B43A08"
# The families that count for the quotas of "standard" instances.
_STANDARD = re.compile(r"[acdhimrtz]\d")
# Each running instance is one question.
_MOST_INSTANCES = 20
_ABSENT = ("no matching", "InvalidKeyPair.NotFound")
_DENIED = ("UnauthorizedOperation", "AccessDenied", "not authorized")
_REASON_CHARS = 120


@dataclass(frozen=True)
class Quota:
    """A *limit* of the account in the region, and how much of it is *used*; None if that is unknown."""

    limit: int
    used: int | None


@dataclass(frozen=True)
class AccountFacts:
    """Of the *region*: its *zones*, and those that *offer* the instance type; the *public_key* of the key pair, as in a
    line of ``authorized_keys``, or `NO_KEY_PAIR`; the quotas of elastic *addresses*, of *vcpus* on demand and of
    *spot_vcpus*; and the vCPUs of one instance, *vcpus_each*. None: AWS did not answer, for the reason in *unknown*,
    or the question does not arise."""

    region: str
    zones: tuple[str, ...]
    offer: tuple[str, ...] | None = None
    public_key: str | None = None
    addresses: Quota | None = None
    vcpus: Quota | None = None
    spot_vcpus: Quota | None = None
    vcpus_each: int | None = None
    unknown: tuple[str, ...] = ()


@dataclass
class _Asker:
    """Asks one thing after the other, and keeps the reasons for missing answers."""

    unknown: list[str] = field(default_factory=list)

    def ask(self, what: str, question: Callable[[], _T]) -> _T | None:
        """The answer; None without one."""
        try:
            return question()
        except Exception as error:
            # The SDK raises a plain Exception for whatever the provider says.
            self.unknown.append(f"{what}: {_reason(str(error))}")
            return None


def ask_account(settings: Settings) -> AccountFacts:
    """The facts that matter for a new cluster with *settings*. Only the zones must have an answer."""
    asker, kind = _Asker(), settings.instance_type
    # Local zones and similar ones have other prices and lack most instance types.
    filters = [aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])]
    found = aws.get_availability_zones(state="available", filters=filters)
    is_standard = _STANDARD.match(kind) is not None
    has_spot = settings.spot and settings.workers > 0
    return AccountFacts(
        region=found.id,
        zones=tuple(found.names),
        offer=asker.ask(f"the zones that offer {kind}", lambda: _zones_of(kind)),
        public_key=asker.ask("the key pair", lambda: _public_key(settings.key_pair)),
        addresses=asker.ask("the quota of elastic IP addresses", _addresses),
        vcpus=asker.ask("the quota of vCPUs", lambda: _vcpus(_VCPUS, spot=False)) if is_standard else None,
        spot_vcpus=(
            asker.ask("the quota of vCPUs of spot instances", lambda: _vcpus(_SPOT_VCPUS, spot=True))
            if is_standard and has_spot
            else None
        ),
        vcpus_each=asker.ask(f"the vCPUs of {kind}", lambda: _size(kind)) if is_standard else None,
        unknown=tuple(asker.unknown),
    )


def _reason(text: str) -> str:
    """The part of an error of the provider that says why."""
    denied = next((word for word in _DENIED if word in text), "")
    last = text.strip().splitlines()[-1].strip() if text.strip() else "no reason given"
    return f"no permission ({denied})" if denied else last.removeprefix("* ")[:_REASON_CHARS]


def _zones_of(kind: str) -> tuple[str, ...]:
    filters = [aws.ec2.GetInstanceTypeOfferingsFilterArgs(name="instance-type", values=[kind])]
    found = aws.ec2.get_instance_type_offerings(filters=filters, location_type="availability-zone")
    return tuple(sorted(found.locations))


def _public_key(name: str) -> str | None:
    try:
        return aws.ec2.get_key_pair(key_name=name, include_public_key=True).public_key or None
    except Exception as error:
        if any(word in str(error) for word in _ABSENT):
            return NO_KEY_PAIR
        raise


def _limit(code: str) -> int:
    return int(aws.servicequotas.get_service_quota(service_code="ec2", quota_code=code).value)


def _addresses() -> Quota:
    return Quota(_limit(_ADDRESSES), len(aws.ec2.get_eips().allocation_ids))


def _vcpus(code: str, *, spot: bool) -> Quota:
    """The quota of standard instances on demand, or of *spot*; what is used is unknown if too many run."""
    limit, states = _limit(code), ["pending", "running"]
    on_market = [aws.ec2.GetInstancesFilterArgs(name="instance-lifecycle", values=["spot"])]
    ids = set(aws.ec2.get_instances(instance_state_names=states, filters=on_market).ids)
    if not spot:
        ids = set(aws.ec2.get_instances(instance_state_names=states).ids) - ids
    if len(ids) > _MOST_INSTANCES:
        return Quota(limit, None)
    kinds = Counter(aws.ec2.get_instance(instance_id=instance).instance_type for instance in ids)
    return Quota(limit, sum(_size(kind) * count for kind, count in kinds.items() if _STANDARD.match(kind)))


def _size(kind: str) -> int:
    return int(aws.ec2.get_instance_type(instance_type=kind).default_vcpus)
