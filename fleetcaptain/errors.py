"""The one error tree. Each class carries the exit code that the command line gives for it.

FleetCaptainError (1)
├── FleetfileError (2)        the Fleetfile has mistakes; all of them are listed
├── UnitRefused (2)           a unit that fleet would choke on, or that is not this stack's
├── ReleaseRefused (2)        a release that cannot be: its tag is taken, or something of it is gone
├── ClusterRefused (2)        a cluster that cannot be made as the stack's configuration says
├── RegistrationRefused (2)   a registration that no lookup could read
├── UnknownApp (2)            no app is named, and the environment names none
├── NotAvailable (3)          a service is not available in a release
├── RolloutFailed (4)         a rollout failed; what was touched has its old text back
├── RolloutMixed (5)          a rollout failed and could not be taken back
├── Locked (6)                somebody else is rolling the service out
├── StrayUnits (7)            units run that no Fleetfile declares
├── Interrupted (8)           stopped on request; the next ``up`` continues
├── DeadlineExceeded (9)      a wait took longer than it may
├── QuorumLost (1)            too many members of etcd lost their data
└── ClusterUnreachable (10)   no machine of the cluster answers
    └── FleetApiError (10)    fleet answered, but with an error
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "ClusterRefused",
    "ClusterUnreachable",
    "DeadlineExceeded",
    "FleetApiError",
    "FleetCaptainError",
    "FleetfileError",
    "Interrupted",
    "Locked",
    "NotAvailable",
    "QuorumLost",
    "RegistrationRefused",
    "ReleaseRefused",
    "RolloutFailed",
    "RolloutMixed",
    "StrayUnits",
    "UnitRefused",
    "UnknownApp",
    "with_more",
]


class FleetCaptainError(Exception):
    """Every error that FleetCaptain raises on purpose. Its text says what, where, and what to do next."""

    exit_code: ClassVar[int] = 1


def with_more(error: FleetCaptainError, more: str) -> FleetCaptainError:
    """*error* itself, with *more* as its last line."""
    if more:
        error.args = (f"{error}\n{more}",)
    return error


class _Listed(FleetCaptainError):
    """An error made of several problems, one a line, under one heading."""

    def __init__(self, heading: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  ".join([heading, *self.problems]))


class FleetfileError(_Listed):
    """The Fleetfile has mistakes. *problems* holds one text for each, with file and line."""

    exit_code = 2


class UnitRefused(_Listed):
    """A unit that is not sent: fleet would accept it and then choke on it, or a unit of its name is not ours.
    *problems* says why, one text each."""

    exit_code = 2


class ReleaseRefused(_Listed):
    """A release that cannot be made, or gone back to; nothing was touched. *problems* says why, one text each."""

    exit_code = 2


class ClusterRefused(_Listed):
    """A cluster cannot be made as it is configured; nothing was touched. *problems* says why, one text each."""

    exit_code = 2


class RegistrationRefused(FleetCaptainError):
    """An instance cannot be registered as it was said; nothing was written."""

    exit_code = 2


class UnknownApp(FleetCaptainError):
    """It is not known which app's services are meant."""

    exit_code = 2


class NotAvailable(FleetCaptainError):
    """A service is not available in the release it is looked up in."""

    exit_code = 3


class RolloutFailed(FleetCaptainError):
    """A rollout failed, and every instance that it touched has its old text back."""

    exit_code = 4


class RolloutMixed(FleetCaptainError):
    """A rollout failed, and some instances could not be given their old text back."""

    exit_code = 5


class Locked(FleetCaptainError):
    """Another rollout of the same service is under way."""

    exit_code = 6


class StrayUnits(_Listed):
    """Units run on the cluster that no Fleetfile declares. *problems* names each."""

    exit_code = 7


class Interrupted(FleetCaptainError):
    """Stopped on request between two steps; the next ``up`` continues."""

    exit_code = 8


class DeadlineExceeded(FleetCaptainError):
    """A wait took longer than it may."""

    exit_code = 9


class QuorumLost(FleetCaptainError):
    """So many members lost their data that those left cannot decide anything; nothing was touched."""


class ClusterUnreachable(FleetCaptainError):
    """No machine of the cluster answers."""

    exit_code = 10


class FleetApiError(ClusterUnreachable):
    """fleet answered with an error that trying again did not cure. *status* is the HTTP status."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)
