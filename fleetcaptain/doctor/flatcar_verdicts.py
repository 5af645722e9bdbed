"""What the machines' scripts and units assume of Flatcar and EC2, and which machine differs from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fleetcaptain.doctor.findings import Finding
from fleetcaptain.doctor.flatcar_facts import FlatcarFacts

__all__ = ["Verdict", "differences", "verdicts_of"]

_LEAST_SYSTEMD, _LEAST_DOCKER = 247, 20
_GUIDE = "docs/aws-first-run.md, step 9, says what to do about differences."


@dataclass(frozen=True)
class Verdict:
    """Whether one assumption holds on the machine at *address*: *subject* is *observed*, and *expected* is what it has
    to be."""

    address: str
    subject: str
    observed: str
    expected: str
    holds: bool

    def __str__(self) -> str:
        observed = self.observed or "unknown"
        return f"{self.subject}: {observed}" + ("" if self.holds else f"; expected: {self.expected}")


def _equals(wanted: str) -> Callable[[str], bool]:
    return lambda observed: observed == wanted


def _at_least(least: int) -> Callable[[str], bool]:
    def holds(observed: str) -> bool:
        found = re.match(r"\d+", observed)
        return found is not None and int(found[0]) >= least

    return holds


_EXPECTED: tuple[tuple[str, str, str, Callable[[str], bool]], ...] = (
    ("os", "distribution", "flatcar", lambda observed: observed.startswith("flatcar ")),
    ("systemd", "systemd", f"{_LEAST_SYSTEMD} or later", _at_least(_LEAST_SYSTEMD)),
    ("socat", "socat", "installed: etcd's sockets and the load balancer's checks use it", bool),
    ("socat_tls", "TLS of socat", "yes: machines reach etcd's members with it", _equals("yes")),
    ("jq", "jq", "installed: the registry login and the drain use it", bool),
    ("sigv4", "signed requests of curl", "curl with --aws-sigv4", _equals("aws-sigv4")),
    ("docker", "docker", f"{_LEAST_DOCKER} or later, and it answers", _at_least(_LEAST_DOCKER)),
    ("imds_v2", "metadata service with a token", "200", _equals("200")),
    ("imds_v1", "metadata service without a token", "401: only version 2 answers", _equals("401")),
    ("update_server", "server of Flatcar's updater", "disabled", _equals("disabled")),
    ("reboots", "reboots by Flatcar's updater", "off", _equals("off")),
    ("clock_synchronized", "clock is synchronized", "yes", _equals("yes")),
)
"""Field of `FlatcarFacts`, subject, expectation, and whether an observed value meets it."""


def verdicts_of(address: str, facts: FlatcarFacts) -> list[Verdict]:
    """A verdict for each assumption about the machine at *address*, in a fixed order."""
    return list(_verdicts(address, facts))


def _verdicts(address: str, facts: FlatcarFacts) -> Iterator[Verdict]:
    for field, subject, expected, holds in _EXPECTED:
        observed = getattr(facts, field)
        yield Verdict(address, subject, observed, expected, holds(observed))
    if facts.volume:
        yield Verdict(
            address,
            "etcd's volume",
            facts.volume,
            "a device with ext4",
            bool(re.fullmatch(r"/dev/\S+ +ext4", facts.volume)),
        )
    for name, state in facts.timers:
        yield Verdict(address, name, state, "active", state == "active")
    for subject, units in (("failed units", facts.failed), ("units that need /dev/tcp", facts.dev_tcp)):
        yield Verdict(address, subject, " ".join(units) or "none", "none", not units)


def differences(verdicts: list[Verdict]) -> list[Finding]:
    """A finding for each of *verdicts* that does not hold."""
    return [Finding(one.address, str(one), _GUIDE) for one in verdicts if not one.holds]
