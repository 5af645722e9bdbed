"""Commands that run as root on a machine. Pure."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["as_root"]

_ROOT = 'if [ "$(id -u)" = 0 ]; then exec "$@"; else exec sudo -n "$@"; fi'


def as_root(argv: Sequence[str]) -> list[str]:
    """The command that runs *argv* as root on a machine, with its streams."""
    return ["sh", "-c", _ROOT, "root", *argv]
