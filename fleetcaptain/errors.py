"""The error tree. Each class carries the exit code of the command line.

FleetCaptainError (1)
├── FleetfileError (2)        the Fleetfile has mistakes; all of them are listed
├── UnitRefused (2)           fleet would accept the unit and fail on it, or the unit is not this stack's
├── ReleaseRefused (2)        the release cannot be made or rolled back to
├── ClusterRefused (2)        the cluster cannot be made as it is configured
├── RegistrationRefused (2)   the registration would be invalid
├── UnknownApp (2)            neither an option nor the environment names the app
├── NotAvailable (3)          a service is not available in a release
├── RolloutFailed (4)         a rollout failed; every instance that it changed has its old text back
├── RolloutMixed (5)          a rollout failed and could not be rolled back
├── Locked (6)                another rollout of the service is running
├── StrayUnits (7)            orphaned units (strays) run that no Fleetfile declares
├── Interrupted (8)           stopped on request; the next ``up`` continues
├── DeadlineExceeded (9)      a wait exceeded its limit
├── QuorumLost (1)            too many members of etcd lost their data
└── ClusterUnreachable (10)   no machine of the cluster answers
    └── FleetApiError (10)    fleet answered with an error
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
    """Base of all errors that FleetCaptain raises. Its message says what failed and where, why, and what to do."""

    exit_code: ClassVar[int] = 1


def with_more(error: FleetCaptainError, more: str) -> FleetCaptainError:
    """Append the line *more* to *error* and return it."""
    if more:
        error.args = (f"{error}\n{more}",)
    return error


class _Listed(FleetCaptainError):
    """An error with several problems: a heading, then one line per problem."""

    def __init__(self, heading: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  ".join([heading, *self.problems]))


class FleetfileError(_Listed):
    """The Fleetfile has mistakes. *problems* has one message per mistake, with file and line."""

    exit_code = 2


class UnitRefused(_Listed):
    """A unit is not sent: fleet would accept it and fail on it, or a unit of this name belongs to another stack.
    *problems* has one message per reason."""

    exit_code = 2


class ReleaseRefused(_Listed):
    """A release cannot be made or rolled back to; nothing was changed. *problems* has one message per reason."""

    exit_code = 2


class ClusterRefused(_Listed):
    """A cluster cannot be made as it is configured; nothing was changed. *problems* has one message per reason."""

    exit_code = 2


class RegistrationRefused(FleetCaptainError):
    """A registration would be invalid; nothing was written."""

    exit_code = 2


class UnknownApp(FleetCaptainError):
    """Neither an option nor the environment names the app."""

    exit_code = 2


class NotAvailable(FleetCaptainError):
    """A service is not available in the caller's release."""

    exit_code = 3


class RolloutFailed(FleetCaptainError):
    """A rollout failed; every instance that it changed has its old text back."""

    exit_code = 4


class RolloutMixed(FleetCaptainError):
    """A rollout failed and could not be rolled back on some instances."""

    exit_code = 5


class Locked(FleetCaptainError):
    """Another rollout of the same service is running."""

    exit_code = 6


class StrayUnits(_Listed):
    """Orphaned units (strays) run on the cluster: no Fleetfile declares them. *problems* names each."""

    exit_code = 7


class Interrupted(FleetCaptainError):
    """A rollout stopped on request between two steps; the next ``up`` continues."""

    exit_code = 8


class DeadlineExceeded(FleetCaptainError):
    """A wait exceeded its limit."""

    exit_code = 9


class QuorumLost(FleetCaptainError):
    """Too many members of etcd lost their data for a quorum; nothing was changed."""


class ClusterUnreachable(FleetCaptainError):
    """No machine of the cluster answers."""

    exit_code = 10


class FleetApiError(ClusterUnreachable):
    """fleet answered with an error, also after retries. *status* is the HTTP status."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)
