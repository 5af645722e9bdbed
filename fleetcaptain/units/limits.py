"""How long systemd gives a unit, by the unit's own text. Times are whole seconds."""

from __future__ import annotations

from fleetcaptain.units.text import parse

__all__ = ["start_limit", "stop_limit"]

# systemd's own, for a text that says none, or says it in another way than FleetCaptain does.
_DEFAULT_SEC = 90


def start_limit(text: str) -> int:
    """How long a line of the start of a unit with this *text* may take."""
    return _limit(text, "TimeoutStartSec")


def stop_limit(text: str) -> int:
    """How long a line of the stop of a unit with this *text* may take."""
    return _limit(text, "TimeoutStopSec")


def _limit(text: str, name: str) -> int:
    given = [option.value for option in parse(text) if (option.section, option.name) == ("Service", name)]
    return int(given[-1]) if given and given[-1].isascii() and given[-1].isdecimal() else _DEFAULT_SEC
