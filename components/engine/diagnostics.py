"""What the program says under Pulumi's diagnostics; a provider has `components.dynamic` for that."""

from __future__ import annotations

import sys

import pulumi

from fleetcaptain.printable import printable

__all__ = ["error", "info", "last", "warn"]


def error(message: str) -> None:
    """Say *message* as an error: the run fails."""
    pulumi.log.error(printable(message))


def warn(message: str) -> None:
    """Say *message* as a warning."""
    pulumi.log.warn(printable(message))


def info(message: str) -> None:
    """Say *message* as information."""
    pulumi.log.info(printable(message))


def last(message: str) -> None:
    """Say *message* when the process ends: Pulumi's log has no loop to run in then, but shows standard error."""
    sys.stderr.write(f"{printable(message)}\n")
    sys.stderr.flush()
