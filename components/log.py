"""What the program says under Pulumi's diagnostics; a provider has `components.dynamic` for that."""

from __future__ import annotations

import pulumi

from fleetcaptain.printable import printable

__all__ = ["error", "info", "warn"]


def error(message: str) -> None:
    """Say *message* as an error: the run fails."""
    pulumi.log.error(printable(message))


def warn(message: str) -> None:
    """Say *message* as a warning."""
    pulumi.log.warn(printable(message))


def info(message: str) -> None:
    """Say *message* as information."""
    pulumi.log.info(printable(message))
