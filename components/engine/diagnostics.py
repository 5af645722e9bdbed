"""Messages of the program under Pulumi's diagnostics; providers use `components.engine.dynamic_resource`."""

from __future__ import annotations

import sys

import pulumi

from fleetcaptain.printable import printable

__all__ = ["error", "info", "last", "warn"]


def error(message: str) -> None:
    """Log *message* as an error: the run fails."""
    pulumi.log.error(printable(message))


def warn(message: str) -> None:
    """Log *message* as a warning."""
    pulumi.log.warn(printable(message))


def info(message: str) -> None:
    """Log *message* as information."""
    pulumi.log.info(printable(message))


def last(message: str) -> None:
    """Print *message* when the process ends: Pulumi's log then has no loop to run in, but shows standard error."""
    sys.stderr.write(f"{printable(message)}\n")
    sys.stderr.flush()
